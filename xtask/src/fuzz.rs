//! Running the fuzz targets: bounded on stable over the corpus and seeded mutations, or under libFuzzer.

mod mutate;

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use handfast_fuzz::{TARGETS, Target};
use mutate::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Longer runs of one input are failures: every target is close to linear in an input of some KiB.
const SLOWEST_RUN: Duration = Duration::from_secs(2);

/// Longer mutated inputs are cut.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// What one target did.
struct Outcome {
    runs: u64,
    failure: Option<String>,
}

/// `cargo xtask fuzz-smoke`.
pub(crate) fn smoke(workspace: &Workspace, seconds: u64, seed: u64, only: Option<&str>) -> Result<bool> {
    let selected: Vec<_> = TARGETS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)).collect();
    if selected.is_empty() {
        bail!("no such target; there are {}", names());
    }
    let share = Duration::from_secs(seconds) / u32::try_from(selected.len())?;
    let mut failed = 0;
    // One line per failure; the default hook would add a backtrace of this program.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    for (name, target) in selected {
        let corpus = corpus(workspace, name)?;
        let begin = Instant::now();
        let outcome = run_target(&corpus, *target, seed, share);
        let (runs, taken) = (outcome.runs, begin.elapsed().as_secs_f64());
        println!("fuzz {name:<12} {:>3} seeds {runs:>9} runs {taken:>6.2} s", corpus.len());
        if let Some(failure) = outcome.failure {
            failed += 1;
            eprintln!("fuzz {name}: {failure}");
        }
    }
    drop(std::panic::take_hook());
    if failed > 0 {
        eprintln!("fuzz: {failed} target(s) failed with seed {seed}");
    }
    Ok(failed == 0)
}

fn run_target(corpus: &[Vec<u8>], target: Target, seed: u64, share: Duration) -> Outcome {
    let begin = Instant::now();
    let mut random = Random::new(seed);
    let mut runs = 0;
    while runs < corpus.len() as u64 || begin.elapsed() < share {
        let index = usize::try_from(runs).unwrap_or(usize::MAX);
        let mut input = match corpus.get(index) {
            Some(file) => file.clone(),
            None => mutate::mutate(corpus, &mut random),
        };
        input.truncate(INPUT_BYTES_MAX);
        runs += 1;
        let started = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
            let shown = input.escape_ascii();
            return Outcome { runs, failure: Some(format!("a property does not hold for b\"{shown}\"")) };
        }
        if started.elapsed() > SLOWEST_RUN {
            let shown = input.escape_ascii();
            let failure = format!("took {:.1} s for b\"{shown}\"", started.elapsed().as_secs_f64());
            return Outcome { runs, failure: Some(failure) };
        }
    }
    Outcome { runs, failure: None }
}

/// The files of a target's corpus, in name order. A target without seeds would only test its first check.
fn corpus(workspace: &Workspace, name: &str) -> Result<Vec<Vec<u8>>> {
    let folder = format!("fuzz/corpus/{name}");
    let entries = std::fs::read_dir(workspace.path(&folder))
        .with_context(|| format!("target \"{name}\" has no corpus folder \"{folder}\""))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let files = paths.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        bail!("corpus folder \"{folder}\" is empty");
    }
    Ok(files)
}

fn names() -> String {
    let names: Vec<String> = TARGETS.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    names.join(", ")
}

/// `cargo xtask fuzz TARGET`: new inputs go below `target`, the committed corpus is read only.
pub(crate) fn libfuzzer(workspace: &Workspace, target: &str, seconds: u64) -> Result<bool> {
    if !TARGETS.iter().any(|(name, _)| *name == target) {
        bail!("\"{target}\" is no fuzz target; there are {}", names());
    }
    let found = format!("target/fuzz-corpus/{target}");
    std::fs::create_dir_all(workspace.path(&found)).with_context(|| format!("cannot create \"{found}\""))?;
    let (corpus, time) = (format!("fuzz/corpus/{target}"), format!("-max_total_time={seconds}"));
    let arguments =
        ["+nightly", "fuzz", "run", "--features", "libfuzzer", target, &found, &corpus, "--", &time];
    let status = workspace.command("cargo", &arguments).status().context("cannot run \"cargo\"")?;
    if !status.success() {
        eprintln!("help: cargo-fuzz comes with \"cargo install cargo-fuzz\", nightly with \"rustup\"");
    }
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_fails_is_found_and_shown() {
        let picky: Target = |data| assert!(!data.contains(&b'!'), "no exclamation marks");
        let outcome = run_target(&[b"calm".to_vec(), b"loud!".to_vec()], picky, 1, Duration::ZERO);
        assert_eq!(outcome.runs, 2);
        assert!(outcome.failure.is_some_and(|failure| failure.ends_with("for b\"loud!\"")));
    }

    #[test]
    fn every_target_has_a_corpus() {
        let workspace = Workspace::find().expect("a workspace");
        for (name, _) in TARGETS {
            assert!(corpus(&workspace, name).is_ok(), "{name}");
        }
    }
}
