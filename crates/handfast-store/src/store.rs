//! Opening, loading, committing, following.

use crate::error::StoreError;
use crate::key::{io, open_key, sync_parent};
use crate::schema;
use crate::seal::{Label, Sealer};
use handfast_core::{Secret, UnixTime};
use handfast_model::{Applied, Graph, Material, Resource, ResourceId, SecretRef};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::Value;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const DATABASE_FILE: &str = "handfast.db";
const KEY_FILE: &str = "handfast.key";
/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A sealed constant that tells whether key file and database belong together.
const KEY_CHECK: &str = "handfast/key-check";

/// The embedded store of one instance.
pub struct Store {
    connection: Mutex<Connection>,
    sealer: Sealer,
}

/// Everything that the store holds about the graph.
#[derive(Debug)]
pub struct Loaded {
    /// The graph at its last revision.
    pub graph: Graph,
    /// The secrets that its documents refer to.
    pub material: Material,
}

/// One entry of the change feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The revision of the graph after the commit.
    pub revision: u64,
    /// When it was committed.
    pub at: UnixTime,
    /// Resources that are new or differ.
    pub changed: Vec<ResourceId>,
    /// Resources that are gone.
    pub removed: Vec<ResourceId>,
}

impl Store {
    /// Opens the store in a directory, and creates both (mode 0700) if they are not there.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io(directory))?;
        let database = directory.join(DATABASE_FILE);
        let is_new = !database.try_exists().map_err(io(&database))?;
        let sealer = Sealer::new(&open_key(&directory.join(KEY_FILE), is_new)?)?;
        // SQLite gives its side files the mode of the database.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.open(&database).map_err(io(&database))?;
        let mut connection = Connection::open(&database)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;",
        )?;
        schema::migrate(&mut connection)?;
        sync_parent(&database)?;
        let store = Self { connection: Mutex::new(connection), sealer };
        store.check_key()?;
        Ok(store)
    }

    /// A panic in another thread cannot leave a transaction open: dropping it rolls back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_key(&self) -> Result<(), StoreError> {
        match self.blob(KEY_CHECK) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => self.put_blob(KEY_CHECK, b"ok"),
            Err(StoreError::Sealed { .. }) => Err(StoreError::KeyMismatch),
            Err(other) => Err(other),
        }
    }

    /// The revision of the last commit.
    pub fn revision(&self) -> Result<u64, StoreError> {
        stored_revision(&self.connection())
    }

    /// Reads the graph and its secrets, all of one revision.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let revision = stored_revision(&transaction)?;
        let resources = read_resources(&transaction)?;
        let material = self.read_secrets(&transaction)?;
        Ok(Loaded { graph: Graph::from_resources(revision, resources), material })
    }

    fn read_secrets(&self, transaction: &Transaction<'_>) -> Result<Material, StoreError> {
        let mut material = Material::new();
        let mut statement = transaction.prepare("SELECT name, version, sealed FROM secret")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, version, sealed): (String, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let version = version.cast_unsigned();
            let value = self.sealer.open(&Label::Secret(&name, version), &sealed)?;
            material.insert(&SecretRef::new(name, version), value);
        }
        Ok(material)
    }

    /// Writes what a command changed, durably, if nothing else was committed since it was applied.
    /// Returns the new revision; a command that changed nothing writes nothing.
    pub fn commit(&self, applied: &Applied, at: UnixTime) -> Result<u64, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (base, found) = (applied.base_revision, stored_revision(&transaction)?);
        if found != base {
            return Err(StoreError::Conflict { base, found });
        }
        if applied.changes.is_empty() {
            return Ok(found);
        }
        write_resources(&transaction, applied)?;
        self.write_secrets(&transaction, applied)?;
        let revision = applied.changes.revision;
        let ids = |ids: &std::collections::BTreeSet<ResourceId>| {
            Value::from_iter(ids.iter().map(ResourceId::as_str)).to_string()
        };
        let (changed, removed) = (ids(&applied.changes.changed), ids(&applied.changes.removed));
        transaction.prepare_cached("INSERT INTO feed VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            revision.cast_signed(),
            at.0,
            changed,
            removed
        ])?;
        transaction.prepare_cached("UPDATE state SET revision = ?1")?.execute([revision.cast_signed()])?;
        transaction.commit()?;
        Ok(revision)
    }

    fn write_secrets(&self, transaction: &Transaction<'_>, applied: &Applied) -> Result<(), StoreError> {
        let mut delete = transaction.prepare_cached("DELETE FROM secret WHERE name = ?1 AND version = ?2")?;
        for dropped in &applied.dropped_secrets {
            delete.execute(params![dropped.name(), dropped.version().cast_signed()])?;
        }
        let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO secret VALUES (?1, ?2, ?3)")?;
        for (reference, value) in &applied.secrets {
            let label = Label::Secret(reference.name(), reference.version());
            let sealed = self.sealer.seal(&label, value.expose())?;
            insert.execute(params![reference.name(), reference.version().cast_signed(), sealed])?;
        }
        Ok(())
    }

    /// The commits after a revision, oldest first.
    pub fn changes_since(&self, revision: u64) -> Result<Vec<Commit>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT revision, committed_at, changed, removed FROM feed WHERE revision > ?1 ORDER BY revision",
        )?;
        let mut rows = statement.query([revision.cast_signed()])?;
        let mut commits = Vec::new();
        while let Some(row) = rows.next()? {
            let revision = row.get::<_, i64>(0)?.cast_unsigned();
            let (changed, removed): (String, String) = (row.get(2)?, row.get(3)?);
            let read = |text: &str| {
                read_ids(text).ok_or_else(|| StoreError::Damaged { id: format!("feed {revision}") })
            };
            let at = UnixTime(row.get(1)?);
            commits.push(Commit { revision, at, changed: read(&changed)?, removed: read(&removed)? });
        }
        Ok(commits)
    }

    /// Stores a named value, sealed: keys and certificates of the instance itself.
    pub fn put_blob(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(&Label::Blob(name), value)?;
        self.connection().execute("INSERT OR REPLACE INTO blob VALUES (?1, ?2)", params![name, sealed])?;
        Ok(())
    }

    /// Reads a named value.
    pub fn blob(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        let query = "SELECT sealed FROM blob WHERE name = ?1";
        let sealed = self.connection().query_row(query, [name], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        sealed.map(|sealed| self.sealer.open(&Label::Blob(name), &sealed)).transpose()
    }

    /// Removes a named value; says whether there was one.
    pub fn remove_blob(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM blob WHERE name = ?1", [name])? > 0)
    }

    /// Lets SQLite check every page of the database.
    pub fn check_integrity(&self) -> Result<(), StoreError> {
        let report: String = self.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if report == "ok" { Ok(()) } else { Err(StoreError::Integrity { report }) }
    }
}

