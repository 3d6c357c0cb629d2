//! The binary as its users run it: real processes, real files, real signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod consortium;
mod faults;
mod governance;
mod succession;

use std::{fs, process::Command};

use consortium::{Consortium, comity, path};

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
