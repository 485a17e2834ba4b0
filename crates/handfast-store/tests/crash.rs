//! `kill -9` in the middle of writes loses nothing that was acknowledged and corrupts nothing.
//!
//! The test starts itself as a writer that commits in a loop and prints each acknowledged revision, kills
//! it at a seeded moment, and compares the reopened store with the state that the same commands give in
//! memory. All rounds go over one database, so recovery is followed by more writes.

use handfast_core::UnixTime;
use handfast_model::{Applied, Command, Context, Graph, Material, ResourceId, Settings, apply};
use handfast_store::Store;
use serde_json::json;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

const WRITER: &str = "HANDFAST_CRASH_WRITER";
const ROUNDS: u64 = 24;
const SEED: u64 = 0x5eed_cafe;
const SERVICE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x";

fn main() {
    match env::var_os(WRITER) {
        Some(directory) => write_for_ever(Path::new(&directory)),
        None => acknowledged_commits_survive_kill_9(),
    }
}

fn named_value(commit: u64) -> ResourceId {
    ResourceId::parse(&format!("{SERVICE}/namedValues/v{}", commit % 7)).expect("id is well formed")
}

fn secret_of(commit: u64) -> String {
    format!("secret {commit} {}", "x".repeat(usize::try_from(commit % 5).expect("small") * 3_000))
}

/// The command whose commit gives this revision: it always changes something.
fn command(revision: u64) -> Command {
    let api_version = "2024-05-01".to_owned();
    if revision == 1 {
        let id = ResourceId::parse(SERVICE).expect("id is well formed");
        return Command::Put { id, api_version, body: json!({ "location": "l" }) };
    }
    if revision.is_multiple_of(5) {
        return Command::Delete { id: named_value(revision - 1) };
    }
    let body = json!({ "properties": { "displayName": "v", "secret": true, "value": secret_of(revision), "n": revision } });
    Command::Put { id: named_value(revision), api_version, body }
}

/// Graph and secrets in memory.
struct State {
    graph: Graph,
    material: Material,
}

impl State {
    fn advance(&mut self) -> Applied {
        let settings = Settings::default();
        let mut random = |bytes: &mut [u8]| bytes.fill(0);
        let mut context = Context { settings: &settings, material: &self.material, random: &mut random };
        let applied =
            apply(&self.graph, command(self.graph.revision() + 1), &mut context).expect("command is valid");
        self.graph = applied.graph.clone();
        applied.dropped_secrets.iter().for_each(|reference| self.material.remove(reference));
        self.material.extend(&applied.secrets);
        applied
    }
}

fn write_for_ever(directory: &Path) {
    let store = Store::open(directory).expect("store opens after a kill");
    let loaded = store.load().expect("store loads after a kill");
    let mut state = State { graph: loaded.graph, material: loaded.material };
    let mut out = std::io::stdout().lock();
    loop {
        let revision = store.commit(&state.advance(), UnixTime(1)).expect("commit succeeds");
        writeln!(out, "{revision}").expect("parent reads");
        out.flush().expect("parent reads");
    }
}

fn acknowledged_commits_survive_kill_9() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let mut seed = SEED;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut expected = State { graph: Graph::new(), material: Material::new() };
    for round in 0..ROUNDS {
        // Some rounds die while the store is being opened, most while it is written.
        let commits = if round % 6 == 0 { 0 } else { 1 + random(40) };
        let acknowledged = kill_writer(directory.path(), commits, Duration::from_micros(random(4_000)));
        let store = Store::open(directory.path()).expect("store opens after a kill");
        store.check_integrity().expect("database is whole");
        let loaded = store.load().expect("every row and every secret is readable");
        let revision = loaded.graph.revision();
        let last = acknowledged.last().copied().unwrap_or(0);
        assert!(
            revision >= last,
            "round {round}: revision {last} was acknowledged, the store is at {revision}"
        );
        let feed: Vec<u64> =
            store.changes_since(0).expect("feed").iter().map(|commit| commit.revision).collect();
        assert_eq!(feed, (1..=revision).collect::<Vec<_>>(), "round {round}");
        while expected.graph.revision() < revision {
            expected.advance();
        }
        assert_eq!(loaded.graph, expected.graph, "round {round}");
        assert_secrets(&loaded.graph, &loaded.material, round);
    }
    assert!(expected.graph.revision() > ROUNDS, "the writers committed too little to tell anything");
    let mut out = std::io::stdout().lock();
    let revision = expected.graph.revision();
    writeln!(out, "test acknowledged_commits_survive_kill_9 ... ok ({ROUNDS} kills, {revision} commits)")
        .expect("stdout");
}

fn assert_secrets(graph: &Graph, material: &Material, round: u64) {
    let mut count = 0;
    for value in graph.of_kind("Microsoft.ApiManagement/service/namedValues") {
        let commit = value.document["properties"]["n"].as_u64().expect("number of the commit");
        let secret = material.secret_at(value, "/properties/value").expect("secret is there");
        assert!(secret.equals(secret_of(commit).as_bytes()), "round {round}: secret of commit {commit}");
        count += 1;
    }
    for subscription in graph.of_kind("Microsoft.ApiManagement/service/subscriptions") {
        for key in ["/properties/primaryKey", "/properties/secondaryKey"] {
            material.secret_at(subscription, key).expect("the key is there");
            count += 1;
        }
    }
    assert_eq!(material.len(), count, "round {round}: no secret is left behind");
}

/// Starts a writer, reads so many acknowledgements, spins a moment, kills it, and returns all that it
/// acknowledged.
fn kill_writer(directory: &Path, commits: u64, delay: Duration) -> Vec<u64> {
    let mut writer = Process::new(env::current_exe().expect("own path"))
        .env(WRITER, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("writer starts");
    let mut lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
    let mut acknowledged = Vec::new();
    let mut read = |lines: &mut dyn Iterator<Item = std::io::Result<String>>| {
        // A last line that the kill cut short was not acknowledged.
        let line = lines.next()?.ok()?;
        let revision = line.parse().ok()?;
        acknowledged.push(revision);
        Some(())
    };
    for _ in 0..commits {
        read(&mut lines).expect("writer commits until it is killed");
    }
    let start = Instant::now();
    while start.elapsed() < delay {
        std::hint::spin_loop();
    }
    // `Child::kill` is SIGKILL.
    writer.kill().expect("writer is killed");
    while read(&mut lines).is_some() {}
    let status = writer.wait().expect("writer ends");
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "the writer failed by itself: {status}"
    );
    acknowledged
}
