//! What requests of a process share: rate limits, quotas, concurrency permits and caches.
//!
//! | module | what it keeps |
//! |---|---|
//! | [`rate`] | calls in a sliding window |
//! | [`quota`] | calls and bytes in fixed periods |
//! | [`permits`] | how many hold a key at a time |
//! | [`cache`] | values with an end of life, within a bound in bytes |
//!
//! Everything is sharded by key. A shard's mutex is held for a look-up and an addition, never across an await, and
//! no writer of configuration takes it. Time is an argument: milliseconds since the epoch. All of it outlives a
//! change of configuration and ends with the process; several nodes count each on its own.

pub mod cache;
pub mod permits;
pub mod quota;
pub mod rate;
mod shards;

pub use cache::{Cache, Weigh};
pub use permits::{Permit, Permits};
pub use quota::{Period, Quotas, Usage};
pub use rate::{Decision, RateLimits, Window};
