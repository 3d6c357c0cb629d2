//! The binary as its users run it: real processes, real files, real signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use comity_shard::fixture;

/// Running node; killed if the test ends early.
struct Daemon {
    process: Child,
    /// What it said once it answered.
    ready: serde_json::Value,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn comity(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comity")).args(arguments).output().unwrap()
}

/// Runs a command that must succeed with `--json`.
fn comity_json(arguments: &[&str]) -> serde_json::Value {
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
struct Consortium {
    folder: tempfile::TempDir,
    genesis: String,
    /// Blocks of the seeded model.
    blocks: u32,
    members: u32,
}

impl Consortium {
    fn found(members: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fixture::write_llama(&root.join("model.gguf"), 1).unwrap();
        let model = comity_shard::ModelFile::open(&root.join("model.gguf")).unwrap();
        let mut text = "name = \"Test consortium\"\ndays = 30\n".to_owned();
        for member in 0..members {
            let home = root.join(format!("m{member}"));
            fs::create_dir_all(home.join("data")).unwrap();
            let (root_key, roster_key) =
                (new_key(&home.join("root.key")), new_key(&home.join("roster.key")));
            text.push_str(&format!(
                "[[institution]]\nid = \"m{member}\"\nlegal_name = \"Member {member}\"\n\
                 country = \"NL\"\nroot_key = \"{root_key}\"\nroster_key = \"{roster_key}\"\n"
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
        let consortium = Self { folder, genesis, blocks, members };
        (0..members).for_each(|member| consortium.list(member));
        consortium
    }

    /// Signs a member's roster with its one node.
    fn list(&self, member: u32) {
        let root = self.folder.path();
        let node = new_key(&root.join(format!("m{member}/data/node.key")));
        let text = format!(
            "institution = \"m{member}\"\nhours = 24\n[[node]]\npeer = \"{node}\"\n\
             jurisdiction = \"NL\"\nroles = [\"home\", \"stage\"]\n"
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
    fn configure(&self, member: u32, peers: &[String]) -> PathBuf {
        let root = self.folder.path();
        let cut = |member: u32| member * self.blocks / self.members;
        let text = format!(
            "institution = \"m{member}\"\ncharter = \"{charter}\"\nroster = \"{roster}\"\n\
             data_dir = \"{data}\"\n[control]\nlisten = [\"/ip4/127.0.0.1/udp/0/quic-v1\"]\n\
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

    fn start(&self, member: u32, peers: &[String]) -> Daemon {
        let config = self.configure(member, peers);
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
    fn control(&self) -> Vec<String> {
        let addresses = self.ready["control"].as_array().unwrap();
        addresses.iter().map(|address| address.as_str().unwrap().to_owned()).collect()
    }

    /// Asks this node; retries while blocks are missing, because nodes meet when they meet.
    fn ask(&self, extra: &[&str]) -> serde_json::Value {
        let (node, token) =
            (self.ready["client"].as_str().unwrap(), self.ready["token_file"].as_str().unwrap());
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
        for _ in 0..200 {
            let output = comity(&arguments);
            if output.status.success() {
                return serde_json::from_slice(&output.stdout).unwrap();
            }
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let apart = ["no node", "no stage", "serve", "roster", "address", "not_admitted"];
            assert!(apart.iter().any(|sign| errors.contains(sign)), "{errors}");
        }
        panic!("the nodes never met");
    }

    fn resident_bytes(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.process.id())).unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
    }

    /// Sends SIGTERM and returns the exit code.
    fn stop(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn three_processes_answer_prove_it_and_stop_cleanly() {
    let consortium = Consortium::found(3);
    let first = consortium.start(0, &[]);
    let second = consortium.start(1, &first.control());
    let third = consortium.start(2, &first.control());
    let bundle = path(consortium.folder.path(), "answer.bundle");
    let answer = first.ask(&["--receipt", &bundle]);
    assert_eq!(answer["stages"].as_array().unwrap().len(), 3, "{answer}");

    let verified = comity(&["verify", &bundle, "--genesis", &consortium.genesis]);
    assert_eq!(verified.status.code(), Some(0));
    let mut bytes = fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let forged = comity(&["verify", &bundle, "--genesis", &consortium.genesis]);
    assert_eq!(forged.status.code(), Some(1));

    let busy = Command::new(env!("CARGO_BIN_EXE_comity"))
        .args(["up", "--config", consortium.configure(0, &[]).to_str().unwrap()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&busy.stderr);
    assert_eq!(busy.status.code(), Some(1));
    assert!(errors.contains("in use by another daemon"), "{errors}");
    for daemon in [third, second, first] {
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn two_hundred_requests_leave_a_node_its_memory() {
    let consortium = Consortium::found(1);
    let node = consortium.start(0, &[]);
    for _ in 0..100 {
        node.ask(&[]);
    }
    let before = node.resident_bytes();
    for _ in 0..100 {
        node.ask(&[]);
    }
    // A page of KV cache, a connection or a session kept by each request would be far more.
    let growth = node.resident_bytes().saturating_sub(before);
    assert!(growth < 4 << 20, "{growth} bytes more after 100 further requests");
    assert_eq!(node.stop(), Some(0));
}
