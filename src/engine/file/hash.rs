//! SHA-256 of a file, read a megabyte at a time.

use crate::engine::{Context, Error, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// A SHA-256 digest as 64 lower-case hex digits.
pub type Sha256Hex = String;

/// The SHA-256 of the file that `path` names; counts its bytes on `context`.
///
/// # Errors
/// [`Error::Io`] when it can't be read, [`Error::Cancelled`].
pub fn sha256(path: &Path, context: &Context) -> Result<Sha256Hex> {
    sha256_of(&File::open(path).map_err(Error::io("open", path))?, path, context)
}

/// The same of an open file from its first byte on, called `path` in errors.
///
/// # Errors
/// As [`sha256`].
pub fn sha256_of(mut file: &File, path: &Path, context: &Context) -> Result<Sha256Hex> {
    file.rewind().map_err(Error::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
        context.advance(count as u64)?;
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn hash_of_abc_is_the_one_in_fips_180() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(
            super::sha256(&path, &crate::engine::Context::new()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
