//! Counters of the data plane. Names are an enum, so a metric cannot be misspelt or made up in passing;
//! each is one relaxed atomic, and reading them costs the request path nothing.

use crate::emitted::Emitted;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! metrics {
    ($($variant:ident $name:literal $help:literal,)*) => {
        /// A counter by its Prometheus name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $(#[doc = $help] $variant,)* }

        impl Metric {
            /// Every metric, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the Prometheus exposition.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it counts.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

metrics! {
    ConnectionsAccepted "handfast_connections_accepted_total" "Connections accepted by any listener.",
    ConnectionsRefused "handfast_connections_refused_total" "Connections closed at once by a limit or source filter.",
    HandshakesFailed "handfast_tls_handshakes_failed_total" "TLS handshakes with clients that did not complete.",
    Requests "handfast_requests_total" "Requests handed to a role.",
    RequestsRejected "handfast_requests_rejected_total" "Requests refused by the codec before any role saw them.",
    RequestsShed "handfast_requests_shed_total" "Requests answered 503 because a global limit was reached.",
    RequestPanics "handfast_request_panics_total" "Requests ended by a panic that was contained.",
    UpstreamConnects "handfast_upstream_connects_total" "Connections opened to upstream servers.",
    UpstreamReuses "handfast_upstream_reuses_total" "Requests sent on a kept-alive upstream connection.",
    UpstreamFailures "handfast_upstream_failures_total" "Upstream exchanges that ended in an error.",
    FusedHops "handfast_fused_hops_total" "Hops that were called in process.",
    HubEventsDropped "handfast_hub_events_dropped_total" "Events of policies that no event hub took.",
    LogLinesDropped "handfast_log_lines_dropped_total" "Log batches dropped because the sink was behind.",
}

/// All counters of one process.
#[derive(Debug)]
pub struct Metrics {
    values: Vec<AtomicU64>,
    emitted: Emitted,
}

impl Default for Metrics {
    fn default() -> Self {
        let values = Metric::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Self { values, emitted: Emitted::default() }
    }
}

impl Metrics {
    /// Adds one.
    pub fn count(&self, metric: Metric) {
        self.values[metric as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self, metric: Metric) -> u64 {
        self.values[metric as usize].load(Ordering::Relaxed)
    }

    /// Metrics that policies make up.
    pub fn emitted(&self) -> &Emitted {
        &self.emitted
    }

    /// The Prometheus text exposition of all counters, and of what policies emitted.
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        for &metric in Metric::ALL {
            let (name, help, value) = (metric.name(), metric.help(), self.get(metric));
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
        self.emitted.prometheus(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_has_every_metric() {
        let metrics = Metrics::default();
        metrics.count(Metric::Requests);
        let text = metrics.prometheus();
        assert!(text.contains("handfast_requests_total 1\n"));
        assert_eq!(text.matches("# TYPE").count(), Metric::ALL.len() + 1);
    }
}
