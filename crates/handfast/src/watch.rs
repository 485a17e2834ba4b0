//! Noticing that files have changed: by content, every quarter of a second. Editors replace files, write
//! them in pieces and touch them without changing them; comparing content gets all of that right, and the
//! files are few and small.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How often files are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// Files and what was in them when they were last looked at.
#[derive(Default)]
pub(crate) struct Watch {
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Watch {
    /// Watches these files, which held this when they were used: a change in between is seen.
    pub(crate) fn set(&mut self, files: impl IntoIterator<Item = (PathBuf, Option<Vec<u8>>)>) {
        self.files = files.into_iter().collect();
    }

    /// Whether a file differs from what it was; remembers the new content.
    pub(crate) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, before) in &mut self.files {
            let now = std::fs::read(file).ok();
            if now != *before {
                *before = now;
                changed = true;
            }
        }
        changed
    }
}
