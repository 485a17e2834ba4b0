//! Fuzz targets for the parsers of foreign bytes. A target is a plain function that panics when a property
//! does not hold: not only "no panic inside", but what must be true of every accepted input.
//!
//! The same functions run in two ways: coverage-guided by libFuzzer on nightly (`cargo xtask fuzz NAME`), and
//! on stable for a bounded number of seeded mutations of the corpus (`cargo xtask fuzz-smoke`, part of
//! `cargo xtask test`). Corpora lie in `fuzz/corpus/NAME`.
//!
//! *Not* here: sockets, time, anything asynchronous.

mod documents;
mod expressions;
mod http1;
mod pki;
mod routing;
mod tokens;

/// A fuzz target: panics when a property does not hold.
pub type Target = fn(&[u8]);

/// All targets by name; the name is also that of the corpus folder and of the libFuzzer binary.
pub const TARGETS: &[(&str, Target)] = &[
    ("body", http1::body),
    ("certificate", pki::certificate),
    ("csharp", expressions::csharp),
    ("expression", documents::expression),
    ("host", routing::host),
    ("jwt", tokens::jwt),
    ("liquid", expressions::liquid),
    ("path", routing::path),
    ("pattern", expressions::pattern),
    ("pem", pki::pem),
    ("pfx", pki::pfx),
    ("policy", documents::policy),
    ("proxy", http1::proxy),
    ("request", http1::request),
    ("response", http1::response),
    ("select", expressions::select),
    ("template", documents::template),
];

/// Runs the target of that name.
///
/// # Panics
/// When there is no such target, or when one of its properties does not hold.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a name from the table");
    target(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_accepts_the_empty_input_and_noise() {
        for (name, target) in TARGETS {
            for input in [&b""[..], b"\0", b"\xff\xfe\n\xff", &[0x30; 300]] {
                target(input);
            }
            run(name, b"GET / HTTP/1.1\r\n\r\n");
        }
    }
}
