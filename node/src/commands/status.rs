//! `comity status`: the mesh as a node sees it.

use comity_client::GenerateError;
use serde_json::Value;

use super::{
    Outcome,
    connect::{ConnectArgs, ReachError},
    print, print_json, shown,
};

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// What `comity status` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comity status --token data/client.token --json")]
pub struct Args {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Print the node's JSON object as it is.
    #[arg(long)]
    json: bool,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// The node was not reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The node did not answer.
    #[error(transparent)]
    Answer(#[from] GenerateError),
    /// The node answered something else.
    #[error("the node's answer is no JSON")]
    NotJson(#[source] serde_json::Error),
}

/// Runs `comity status`.
///
/// # Errors
/// [`StatusError`] if the node does not answer.
pub async fn run(args: Args) -> Result<Outcome, StatusError> {
    let client = args.connect.connect().await?;
    let answer = client.status().await;
    client.close().await;
    let status: Value = serde_json::from_str(&answer?).map_err(StatusError::NotJson)?;
    if args.json {
        print_json(&status);
    } else {
        print(&shown(&describe(&status)));
    }
    Ok(Outcome::Done)
}

/// A table of what is there; what a node of another release leaves out is left out here too.
fn describe(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut lines = vec![
        format!("consortium  {}", text(&status["consortium"])),
        format!("genesis     {}", text(&status["genesis"])),
        format!("node        {}", text(&status["peer"])),
        format!("sessions    {}", status["sessions"]),
        format!("weights     {} MiB", mib(&status["weight_bytes"])),
        format!(
            "KV cache    {} of {} MiB",
            mib(&status["kv_bytes"]),
            mib(&status["kv_budget_bytes"])
        ),
    ];
    if let (Some(signed), Some(witnessed)) =
        (status["records_signed"].as_u64(), status["records_witnessed"].as_u64())
    {
        lines.push(format!("records     {signed} signed, {witnessed} witnessed"));
    }
    let refusals = status["witnesses_refuse"].as_object().into_iter().flatten();
    lines.extend(refusals.map(|(id, why)| format!("the witness of {id} refuses: {}", text(why))));
    lines.extend(status["governance"].as_str().map(|why| format!("governance  {why}")));
    lines.push("members".to_owned());
    lines.extend(list(&status["members"]).iter().map(|member| {
        let own = if member["self"] == true { " (this node)" } else { "" };
        let far = member["round_trip_us"].as_f64();
        let far = far.map_or_else(String::new, |us| format!(" {:.1} ms away", us / 1e3));
        format!(
            "  {:<24} {}  {}{own}{far}",
            text(&member["institution"]),
            text(&member["jurisdiction"]),
            text(&member["peer"]),
        )
    }));
    for model in list(&status["models"]) {
        lines.push(format!("model {} of {} blocks", text(&model["name"]), model["block_count"]));
        lines.extend(list(&model["stages"]).iter().map(|stage| {
            format!(
                "  [{}, {})  {:<24} {} ns per block, {} sessions, {} positions free",
                stage["blocks"][0],
                stage["blocks"][1],
                text(&stage["institution"]),
                stage["block_time_ns"],
                stage["sessions"],
                stage["positions_free"],
            )
        }));
    }
    lines.join("\n") + "\n"
}

fn mib(bytes: &Value) -> String {
    bytes.as_f64().map_or_else(|| "?".to_owned(), |bytes| format!("{:.1}", bytes / MIB))
}
