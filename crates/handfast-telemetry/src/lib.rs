//! What the data plane says about itself: one JSON line per request, written to a sink thread over a
//! bounded channel, and counters whose names are an enum.
//!
//! *Not* here: deciding what to log (the roles do), and any IO on a data-plane thread.

pub mod emitted;
pub mod json;
pub mod metrics;
pub mod sink;

pub use emitted::Emitted;
pub use json::JsonLine;
pub use metrics::{Metric, Metrics};
pub use sink::{LogSink, LogWriter, PendingLine};
