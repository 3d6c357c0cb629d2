//! The second verifier, in Python, says the same of every vector as this one.

use std::process::Command;

use crate::vectors;

#[test]
fn another_verifier_agrees_on_every_bundle() {
    let folder = vectors::path("");
    let program = folder.with_file_name("verify.py");
    let output = Command::new("python3").arg(&program).arg("--vectors").arg(&folder).output();
    let output = output.unwrap_or_else(|error| {
        panic!("python3 cannot be run ({error}): README.md names it among what the tests need")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains(" vectors, 0 problems"), "{said}{errors}");
}
