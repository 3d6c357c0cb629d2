//! A node that came back from an old copy of its folder, and its successor, as operators see them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::consortium::{Consortium, Daemon, comity, comity_json, path};

/// What `comity log check` says once that many records of the log in `data` are witnessed.
fn until_witnessed(data: &str, records: u64) -> Value {
    for _ in 0..4_000 {
        let checked = comity_json(&["log", "check", "--data", data, "--json"]);
        if checked["witnessed"].as_u64() >= Some(records) {
            return checked;
        }
    }
    panic!("nobody witnesses {records} records of {data}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&old, &new)
        } else {
            drop(fs::copy(&old, &new))
        }
    }
}

/// What a node that does not start says.
fn refused(config: &Path) -> String {
    let mut up = Command::new(env!("CARGO_BIN_EXE_comity"))
        .args(["up", "--json", "--config", config.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(up.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    if !ready.is_empty() {
        up.kill().unwrap();
        up.wait().unwrap();
        panic!("it started: {ready}");
    }
    let ended = up.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// Whether `node` has `peer` among its members.
fn admits(node: &Daemon, peer: &str) -> bool {
    let status = node.status();
    status["members"].as_array().unwrap().iter().any(|member| member["peer"] == *peer)
}

/// The kind and the session of the first record in `data`.
fn first(data: &str) -> Value {
    let shown = comity(&["log", "show", "--data", data, "--json"]);
    let line = String::from_utf8(shown.stdout).unwrap().lines().next().unwrap().to_owned();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_restored_backup_signs_nothing_until_its_log_has_a_successor() {
    let consortium = Consortium::witnessed(2);
    let root = consortium.folder.path();
    let [data, backup, roster_key] =
        ["m0/data", "m0/backup", "m0/roster.key"].map(|name| path(root, name));
    let witness = consortium.start(1, &[]);
    let home = consortium.start(0, &witness.control());
    let old = home.peer().to_owned();
    home.ask(&[]);
    until_witnessed(&data, 2);
    assert_eq!(home.stop(), Some(0));
    copy(Path::new(&data), Path::new(&backup));
    let home = consortium.start(0, &witness.control());
    home.ask(&[]);
    until_witnessed(&data, 4);
    assert_eq!(home.stop(), Some(0));
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&backup, &data).unwrap();
    // Its last checkpoint fits it: only the witness knows of more.
    let config = consortium.configure(0, &witness.control());
    let errors = refused(&config);
    assert!(errors.contains("witness of m1") && errors.contains("comity log succeed"), "{errors}");

    let config = config.to_str().unwrap();
    let succeed = ["log", "succeed", "--config", config, "--reason", "restored", "--json", "--key"];
    let other = path(root, "m1/roster.key");
    assert_eq!(comity(&[&succeed[..], &[&other]].concat()).status.code(), Some(1));
    let succeeded = comity_json(&[&succeed[..], &[&roster_key]].concat());
    assert_eq!(succeeded["from"].as_str(), Some(&*old), "{succeeded}");
    assert!(succeeded["seen"].as_u64() > succeeded["records"].as_u64(), "{succeeded}");

    let home = consortium.start(0, &witness.control());
    assert_eq!(succeeded["to"].as_str(), Some(home.peer()), "{succeeded}");
    home.ask(&[]);
    let checked = until_witnessed(&data, 3);
    assert_eq!(checked["holds"], true);
    assert!(admits(&witness, home.peer()) && !admits(&witness, &old));
    let record = first(&data);
    assert_eq!(
        (record["kind"].as_str(), record["says"]["from"].as_str()),
        (Some("succession"), Some(&*old))
    );
    let ended = succeeded["ended"].as_str().unwrap();
    let checked = comity_json(&["log", "check", "--data", ended, "--json"]);
    assert_eq!((&checked["holds"], &checked["records"]), (&true.into(), &succeeded["records"]));
    let act = comity_json(&["log", "export", "--format", "ai-act", "--data", &data, "--json"]);
    assert_eq!(act["scope"]["succeeds"], *old, "{act}");
    assert_eq!(home.stop(), Some(0));
    // One that broke off must be finished first.
    fs::write(path(root, "m0/data/succession"), []).unwrap();
    let errors = refused(Path::new(config));
    assert!(errors.contains("comity log succeed"), "{errors}");
    assert_eq!(witness.stop(), Some(0));
}
