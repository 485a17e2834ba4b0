//! The `handfast` binary: reads flags, wires the crates together, and nothing else.

mod addresses;
mod cert;
mod cli;
mod clock;
mod deploy;
mod instance;
mod memory;
mod output;
mod policy;
mod trust;
mod up;
mod watch;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code for a command that was understood and failed.
const FAILED: u8 = 1;
/// Exit code for flags that make no sense, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let started = std::time::Instant::now();
    // The only way that this fails is a provider that is installed already, and then it is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = cli::Arguments::parse();
    let done = match arguments.command {
        cli::Command::Up(options) => up::run(options, started),
        cli::Command::Policy(command) => policy::run(command),
        cli::Command::Cert(command) => cert::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            ExitCode::from(if matches!(failure, output::Failure::Usage(_)) { USAGE } else { FAILED })
        }
    }
}
