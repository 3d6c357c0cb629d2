//! Compiles `proto/comity/v1/*.proto` without a system `protoc`.

use std::{error::Error, path::Path};

const SCHEMAS: [&str; 6] = ["client", "common", "governance", "model", "receipt", "session"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files: Vec<_> =
        SCHEMAS.iter().map(|name| root.join(format!("comity/v1/{name}.proto"))).collect();
    let descriptors = protox::compile(&files, [&root])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
