//! Noticing that files have changed: by content, every quarter of a second. Editors replace files, write
//! them in pieces and touch them without changing them; comparing content gets all of that right, and the
//! files are few and small.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often files are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Files and what was in them when they were last looked at.
#[derive(Default)]
pub(crate) struct Watch {
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Watch {
    /// Watches these files from now on. Those known before keep what they held then, so that a change in
    /// between is seen.
    pub(crate) fn set(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let mut known = std::mem::take(&mut self.files);
        for file in files {
            let content = known.remove(&file).unwrap_or_else(|| read(&file));
            self.files.insert(file, content);
        }
    }

    /// Whether a file differs from what it was; remembers the new content.
    pub(crate) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, before) in &mut self.files {
            let now = read(file);
            if now != *before {
                *before = now;
                changed = true;
            }
        }
        changed
    }
}

fn read(file: &Path) -> Option<Vec<u8>> {
    std::fs::read(file).ok()
}
