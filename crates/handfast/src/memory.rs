//! How much memory there is and how much of it is used, so that the engine can refuse work before the kernel ends
//! the process.

use std::fs;

/// Share of the memory that the process may use, percent.
const SHARE: u64 = 90;

/// The limit when the user names none: nine tenths of what the control group or else the machine has.
pub(crate) fn default_limit() -> u64 {
    let group =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let smaller = [group, machine].into_iter().flatten().min();
    smaller.map_or(u64::MAX, |bytes: u64| bytes / 100 * SHARE)
}

/// Bytes that the allocator holds from the system now; 0 if it does not say.
pub(crate) fn used() -> u64 {
    use tikv_jemalloc_ctl::{epoch, stats};
    if epoch::advance().is_err() {
        return 0;
    }
    stats::resident::read().map_or(0, |bytes| bytes as u64)
}

/// `MemTotal` of `/proc/meminfo`, bytes.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory_and_this_process_uses_some() {
        assert_eq!(total("MemTotal:       24689764 kB\nMemFree: 1 kB\n"), Some(24_689_764 * 1024));
        assert!(default_limit() > 100 << 20);
        assert!(used() > 0);
    }
}
