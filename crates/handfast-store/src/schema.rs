//! The tables, as a list of migrations. Each is applied once, in a transaction together with its row in
//! the table `migration`; a database with a row that this program does not know is refused.

use crate::error::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE resource (
        key TEXT PRIMARY KEY,
        id TEXT NOT NULL,
        api_version TEXT NOT NULL,
        document TEXT NOT NULL,
        computed TEXT NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE secret (
        name TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE feed (
        revision INTEGER PRIMARY KEY,
        committed_at INTEGER NOT NULL,
        changed TEXT NOT NULL,
        removed TEXT NOT NULL
    ) STRICT;
    CREATE TABLE blob (
        name TEXT PRIMARY KEY,
        sealed BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE state (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        revision INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state VALUES (1, 0);
"];

/// Brings a database to the newest schema.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY) STRICT")?;
    let newest =
        transaction.query_row("SELECT max(version) FROM migration", [], |row| row.get::<_, Option<i64>>(0));
    let found = newest.optional()?.flatten().unwrap_or(0);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::SchemaTooNew { found, known });
    }
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        transaction.execute_batch(sql)?;
        transaction.execute("INSERT INTO migration VALUES (?1)", [version])?;
    }
    transaction.commit()?;
    Ok(())
}
