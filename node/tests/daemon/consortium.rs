//! A consortium of real processes for a test: its files, its nodes, and how to ask them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use comity_client::{Client, Credentials};
use comity_shard::fixture;

/// Running node; killed if the test ends early.
pub(crate) struct Daemon {
    pub(crate) process: Child,
    /// What it said once it answered.
    pub(crate) ready: serde_json::Value,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn comity(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comity")).args(arguments).output().unwrap()
}

/// Runs a command that must succeed with `--json`.
pub(crate) fn comity_json(arguments: &[&str]) -> serde_json::Value {
    let output = comity(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn new_key(path: &Path) -> String {
    let path = path.to_str().unwrap();
    let made = comity_json(&["key", "new", path, "--json"]);
    made["public"].as_str().unwrap_or_else(|| panic!("no key in {made}")).to_owned()
}

/// A consortium of `members` in a folder, its files made by the commands of the README.
pub(crate) struct Consortium {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) genesis: String,
    /// Blocks of the seeded model.
    blocks: u32,
    members: u32,
    /// Whether nodes witness, and one other must.
    witnessed: bool,
}

impl Consortium {
    pub(crate) fn found(members: u32) -> Self {
        Self::new(members, false)
    }

    /// One whose logs another member must have seen.
    pub(crate) fn witnessed(members: u32) -> Self {
        Self::new(members, true)
    }

    fn new(members: u32, witnessed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fixture::write_llama(&root.join("model.gguf"), 1).unwrap();
        let model = comity_shard::ModelFile::open(&root.join("model.gguf")).unwrap();
        let witnesses = u8::from(witnessed);
        let mut text = format!("name = \"Test consortium\"\ndays = 30\nwitnesses = {witnesses}\n");
        for member in 0..members {
            let home = root.join(format!("m{member}"));
            fs::create_dir_all(home.join("data")).unwrap();
            let [root_key, roster_key, witness_key] =
                ["root.key", "roster.key", "witness.key"].map(|file| new_key(&home.join(file)));
            text.push_str(&format!(
                "[[institution]]\nid = \"m{member}\"\nlegal_name = \"Member {member}\"\n\
                 country = \"NL\"\nroot_key = \"{root_key}\"\nroster_key = \"{roster_key}\"\n\
                 witness_key = \"{witness_key}\"\n"
            ));
        }
        fs::write(root.join("charter.toml"), text).unwrap();
        let (source, charter) = (path(root, "charter.toml"), path(root, "charter.bin"));
        let mut arguments = vec!["charter", "new", &source, "--out", &charter, "--json"];
        let keys: Vec<_> = (0..members).map(|m| path(root, &format!("m{m}/root.key"))).collect();
        for key in &keys {
            arguments.extend(["--key", key]);
        }
        let made = comity_json(&arguments);
        let genesis = made["genesis"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let blocks = model.config().block_count;
        let consortium = Self { folder, genesis, blocks, members, witnessed };
        (0..members).for_each(|member| consortium.list(member));
        consortium
    }

    /// Signs a member's roster with its one node.
    fn list(&self, member: u32) {
        let root = self.folder.path();
        let node = new_key(&root.join(format!("m{member}/data/node.key")));
        let witness = if self.witnessed { ", \"witness\"" } else { "" };
        let text = format!(
            "institution = \"m{member}\"\nhours = 24\n[[node]]\npeer = \"{node}\"\n\
             jurisdiction = \"NL\"\nroles = [\"home\", \"stage\"{witness}]\n"
        );
        fs::write(root.join(format!("m{member}/roster.toml")), text).unwrap();
        comity_json(&[
            "roster",
            "sign",
            &path(root, &format!("m{member}/roster.toml")),
            "--charter",
            &path(root, "charter.bin"),
            "--key",
            &path(root, &format!("m{member}/roster.key")),
            "--out",
            &path(root, &format!("m{member}/roster.bin")),
            "--json",
        ]);
    }

    /// The configuration of a member's node, which calls `peers` first.
    pub(crate) fn configure(&self, member: u32, peers: &[String]) -> PathBuf {
        let root = self.folder.path();
        let cut = |member: u32| member * self.blocks / self.members;
        let key = path(root, &format!("m{member}/witness.key"));
        let witness =
            if self.witnessed { format!("witness_key = \"{key}\"\n") } else { String::new() };
        let text = format!(
            "institution = \"m{member}\"\ncharter = \"{charter}\"\nroster = \"{roster}\"\n\
             data_dir = \"{data}\"\n{witness}[control]\nlisten = [\"/ip4/127.0.0.1/udp/0/quic-v1\"]\n\
             peers = {peers:?}\n[data]\nlisten = \"127.0.0.1:0\"\n[client]\n\
             listen = \"127.0.0.1:0\"\n[[models]]\nfile = \"{model}\"\nname = \"tiny\"\n\
             blocks = [{start}, {end}]\n",
            charter = path(root, "charter.bin"),
            roster = path(root, &format!("m{member}/roster.bin")),
            data = path(root, &format!("m{member}/data")),
            model = path(root, "model.gguf"),
            start = cut(member),
            end = cut(member + 1),
        );
        let config = root.join(format!("m{member}/comity.toml"));
        fs::write(&config, text).unwrap();
        config
    }

    pub(crate) fn start(&self, member: u32, peers: &[String]) -> Daemon {
        self.up(&self.configure(member, peers))
    }

    /// Starts the node of a configuration.
    pub(crate) fn up(&self, config: &Path) -> Daemon {
        let mut process = Command::new(env!("CARGO_BIN_EXE_comity"))
            .args(["up", "--json", "--config", config.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line}"));
        Daemon { process, ready }
    }
}

impl Daemon {
    pub(crate) fn control(&self) -> Vec<String> {
        let addresses = self.ready["control"].as_array().unwrap();
        addresses.iter().map(|address| address.as_str().unwrap().to_owned()).collect()
    }

    /// A client of this node, let in by its token.
    pub(crate) async fn client(&self) -> Client {
        let address = self.text("client").parse().unwrap();
        let credentials = Credentials::token_file(Path::new(self.text("token_file"))).unwrap();
        Client::connect(address, credentials).await.unwrap()
    }

    /// Who this node is.
    pub(crate) fn peer(&self) -> &str {
        self.text("peer")
    }

    fn text(&self, field: &str) -> &str {
        self.ready[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.ready))
    }

    /// The mesh as this node sees it.
    pub(crate) fn status(&self) -> serde_json::Value {
        let (node, token) = (self.text("client"), self.text("token_file"));
        comity_json(&["status", "--node", node, "--token", token, "--json"])
    }

    /// Asks this node once, for better or worse.
    pub(crate) fn try_ask(&self) -> Output {
        comity(&self.question(&[]))
    }

    fn question<'a>(&'a self, extra: &[&'a str]) -> Vec<&'a str> {
        let (node, token) = (self.text("client"), self.text("token_file"));
        let mut arguments = vec![
            "generate",
            "--node",
            node,
            "--token",
            token,
            "--model",
            "tiny",
            "--raw",
            "--json",
            "--max-tokens",
            "8",
        ];
        arguments.extend(extra);
        arguments.push("the cat sat");
        arguments
    }

    /// Asks this node; retries while blocks are missing, because nodes meet when they meet.
    pub(crate) fn ask(&self, extra: &[&str]) -> serde_json::Value {
        let arguments = self.question(extra);
        for _ in 0..200 {
            let output = comity(&arguments);
            if output.status.success() {
                return serde_json::from_slice(&output.stdout).unwrap();
            }
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            let apart = ["no node", "no stage", "serve", "roster", "address", "not_admitted"];
            assert!(apart.iter().any(|sign| errors.contains(sign)), "{errors}{answer}");
        }
        panic!("the nodes never met");
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.process.id())).unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }
}

pub(crate) fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}
