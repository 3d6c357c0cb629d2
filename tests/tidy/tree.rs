//! The text files of this checkout. Not what git knows of them: a tarball has rules too.

use std::{collections::BTreeMap, env, fs, path::Path};

/// Every text file, by its path from the root.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the checkout, but for what `.gitignore` names at its root.
    pub(crate) fn read() -> Self {
        // Read when run: a binary built elsewhere then checks the checkout it is pointed at.
        let root = env::var("CARGO_MANIFEST_DIR").unwrap();
        let root = Path::new(&root);
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap();
        let ignored: Vec<&str> =
            ignored.lines().filter_map(|line| line.strip_prefix('/')).collect();
        let mut tree = Self { files: BTreeMap::new() };
        tree.walk(root, "", &ignored);
        assert!(tree.files.len() > 100, "only {} files read", tree.files.len());
        tree
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of one file, which must be there.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files.get(path).unwrap_or_else(|| panic!("{path} is missing"))
    }

    fn walk(&mut self, folder: &Path, prefix: &str, ignored: &[&str]) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().unwrap();
            if name == ".git" || ignored.contains(&path.as_str()) {
                continue;
            }
            // A folder with a repository of its own is somebody else's tree.
            if kind.is_dir() && !entry.path().join(".git").exists() {
                self.walk(&entry.path(), &format!("{path}/"), ignored);
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                self.files.insert(path, text);
            }
        }
    }
}