fn stored_revision(connection: &Connection) -> Result<u64, StoreError> {
    let revision: i64 = connection.query_row("SELECT revision FROM state", [], |row| row.get(0))?;
    Ok(revision.cast_unsigned())
}

fn read_resources(transaction: &Transaction<'_>) -> Result<Vec<Resource>, StoreError> {
    let mut resources = Vec::new();
    let mut statement = transaction
        .prepare("SELECT id, api_version, document, computed, revision FROM resource ORDER BY key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        let (api_version, document, computed): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        let damaged = || StoreError::Damaged { id: id.clone() };
        let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| damaged());
        let parsed = ResourceId::parse(&id).map_err(|_| damaged())?;
        let mut resource = Resource::new(parsed, api_version, json(&document)?);
        resource.computed = json(&computed)?;
        resource.revision = row.get::<_, i64>(4)?.cast_unsigned();
        resources.push(resource);
    }
    Ok(resources)
}

fn write_resources(transaction: &Transaction<'_>, applied: &Applied) -> Result<(), StoreError> {
    let mut delete = transaction.prepare_cached("DELETE FROM resource WHERE key = ?1")?;
    for id in &applied.changes.removed {
        delete.execute([id.key()])?;
    }
    let mut insert =
        transaction.prepare_cached("INSERT OR REPLACE INTO resource VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for resource in applied.changes.changed.iter().filter_map(|id| applied.graph.get(id)) {
        insert.execute(params![
            resource.id.key(),
            resource.id.as_str(),
            resource.api_version,
            resource.document.to_string(),
            resource.computed.to_string(),
            resource.revision.cast_signed(),
        ])?;
    }
    Ok(())
}

fn read_ids(text: &str) -> Option<Vec<ResourceId>> {
    let ids: Value = serde_json::from_str(text).ok()?;
    ids.as_array()?.iter().map(|id| ResourceId::parse(id.as_str()?).ok()).collect()
}

#[cfg(test)]
mod tests;
