//! A TOML file of bounded length, read into a type, or why not and where. Not what the type means.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// Why a file does not say what it should. The message begins with the file and, where there is one,
/// the line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TomlFileError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is longer than such a file can be.
    #[error("{path} has more than {bytes_max} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes of such a file.
        bytes_max: u64,
    },
    /// It says something else.
    #[error("{path}:{line}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
}

/// Reads the text of a file of at most `bytes_max` bytes.
///
/// # Errors
/// [`TomlFileError::Read`] and [`TomlFileError::TooLong`].
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<String, TomlFileError> {
    let failed = |source| TomlFileError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    // Before it is taken for text: the cut may go through a character.
    if bytes.len() as u64 > bytes_max {
        return Err(TomlFileError::TooLong { path: path.to_owned(), bytes_max });
    }
    String::from_utf8(bytes)
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// Reads the text of the file `path` into a type.
///
/// # Errors
/// [`TomlFileError::Parse`].
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, TomlFileError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(path, text, at, error.message().to_owned())
    })
}

/// What is wrong at byte `at` of the text of the file `path`.
pub(crate) fn wrong(path: &Path, text: &str, at: usize, message: String) -> TomlFileError {
    let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    TomlFileError::Parse { path: path.to_owned(), line, message }
}

#[cfg(test)]
mod tests;
