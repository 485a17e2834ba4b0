//! Where the workspace lies, which files it tracks, and what cargo knows about its packages.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checked-out workspace.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// A package of the workspace and the names of its direct dependencies, by kind.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// What it is built with.
    pub(crate) normal: BTreeSet<String>,
    /// What only its tests use.
    pub(crate) dev: BTreeSet<String>,
    /// Its manifest, relative to the root.
    pub(crate) manifest: String,
}

impl Workspace {
    /// The workspace that this program was built in.
    pub(crate) fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("xtask lies in a folder of the workspace")?;
        Ok(Self { root: root.to_owned() })
    }

    /// Its root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file, by its path relative to the root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The text of a file, by its path relative to the root.
    pub(crate) fn read(&self, relative: &str) -> Result<String> {
        std::fs::read_to_string(self.path(relative)).with_context(|| format!("cannot read \"{relative}\""))
    }

    /// A command that runs in the root.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Paths of all files that git tracks, or would after `git add`, and that exist.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let output = self.command("git", &arguments).output().context("cannot run \"git\"")?;
        if !output.status.success() {
            bail!("\"git ls-files\" failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let mut files: Vec<String> = text.split_terminator('\0').map(str::to_owned).collect();
        files.retain(|file| self.path(file).is_file());
        files.sort();
        Ok(files)
    }

    /// The members of the workspace by name.
    pub(crate) fn packages(&self) -> Result<BTreeMap<String, Package>> {
        let arguments = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
        let output = self.command("cargo", &arguments).output().context("cannot run \"cargo\"")?;
        if !output.status.success() {
            bail!("\"cargo metadata\" failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is JSON")?;
        let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
        packages.iter().map(|package| self.package(package)).collect()
    }

    fn package(&self, package: &Value) -> Result<(String, Package)> {
        let name = package["name"].as_str().context("a package has a name")?;
        let manifest = Path::new(package["manifest_path"].as_str().context("a package has a manifest")?);
        let manifest = manifest.strip_prefix(&self.root).unwrap_or(manifest);
        let mut found = Package { manifest: manifest.display().to_string(), ..Package::default() };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(target) = dependency["name"].as_str() else { continue };
            let kind = if dependency["kind"] == "dev" { &mut found.dev } else { &mut found.normal };
            kind.insert(target.to_owned());
        }
        Ok((name.to_owned(), found))
    }
}
