//! The programs that tests use as real peers and oracles. A test fails when its tool is missing, so the test
//! command brings them: with apt when it may, else by saying what to install.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Stdio;

/// Program and the Debian package that has it.
const TOOLS: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("curl", "curl"),
    ("git", "git"),
    ("make", "make"),
    ("nghttp", "nghttp2-client"),
    ("nginx", "nginx-light"),
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("wrk", "wrk"),
];

/// Installs what is missing; says what to install when that is not possible.
pub(super) fn install_missing(workspace: &Workspace) -> Result<bool> {
    let missing = missing(&is_program);
    let mut passed = true;
    if !missing.is_empty() {
        let packages = missing.join(" ");
        if is_root(workspace)? && is_program("apt-get") {
            println!("installing {packages}");
            passed = apt(workspace, &["update", "-qq"])?;
            let install = ["install", "-y", "-qq", "--no-install-recommends"];
            passed &= apt(workspace, &[&install[..], &missing].concat())?;
        } else {
            eprintln!("missing programs; install these packages: {packages}");
            passed = false;
        }
    }
    let version =
        workspace.command("cargo", &["deny", "--version"]).output().context("cannot run \"cargo\"")?;
    if !version.status.success() {
        println!("installing cargo-deny");
        let mut install = workspace.command("cargo", &["install", "cargo-deny", "--locked"]);
        passed &= install.stdin(Stdio::null()).status().context("cannot run \"cargo\"")?.success();
    }
    Ok(passed)
}

/// The packages of the programs that are not there.
fn missing(is_program: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
    TOOLS.iter().filter(|(program, _)| !is_program(program)).map(|(_, package)| *package).collect()
}

/// Whether a program is in the search path, or where daemons lie.
fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemons = ["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned());
    std::env::split_paths(&path).chain(daemons).any(|folder| folder.join(name).is_file())
}

fn is_root(workspace: &Workspace) -> Result<bool> {
    let output = workspace.command("id", &["-u"]).output().context("cannot run \"id\"")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

fn apt(workspace: &Workspace, arguments: &[&str]) -> Result<bool> {
    let mut command = workspace.command("apt-get", arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    Ok(command.status().context("cannot run \"apt-get\"")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_missing_programs_are_named() {
        assert_eq!(missing(&|name| name != "nginx" && name != "nghttp"), ["nghttp2-client", "nginx-light"]);
        assert!(missing(&|_| true).is_empty());
    }
}
