//! When keys are fetched, waited for and given up, with a clock of its own.

use super::{Decision, Entry};
use handfast_core::UnixTime;
use handfast_pki::jose::KeySet;
use handfast_policy::IssuerKeys;
use std::sync::Arc;

const HOUR: i64 = 3600;
const NOTHING: Decision = Decision { fetch: false, wait: false };
const FETCH_AND_WAIT: Decision = Decision { fetch: true, wait: true };
const FETCH_BEHIND: Decision = Decision { fetch: true, wait: false };

fn keys(version: u8) -> super::Fetched {
    Ok((IssuerKeys { issuer: "i".to_owned(), keys: KeySet::default() }, [version; 32]))
}

fn failure() -> super::Fetched {
    Err("unreachable".to_owned())
}

/// An entry whose keys came at that time.
fn fetched(at: i64) -> Entry {
    let mut entry = Entry::default();
    assert_eq!(entry.decide(false, UnixTime(at)), FETCH_AND_WAIT);
    entry.settle(keys(1), UnixTime(at));
    entry
}

#[test]
fn keys_are_fresh_for_an_hour_and_serve_while_others_are_fetched() {
    let mut entry = fetched(0);
    assert_eq!(entry.decide(false, UnixTime(HOUR - 1)), NOTHING);
    assert_eq!(entry.decide(false, UnixTime(HOUR)), FETCH_BEHIND);
    assert_eq!(entry.decide(false, UnixTime(HOUR)), NOTHING, "one fetch at a time");
    entry.settle(keys(1), UnixTime(HOUR + 1));
    assert_eq!(entry.decide(false, UnixTime(HOUR + 2)), NOTHING);
}

#[test]
fn the_first_keys_are_waited_for_by_everybody_and_fetched_once() {
    let mut entry = Entry::default();
    assert_eq!(entry.decide(false, UnixTime(0)), FETCH_AND_WAIT);
    assert_eq!(entry.decide(false, UnixTime(0)), Decision { fetch: false, wait: true });
}

#[test]
fn unknown_keys_make_a_fetch_at_most_every_five_minutes() {
    let mut entry = fetched(0);
    assert_eq!(entry.decide(true, UnixTime(299)), NOTHING);
    assert_eq!(entry.decide(true, UnixTime(300)), FETCH_AND_WAIT);
    assert_eq!(entry.decide(true, UnixTime(301)), Decision { fetch: false, wait: true });
    entry.settle(failure(), UnixTime(302));
    assert!(entry.keys.is_some(), "what is known stays");
    assert_eq!(entry.decide(true, UnixTime(400)), NOTHING);
    assert_eq!(entry.decide(true, UnixTime(600)), FETCH_AND_WAIT);
}

#[test]
fn the_last_good_keys_serve_for_a_day_and_no_longer() {
    let mut entry = fetched(0);
    let mut now = HOUR;
    let mut fetches = 0;
    while now < 24 * HOUR {
        if entry.decide(false, UnixTime(now)).fetch {
            fetches += 1;
            entry.settle(failure(), UnixTime(now));
        }
        assert!(entry.keys.is_some());
        now += 1;
    }
    assert!((276..300).contains(&fetches), "every five minutes at last: {fetches}");
    entry.decide(false, UnixTime(24 * HOUR));
    assert!(entry.keys.is_none());
}

#[test]
fn failures_are_followed_by_a_pause_that_grows() {
    let mut entry = Entry::default();
    let mut begun = Vec::new();
    for now in 0..2000 {
        if entry.decide(false, UnixTime(now)).fetch {
            begun.push(now);
            entry.settle(failure(), UnixTime(now));
        }
    }
    let pauses: Vec<i64> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    assert_eq!(entry.decide(false, UnixTime(2000)), NOTHING, "it fails at once meanwhile");
    assert_eq!(entry.failure, "unreachable");
}

#[test]
fn equal_keys_stay_the_same_and_others_do_not() {
    let mut entry = fetched(0);
    let first = entry.keys.clone().expect("keys");
    entry.settle(keys(1), UnixTime(1));
    assert!(Arc::ptr_eq(&first, entry.keys.as_ref().expect("keys")));
    entry.settle(keys(2), UnixTime(2));
    assert!(!Arc::ptr_eq(&first, entry.keys.as_ref().expect("keys")));
}
