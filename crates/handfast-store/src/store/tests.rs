use super::*;
use handfast_model::{Command, Context, Settings, apply};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

const SERVICE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x";

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

fn put(text: &str, body: Value) -> Command {
    Command::Put { id: id(text), api_version: "2024-05-01".into(), body }
}

fn applied(loaded: &Loaded, command: Command) -> Applied {
    let settings = Settings::default();
    let mut random = |bytes: &mut [u8]| bytes.fill(9);
    let mut context = Context { settings: &settings, material: &loaded.material, random: &mut random };
    apply(&loaded.graph, command, &mut context).unwrap()
}

fn commit(store: &Store, command: Command) -> u64 {
    store.commit(&applied(&store.load().unwrap(), command), UnixTime(5)).unwrap()
}

fn secret_value() -> Command {
    Command::Batch(vec![
        put(SERVICE, json!({ "location": "l", "identity": { "type": "SystemAssigned" } })),
        put(
            &format!("{SERVICE}/namedValues/a"),
            json!({ "properties": { "secret": true, "value": "hunter2-hunter2" } }),
        ),
    ])
}

#[test]
fn what_is_loaded_equals_what_was_applied() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let first = applied(&store.load().unwrap(), secret_value());
    assert_eq!(store.commit(&first, UnixTime(5)).unwrap(), 1);
    let odd =
        json!({ "z": 1.25, "a": [i64::MIN, u64::MAX, 1e300, "\u{0}é😀", null, {}], "": { "A": 1, "a": 2 } });
    let second = applied(&store.load().unwrap(), put("/providers/A.B/C/D", odd.clone()));
    store.commit(&second, UnixTime(6)).unwrap();
    drop(store);
    let loaded = Store::open(directory.path()).unwrap().load().unwrap();
    assert_eq!(loaded.graph, second.graph);
    assert_eq!(loaded.graph.get(&id("/providers/a.b/c/d")).unwrap().document.to_string(), odd.to_string());
    let value = loaded.graph.get(&id(&format!("{SERVICE}/namedValues/a"))).unwrap();
    assert!(loaded.material.secret_at(value, "/properties/value").unwrap().equals(b"hunter2-hunter2"));
}

#[test]
fn a_commit_on_an_old_revision_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let base = store.load().unwrap();
    let (one, two) = (
        applied(&base, put("/providers/A.B/c/1", json!({}))),
        applied(&base, put("/providers/A.B/c/2", json!({}))),
    );
    store.commit(&one, UnixTime(1)).unwrap();
    let error = store.commit(&two, UnixTime(1)).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { base: 0, found: 1 }));
    assert_eq!(store.load().unwrap().graph.len(), 1);
    // The loser applies its command again.
    assert_eq!(commit(&store, put("/providers/A.B/c/2", json!({}))), 2);
    assert_eq!(commit(&store, put("/providers/A.B/c/2", json!({}))), 2);
}

#[test]
fn followers_see_every_commit_after_a_revision() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    commit(&store, put("/providers/A.B/c/1", json!({})));
    commit(&store, put("/providers/A.B/c/2", json!({})));
    commit(&store, Command::Delete { id: id("/providers/A.B/c/1") });
    let feed = store.changes_since(1).unwrap();
    let short: Vec<_> = feed.iter().map(|c| (c.revision, c.at, c.changed.len(), c.removed.len())).collect();
    assert_eq!(short, [(2, UnixTime(5), 1, 0), (3, UnixTime(5), 0, 1)]);
    assert_eq!(store.changes_since(3).unwrap(), []);
    assert_eq!(store.revision().unwrap(), 3);
}

#[test]
fn no_file_of_the_store_shows_a_secret_or_is_open_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = Store::open(&path).unwrap();
    commit(&store, secret_value());
    store.put_blob("ca", b"hunter2-blob").unwrap();
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{:?}", entry.path());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    assert!(store.blob("ca").unwrap().unwrap().equals(b"hunter2-blob"));
    assert!(store.remove_blob("ca").unwrap());
    assert!(store.blob("ca").unwrap().is_none());
}

#[test]
fn removed_secrets_leave_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    commit(&store, secret_value());
    // The value, and the two keys of the subscription that every service is born with.
    assert_eq!(store.load().unwrap().material.len(), 3);
    commit(&store, Command::Delete { id: id(SERVICE) });
    assert!(store.load().unwrap().material.is_empty());
}

#[test]
fn a_sealed_value_moved_to_another_row_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    commit(&store, secret_value());
    store.connection().execute("UPDATE secret SET version = version + 1", []).unwrap();
    assert_eq!(store.load().unwrap_err().code(), "StoreSealedDamaged");
}

#[test]
fn key_files_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join(KEY_FILE);
    drop(Store::open(directory.path()).unwrap());
    let open = || Store::open(directory.path()).err().map(|error| error.code());
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(open(), Some("StoreKeyPermissions"));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(open(), None);
    let good = std::fs::read(&key).unwrap();
    std::fs::write(&key, [0; 32]).unwrap();
    assert_eq!(open(), Some("StoreKeyMismatch"));
    std::fs::write(&key, &good[..31]).unwrap();
    assert_eq!(open(), Some("StoreKeyMalformed"));
    std::fs::remove_file(&key).unwrap();
    assert_eq!(open(), Some("StoreKeyMissing"));
    assert!(!key.exists());
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.connection().execute("INSERT INTO migration VALUES (99)", []).unwrap();
    drop(store);
    assert_eq!(Store::open(directory.path()).err().unwrap().code(), "StoreSchemaTooNew");
}
