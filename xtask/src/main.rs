//! The workspace's habits as commands: `cargo xtask <command>`.
//!
//! | command | what it does |
//! |---|---|
//! | `test` | everything that must be green: format, lints, tidy, licences, tests, fuzz smoke |
//! | `tidy` | the rules that no compiler checks: crate directions, file shape, ledger witnesses |
//! | `ledger` | prints the parity ledger's numbers and writes them into the README |
//! | `fuzz-smoke` | the fuzz targets on stable, over corpus and seeded mutations, bounded in time |
//! | `fuzz TARGET` | the same targets under libFuzzer, on nightly |
//!
//! *Not* here: anything that ships.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

mod fuzz;
mod ledger;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks and chores of the Handfast workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that must be green and print the counts.
    Test,
    /// Check the rules that no compiler checks.
    Tidy,
    /// Print the parity ledger's numbers and write them into README.md.
    Ledger,
    /// Run the fuzz targets on stable for a bounded time.
    FuzzSmoke {
        /// Seconds for all targets together.
        #[arg(long, default_value_t = 15)]
        seconds: u64,
        /// Seed of the mutations; the one that a failure prints repeats it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only this target.
        #[arg(long)]
        target: Option<String>,
    },
    /// Run one target under libFuzzer (nightly, cargo-fuzz).
    Fuzz {
        /// The target.
        target: String,
        /// How long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
}

/// `Ok(false)`: the command has said itself what failed.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = Workspace::find().and_then(|workspace| match arguments.command {
        Command::Test => test::run(&workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::Ledger => ledger::run(&workspace),
        Command::FuzzSmoke { seconds, seed, target } => {
            fuzz::smoke(&workspace, seconds, seed, target.as_deref())
        }
        Command::Fuzz { target, seconds } => fuzz::libfuzzer(&workspace, &target, seconds),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
