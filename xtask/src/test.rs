//! `cargo xtask test`: everything that must be green, in the order in which failures are cheapest to find, with
//! a summary and the counts of all tests as the last line.

mod counts;
mod tools;

use crate::workspace::Workspace;
use crate::{fuzz, tidy};
use anyhow::{Context, Result};
use counts::Counts;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

/// Seconds for all fuzz targets together.
const FUZZ_SECONDS: u64 = 20;
const FUZZ_SEED: u64 = 1;

/// The steps that are plain cargo commands, before the tests.
const CHECKS: &[(&str, &[&str])] = &[
    ("fmt", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--release", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ("deny", &["deny", "--locked", "check", "bans", "licenses", "sources"]),
];

struct Step {
    name: &'static str,
    passed: bool,
    seconds: f64,
}

/// Runs all steps, also after one has failed, so that one run shows everything.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut steps = Vec::new();
    let mut counts = Counts::default();
    step(&mut steps, "tools", || tools::install_missing(workspace));
    for (name, arguments) in CHECKS {
        step(&mut steps, name, || cargo(workspace, arguments));
    }
    step(&mut steps, "tidy", || tidy::run(workspace));
    step(&mut steps, "tests", || cargo_test(workspace, &mut counts));
    step(&mut steps, "fuzz", || fuzz::smoke(workspace, FUZZ_SECONDS, FUZZ_SEED, None));
    println!("\nsummary");
    for Step { name, passed, seconds } in &steps {
        println!("  {name:<8} {:<6} {seconds:>7.1} s", if *passed { "ok" } else { "FAILED" });
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(steps.iter().all(|step| step.passed))
}

fn step(steps: &mut Vec<Step>, name: &'static str, work: impl FnOnce() -> Result<bool>) {
    println!("\n== {name}");
    let begin = Instant::now();
    let passed = work().unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        false
    });
    steps.push(Step { name, passed, seconds: begin.elapsed().as_secs_f64() });
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<bool> {
    let mut command = workspace.command("cargo", arguments);
    let status = command.stdin(Stdio::null()).status().context("cannot run \"cargo\"")?;
    Ok(status.success())
}

/// All tests of the workspace, output passed on and counted.
fn cargo_test(workspace: &Workspace, counts: &mut Counts) -> Result<bool> {
    let arguments = ["test", "--release", "--workspace", "--locked", "--no-fail-fast"];
    let mut command = workspace.command("cargo", &arguments);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run \"cargo\"")?;
    let output = child.stdout.take().context("standard output is piped")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("output of the tests cannot be read")?;
        println!("{line}");
        counts.add(&line);
    }
    Ok(child.wait()?.success() && counts.failed == 0)
}
