//! A consortium that changes while its nodes run, by the commands of the README.

use std::{fs, path::Path};

use serde_json::Value;

use crate::consortium::{Consortium, Daemon, comity, comity_json, path};

/// An institution that joins the three others, with its files in a folder of its own.
struct Newcomer<'a> {
    consortium: &'a Consortium,
}

impl Newcomer<'_> {
    fn root(&self) -> &Path {
        self.consortium.folder.path()
    }

    fn file(&self, name: &str) -> String {
        path(self.root(), name)
    }

    /// Accepts the invitation of the first member, whose node is `inviting`.
    fn prepare(&self, inviting: &Daemon) {
        let config = fs::read_to_string(self.file("m0/comity.toml")).unwrap();
        let advertise = format!("[control]\nadvertise = {:?}", inviting.control());
        let config = config.replacen("[control]", &advertise, 1);
        fs::write(self.file("m0/invite.toml"), config).unwrap();
        let (inviter, invitation) = (self.file("m0/invite.toml"), self.file("delta.invite"));
        comity_json(&["invite", "--config", &inviter, "--out", &invitation, "--json"]);
        let (genesis, dir) = (&self.consortium.genesis, self.file("delta"));
        let joined = comity_json(&[
            "join",
            &invitation,
            "--genesis",
            genesis,
            "--dir",
            &dir,
            "--id",
            "delta",
            "--legal-name",
            "Delta",
            "--country",
            "NL",
            "--json",
        ]);
        assert_eq!(joined["institution"], "delta");
    }

    /// Starts its node, which is home and runs no blocks.
    fn start(&self) -> Daemon {
        fs::copy(self.file("charter.bin"), self.file("delta/charter.signed")).unwrap();
        comity_json(&[
            "roster",
            "sign",
            &self.file("delta/roster.toml"),
            "--charter",
            &self.file("delta/charter.signed"),
            "--key",
            &self.file("delta/roster.key"),
            "--out",
            &self.file("delta/roster.signed"),
            "--json",
        ]);
        let given = fs::read_to_string(self.file("delta/comity.toml")).unwrap();
        let peers = given.lines().find(|line| line.starts_with("peers = [")).unwrap();
        let config = format!(
            "institution = \"delta\"\ncharter = \"charter.signed\"\nroster = \"roster.signed\"\n\
             [control]\nlisten = [\"/ip4/127.0.0.1/udp/0/quic-v1\"]\n{peers}\n\
             [data]\nlisten = \"127.0.0.1:0\"\n[client]\nlisten = \"127.0.0.1:0\"\n\
             [[models]]\nfile = \"{}\"\nname = \"tiny\"\n",
            self.file("model.gguf"),
        );
        fs::write(self.file("delta/comity.toml"), config).unwrap();
        self.consortium.up(Path::new(&self.file("delta/comity.toml")))
    }
}

/// Waits until `node` has, or no longer has, `peer` among its members.
fn until_member(node: &Daemon, peer: &str, there: bool) {
    for _ in 0..400 {
        let status = node.status();
        let members = status["members"].as_array().unwrap();
        if members.iter().any(|member| member["peer"] == *peer) == there {
            return;
        }
    }
    panic!("{peer} is still {} member", if there { "no" } else { "a" });
}

fn verified(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = comity(&[&["verify"], arguments, &["--json"]].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn an_institution_joins_by_majority_and_is_removed_while_nodes_run() {
    let consortium = Consortium::found(3);
    let first = consortium.start(0, &[]);
    let second = consortium.start(1, &first.control());
    let third = consortium.start(2, &first.control());
    let delta = Newcomer { consortium: &consortium };
    delta.prepare(&first);

    let charter = delta.file("charter.bin");
    let key = |member: &str| delta.file(&format!("{member}/root.key"));
    let application = delta.file("delta/institution.toml");
    let proposed =
        comity(&["charter", "propose", &charter, "--admit", &application, "--key", &key("m0")]);
    assert_eq!(proposed.status.code(), Some(2), "signatures are missing");
    for (member, code) in [("delta", 2), ("m1", 0)] {
        let signed = comity(&["charter", "sign", &charter, "--key", &key(member)]);
        // Two of three before, and three of four after.
        assert_eq!(signed.status.code(), Some(code), "{member}");
    }
    let home = delta.start();
    let peer = home.peer().to_owned();
    until_member(&first, &peer, true);
    until_member(&second, &peer, true);
    let bundle = delta.file("delta.bundle");
    let answer = home.ask(&["--receipt", &bundle]);
    assert_eq!(answer["stages"].as_array().unwrap().len(), 3, "{answer}");
    let genesis = &consortium.genesis;
    let (code, report) = verified(&[&bundle, "--genesis", genesis, "--charter", &charter]);
    assert_eq!((code, report["verified"].as_bool()), (Some(0), Some(true)), "{report}");

    // Three of four before, of which two are left after.
    let [north, east, south] = ["m0", "m1", "m2"].map(key);
    let remove = ["charter", "propose", &charter, "--remove", "delta", "--reason", "left"];
    let signers = ["--key", &north, "--key", &east, "--key", &south];
    let removed = comity(&[&remove[..], &signers[..]].concat());
    assert_eq!(removed.status.code(), Some(0));
    for node in [&first, &second, &third] {
        until_member(node, &peer, false);
        assert_eq!(node.status()["charter_version"], 3);
    }
    // Its node is alone: nobody serves it, whatever it still believes.
    let refused = home.try_ask();
    assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
    first.ask(&[]);
    // No witness saw its receipt before it was removed: who knows of that believes it no more.
    let (code, report) = verified(&[&bundle, "--genesis", genesis, "--charter", &charter]);
    assert_eq!((code, report["code"].as_str()), (Some(1), Some("E_REVOKED")), "{report}");
    for daemon in [home, third, second, first] {
        assert_eq!(daemon.stop(), Some(0));
    }
}
