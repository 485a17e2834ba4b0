//! The key file: 32 random bytes, mode 0600, created once.
//!
//! It is written under a temporary name, synced, and linked to its real name, which fails if that exists:
//! a crash leaves a whole key or none, and two starts at once agree on one.

use crate::error::StoreError;
use handfast_core::Secret;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Length of the key in bytes (AES-256).
pub(crate) const KEY_BYTES: usize = 32;

/// An error about a file.
pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

/// Reads the key file; if there is none and `create` says so, makes it.
pub(crate) fn open_key(path: &Path, create: bool) -> Result<Secret<Vec<u8>>, StoreError> {
    match File::open(path) {
        Ok(file) => read_key(file, path),
        Err(error) if error.kind() == ErrorKind::NotFound && create => {
            create_key(path)?;
            read_key(File::open(path).map_err(io(path))?, path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(StoreError::KeyMissing { path: path.to_owned() })
        }
        Err(error) => Err(io(path)(error)),
    }
}

fn read_key(mut file: File, path: &Path) -> Result<Secret<Vec<u8>>, StoreError> {
    let metadata = file.metadata().map_err(io(path))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyPermissions { path: path.to_owned(), mode });
    }
    let malformed = || StoreError::KeyMalformed { path: path.to_owned() };
    if !metadata.is_file() || metadata.len() != KEY_BYTES as u64 {
        return Err(malformed());
    }
    let mut key = vec![0; KEY_BYTES];
    file.read_exact(&mut key).map_err(|_| malformed())?;
    Ok(Secret::new(key))
}

fn create_key(path: &Path) -> Result<(), StoreError> {
    let mut suffix = [0; 8];
    aws_lc_rs::rand::fill(&mut suffix).map_err(|_| StoreError::Crypto)?;
    let mut bytes = vec![0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreError::Crypto)?;
    let key = Secret::new(bytes);
    let draft = path.with_extension(format!("draft-{:016x}", u64::from_le_bytes(suffix)));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io(&draft))?;
    let written = file.write_all(key.expose()).and_then(|()| file.sync_all()).and_then(|()| {
        match std::fs::hard_link(&draft, path) {
            // Another start was faster: its key counts.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    });
    let removed = std::fs::remove_file(&draft);
    written.and(removed).map_err(io(path))?;
    sync_parent(path)
}

/// Makes the names in the directory of a file durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(io(parent))
}
