//! What can go wrong with stored state.

use std::path::PathBuf;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory could not be read or written.
    #[error("cannot access \"{path}\"")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than the owner may access the key file.
    #[error("key file \"{path}\" has mode {mode:04o}; 0600 would be accepted")]
    KeyPermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not a regular file of 32 bytes.
    #[error("key file \"{path}\" is not a file of 32 bytes")]
    KeyMalformed {
        /// The file.
        path: PathBuf,
    },
    /// There is a database but no key file.
    #[error("key file \"{path}\" is missing, and the database beside it cannot be opened without it")]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// The key file is not the one that the database was sealed with.
    #[error("the key file does not belong to this database")]
    KeyMismatch,
    /// A sealed value does not open: it was altered, or moved.
    #[error("sealed value \"{name}\" is damaged")]
    Sealed {
        /// The secret or blob.
        name: String,
    },
    /// A stored row cannot be read.
    #[error("stored resource \"{id}\" is damaged")]
    Damaged {
        /// The key of the row.
        id: String,
    },
    /// The integrity check of the database found something.
    #[error("the database is damaged: {report}")]
    Integrity {
        /// What was found.
        report: String,
    },
    /// Another commit came first; apply the command again on the newer graph.
    #[error("the graph is at revision {found}, the commit was made on {base}")]
    Conflict {
        /// The revision that the commit was made on.
        base: u64,
        /// The stored revision.
        found: u64,
    },
    /// The database was written by a newer version of the program.
    #[error("the database has schema version {found}; up to {known} would be accepted")]
    SchemaTooNew {
        /// The schema version of the database.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The database refused.
    #[error("the database failed")]
    Database {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The source of randomness or the cipher failed.
    #[error("the cryptographic provider failed")]
    Crypto,
}

impl StoreError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "StoreIo",
            Self::KeyPermissions { .. } => "StoreKeyPermissions",
            Self::KeyMalformed { .. } => "StoreKeyMalformed",
            Self::KeyMissing { .. } => "StoreKeyMissing",
            Self::KeyMismatch => "StoreKeyMismatch",
            Self::Sealed { .. } => "StoreSealedDamaged",
            Self::Damaged { .. } => "StoreDamaged",
            Self::Integrity { .. } => "StoreIntegrity",
            Self::Conflict { .. } => "StoreConflict",
            Self::SchemaTooNew { .. } => "StoreSchemaTooNew",
            Self::Database { .. } => "StoreDatabase",
            Self::Crypto => "StoreCrypto",
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database { source: Box::new(error) }
    }
}
