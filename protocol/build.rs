//! Compiles `proto/comity/v1/*.proto` without a system `protoc`.

use std::{env, error::Error, path::PathBuf};

const SCHEMAS: [&str; 8] =
    ["client", "common", "control", "governance", "log", "model", "receipt", "session"];

fn main() -> Result<(), Box<dyn Error>> {
    // At run time: two checkouts may share one target folder, and with it this program.
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files: Vec<_> =
        SCHEMAS.iter().map(|name| root.join(format!("comity/v1/{name}.proto"))).collect();
    let descriptors = protox::compile(&files, [&root])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
