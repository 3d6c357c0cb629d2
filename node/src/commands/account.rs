//! `comity account`: what institutions computed for each other, from a node's log.

use std::path::{Path, PathBuf};

use comity_protocol::account::Entry;
use serde_json::{Value, json};

use super::{FileError, Outcome, date, print, shown};
use crate::{accounts::Accounts, log};

/// Heading of the exported table.
const HEADING: &str = "session,stage_receipt,home,giver,taker,parameters,computed,units,at_ms";

/// What `comity account` does.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the sums between each two institutions.
    #[command(after_help = "Example:\n  comity account show --data north/comity-data")]
    Show(ShowArgs),
    /// Print every entry.
    #[command(after_help = "Example:\n  comity account export --csv --data north/comity-data")]
    Export(ExportArgs),
}

/// What `comity account show` is told.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The node's data folder; the node may be running.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `comity account export` is told.
#[derive(Debug, clap::Args)]
#[group(id = "format", required = true, multiple = false, args = ["csv", "json"])]
pub struct ExportArgs {
    /// The node's data folder; the node may be running.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// As comma-separated lines, the first of them the names of the columns.
    #[arg(long)]
    csv: bool,
    /// As one JSON object for each line.
    #[arg(long)]
    json: bool,
}

/// Runs `comity account`.
///
/// # Errors
/// [`FileError`] if the log cannot be read.
#[expect(clippy::unused_async, reason = "every command has this shape")]
pub async fn run(command: Command) -> Result<Outcome, FileError> {
    match command {
        Command::Show(ShowArgs { data, json }) => print(&show(&data, json)?),
        Command::Export(ExportArgs { data, json, .. }) => print(&export(&data, json)?),
    }
    Ok(Outcome::Done)
}

/// The sums between each two institutions, as the log in `data` has them: for people, or as one
/// line of JSON.
///
/// # Errors
/// [`FileError`] if the log cannot be read.
pub fn show(data: &Path, json: bool) -> Result<String, FileError> {
    let accounts = read(data)?;
    Ok(if json { format!("{}\n", sums(&accounts)) } else { shown(&describe(&accounts)) })
}

/// Every entry that the log in `data` has: comma-separated under a heading, or as lines of JSON.
///
/// # Errors
/// [`FileError`] if the log cannot be read.
pub fn export(data: &Path, json: bool) -> Result<String, FileError> {
    let accounts = read(data)?;
    let entries = accounts.books.entries();
    Ok(match json {
        true => entries.map(|entry| format!("{}\n", object(entry))).collect(),
        false => std::iter::once(format!("{HEADING}\n")).chain(entries.map(line)).collect(),
    })
}

fn read(folder: &Path) -> Result<Accounts, FileError> {
    let failed = |source| FileError::Read { path: folder.to_owned(), source };
    let mut accounts = Accounts::default();
    for record in log::read(folder).map_err(failed)? {
        accounts.read(&record.map_err(failed)?.bytes);
    }
    Ok(accounts)
}

fn describe(accounts: &Accounts) -> String {
    let mut lines = vec!["unit: parameters x rows computed".to_owned()];
    for (first, second) in accounts.books.pairs() {
        let balance = accounts.books.balance(first, second);
        lines.push(format!("{first} computed {} for {second}", balance.given));
        lines.push(format!("{second} computed {} for {first}", balance.taken));
    }
    let last = accounts.books.entries().map(|entry| entry.at).max();
    let until = last.map_or_else(String::new, |at| format!(", the last of {}", date(at)));
    lines.push(format!("{} entries{until}", accounts.books.entries().count()));
    lines.join("\n") + "\n"
}

fn sums(accounts: &Accounts) -> Value {
    let pairs = accounts.books.pairs().into_iter().map(|(first, second)| {
        let balance = accounts.books.balance(first, second);
        // As text: they pass what JSON's readers take for a number.
        json!({
            "institutions": [first, second],
            "given": balance.given.to_string(),
            "taken": balance.taken.to_string(),
        })
    });
    json!({
        "unit": "parameters x rows",
        "pairs": pairs.collect::<Vec<_>>(),
        "entries": accounts.books.entries().count(),
    })
}

fn object(entry: &Entry) -> Value {
    json!({
        "session": entry.session.to_string(),
        "stage_receipt": entry.stage_receipt.to_string(),
        "home": entry.home.to_string(),
        "giver": entry.giver,
        "taker": entry.taker,
        "parameters": entry.parameters,
        "computed": entry.computed,
        "units": entry.units().to_string(),
        "at_ms": entry.at.as_ms(),
    })
}

fn line(entry: &Entry) -> String {
    let Entry { session, stage_receipt, home, giver, taker, parameters, computed, at } = entry;
    let (giver, taker, units) = (field(giver), field(taker), entry.units());
    format!(
        "{session},{stage_receipt},{home},{giver},{taker},{parameters},{computed},{units},{}\n",
        at.as_ms()
    )
}

/// A text as one field (RFC 4180): a comma, quote or line end in it must not make two. What a
/// spreadsheet would take for a formula is kept from being one.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guarded = if formula { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", guarded.replace('"', "\"\""));
    }
    guarded
}

#[cfg(test)]
mod tests;
