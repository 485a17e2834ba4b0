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
    ("mcs", "mono-mcs"),
    ("nghttp", "nghttp2-client"),
    ("nginx", "nginx-light"),
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("strace", "strace"),
    ("wrk", "wrk"),
    ("xsltproc", "xsltproc"),
];

/// Files that no program has, and the Debian package that does: what the C# oracle of expressions compiles against.
const FILES: &[(&str, &str)] = &[
    ("/usr/lib/mono/4.5/System.Xml.Linq.dll", "libmono-system-xml-linq4.0-cil"),
    ("/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll", "libnewtonsoft-json5.0-cil"),
];

/// Python packages, in an environment of the target folder.
const PYTHON_PACKAGES: &[&str] = &["grpcio==1.85.3"];

/// Installs what is missing; says what to install when that is not possible.
pub(super) fn install_missing(workspace: &Workspace) -> Result<bool> {
    let mut missing = missing(&is_program);
    missing.extend(FILES.iter().filter(|(file, _)| !Path::new(file).is_file()).map(|(_, package)| *package));
    if !succeeds(workspace, "python3", &["-c", "import ensurepip"]) {
        missing.push("python3-venv");
    }
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
    passed &= python_packages(workspace)?;
    let version =
        workspace.command("cargo", &["deny", "--version"]).output().context("cannot run \"cargo\"")?;
    if !version.status.success() {
        println!("installing cargo-deny");
        let mut install = workspace.command("cargo", &["install", "cargo-deny", "--locked"]);
        passed &= install.stdin(Stdio::null()).status().context("cannot run \"cargo\"")?.success();
    }
    Ok(passed)
}

/// Makes the Python environment of the tests, unless it has every package already.
fn python_packages(workspace: &Workspace) -> Result<bool> {
    // This program lies in <target folder>/<profile>/.
    let program = std::env::current_exe().context("a program has a place")?;
    let folder = program.ancestors().nth(2).context("the target folder is above it")?.join("python");
    let folder = folder.to_str().context("the target folder is text")?;
    let python = format!("{folder}/bin/python3");
    let freeze = workspace.command(&python, &["-m", "pip", "freeze"]).output();
    let present =
        freeze.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if PYTHON_PACKAGES.iter().all(|package| present.lines().any(|line| line == *package)) {
        return Ok(true);
    }
    println!("installing {} in {folder}", PYTHON_PACKAGES.join(" "));
    let install =
        [&["-m", "pip", "install", "--quiet", "--disable-pip-version-check"], PYTHON_PACKAGES].concat();
    Ok(succeeds(workspace, "python3", &["-m", "venv", folder]) && succeeds(workspace, &python, &install))
}

/// Whether a program runs and is content.
fn succeeds(workspace: &Workspace, program: &str, arguments: &[&str]) -> bool {
    let mut command = workspace.command(program, arguments);
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
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
