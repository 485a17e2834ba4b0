//! Which crate may use which: the table of the architecture, and the crates that stay pure.

use super::Finding;
use crate::workspace::Package;
use std::collections::BTreeMap;

/// What every crate of the workspace may be built with, of the workspace. A crate that is not a row fails, and
/// so does an edge that is not in its row.
const TABLE: &[(&str, &[&str])] = &[
    ("handfast-core", &[]),
    ("handfast-model", &["core"]),
    ("handfast-template", &["core", "model"]),
    ("handfast-expression", &["core", "pki"]),
    ("handfast-pki", &["core"]),
    ("handfast-policy", &["core", "expression", "pki", "openapi"]),
    ("handfast-openapi", &["core"]),
    ("handfast-route", &["core"]),
    ("handfast-telemetry", &["core"]),
    ("handfast-state", &["core", "telemetry"]),
    ("handfast-net", &["core", "pki", "route", "telemetry"]),
    ("handfast-edge", &["core", "model", "pki", "route", "net", "state", "telemetry"]),
    (
        "handfast-gateway",
        &["core", "model", "expression", "policy", "pki", "openapi", "route", "net", "state", "telemetry"],
    ),
    ("handfast-store", &["core", "model", "telemetry"]),
    ("handfast-testkit", &["core", "model", "pki", "route", "net", "telemetry"]),
];

/// The binary knows all crates, and so may xtask.
const UNBOUND: &[&str] = &["handfast", "xtask"];

/// Crates that know no socket, file, clock or runtime.
const PURE: &[&str] = &[
    "handfast-core",
    "handfast-model",
    "handfast-template",
    "handfast-expression",
    "handfast-pki",
    "handfast-policy",
    "handfast-openapi",
    "handfast-route",
];

/// What a pure crate must not be built with.
const IMPURE: &[&str] = &["tokio", "rusqlite", "hyper", "axum", "kube", "socket2", "h2", "redis"];

/// Crates that only tests may use.
const TEST_ONLY: &str = "handfast-testkit";

/// Checks the edges of all packages.
pub(super) fn check(packages: &BTreeMap<String, Package>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in packages {
        let mut report = |message: String| findings.push(Finding::new(&package.manifest, 0, message));
        if package.normal.contains(TEST_ONLY) {
            report(format!("\"{name}\" is built with \"{TEST_ONLY}\", which is a dev-dependency only"));
        }
        if PURE.contains(&name.as_str()) {
            for impure in IMPURE.iter().filter(|impure| package.normal.contains(**impure)) {
                report(format!("\"{name}\" is pure and must not be built with \"{impure}\""));
            }
        }
        // Sample services under examples are programs of their own.
        let unbound = UNBOUND.contains(&name.as_str()) || package.manifest.starts_with("examples/");
        match TABLE.iter().find(|(row, _)| row == name) {
            _ if unbound => {}
            None => report(format!("\"{name}\" has no row in the table of crate directions")),
            Some((_, allowed)) => {
                let ours = package.normal.iter().filter_map(|d| d.strip_prefix("handfast-"));
                for target in ours.filter(|target| !allowed.contains(target) && *target != "testkit") {
                    report(format!("\"{name}\" must not depend on \"handfast-{target}\""));
                }
            }
        }
    }
    for (row, _) in TABLE.iter().filter(|(row, _)| !packages.contains_key(*row)) {
        findings.push(Finding::new("xtask/src/tidy/directions.rs", 0, format!("\"{row}\" does not exist")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str, normal: &[&str]) -> Vec<String> {
        let mut packages: BTreeMap<String, Package> =
            TABLE.iter().map(|(row, _)| ((*row).to_owned(), Package::default())).collect();
        let normal = normal.iter().map(|d| (*d).to_owned()).collect();
        packages.insert(name.to_owned(), Package { normal, ..Package::default() });
        check(&packages).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn an_edge_of_the_table_passes_and_any_other_fails() {
        assert!(workspace("handfast-net", &["handfast-core", "handfast-pki", "tokio"]).is_empty());
        assert_eq!(
            workspace("handfast-net", &["handfast-store"]),
            ["\"handfast-net\" must not depend on \"handfast-store\""]
        );
        assert_eq!(
            workspace("handfast-new", &[]),
            ["\"handfast-new\" has no row in the table of crate directions"]
        );
        assert!(workspace("handfast", &["handfast-net", "handfast-store"]).is_empty());
    }

    #[test]
    fn pure_crates_stay_pure_and_the_testkit_stays_in_tests() {
        assert_eq!(
            workspace("handfast-policy", &["tokio"]),
            ["\"handfast-policy\" is pure and must not be built with \"tokio\""]
        );
        assert_eq!(
            workspace("handfast-edge", &["handfast-testkit"]),
            ["\"handfast-edge\" is built with \"handfast-testkit\", which is a dev-dependency only"]
        );
    }
}
