//! A node as a process of its own: this program again, in the place of `comity up`. Not what it runs.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use comity_client::{Client, Credentials};
use comity_node::commands::up;

/// Names the configuration of a node that this process is to be.
const CONFIG_VARIABLE: &str = "COMITY_MESH_CONFIG";

/// Whether this process is to be a node.
pub(crate) fn is_one() -> bool {
    std::env::var_os(CONFIG_VARIABLE).is_some()
}

/// Is a node until it is told to stop.
pub(crate) fn main() {
    let config = PathBuf::from(std::env::var_os(CONFIG_VARIABLE).expect("it was asked for"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(Box::pin(up::run(up::Args::of(config)))).expect("the node runs");
}

/// A running node; killed if the bench ends early.
pub(crate) struct Daemon {
    process: Child,
    ready: serde_json::Value,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    /// Starts the node of a configuration on these processors, all if there are none, and waits
    /// until it answers.
    pub(crate) fn start(config: &Path, processors: &[u32]) -> Self {
        let this = std::env::current_exe().expect("this program has a file");
        let mut command = match processors {
            [] => Command::new(this),
            processors => {
                let list: Vec<String> = processors.iter().map(u32::to_string).collect();
                let mut pinned = Command::new("taskset");
                pinned.args(["--cpu-list", &list.join(",")]).arg(this);
                pinned
            }
        };
        let command = command.env(CONFIG_VARIABLE, config).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the node starts (taskset is of util-linux)");
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the node says something");
        let ready = serde_json::from_str(&line);
        let ready = ready.unwrap_or_else(|_| panic!("{}: not ready: {line}", config.display()));
        Self { process, ready }
    }

    /// Where others call it first.
    pub(crate) fn control(&self) -> Vec<String> {
        let addresses = self.ready["control"].as_array().expect("nodes say where they listen");
        addresses.iter().filter_map(|address| Some(address.as_str()?.to_owned())).collect()
    }

    /// A client that its token lets in.
    pub(crate) async fn client(&self) -> Client {
        let text = |field: &str| self.ready[field].as_str().expect("nodes say how to be asked");
        let address: SocketAddr = text("client").parse().expect("it is an address");
        let credentials = Credentials::token_file(Path::new(text("token_file"))).expect("a token");
        Client::connect(address, credentials).await.expect("home answers")
    }

    /// Tells it to stop, as an operator would.
    pub(crate) fn terminate(&self) {
        let id = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.is_ok_and(|status| status.success()), "the node is still there");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) {
        let status = self.process.wait().expect("it is our child");
        assert!(status.success(), "the node ended with {status}");
    }
}
