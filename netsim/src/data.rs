//! Where public facts for checks lie on this machine. Not their contents: the project commits none.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Names the folder where it is elsewhere.
const VARIABLE: &str = "COMITY_DATA";

/// The folder of public data that checks read: what `COMITY_DATA` names, else `shared/data` beside
/// the checkout. `None` where there is neither; a check then says that it skips.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let named = env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    Some(named.unwrap_or_else(beside)).filter(|folder| folder.is_dir())
}
