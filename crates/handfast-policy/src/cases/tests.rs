//! The runner itself: expectations that do not hold are found, and files that are no cases are refused.

use super::Case;

const POLICY: &str = "# title\n== policy api\n<policies><inbound><set-variable name=\"a\" value=\"1\" /></inbound></policies>\n";

fn report(rest: &str) -> String {
    let case = Case::parse(&format!("{POLICY}{rest}")).expect("a case");
    case.run().expect("playable").iter().map(ToString::to_string).collect()
}

#[test]
fn every_kind_of_wrong_expectation_is_reported_with_its_line() {
    for (expectation, report_expected) in [
        (
            "response\n201 Created\nX: 1\n",
            "  line 6: response\n    - 201 Created\n    + 200 OK\n    - X: 1\n",
        ),
        ("forward\nGET /\n", "  line 6: forwarded request\n    - GET /\n    + (not forwarded)\n"),
        ("variables\na = 2\n", "  line 6: variables\n    - a = 2\n    + a = 1\n"),
        ("last-error\nSource: x\n", "  line 6: last error\n    - Source: x\n    + (none)\n"),
        ("waits\n1 s\n", "  line 6: waits\n    - 1 s\n"),
        ("trace\n", "  line 6: trace\n    + inbound api set-variable: variable 'a' set to '1'\n"),
    ] {
        assert_eq!(report(&format!("== request\nGET /\n== expect {expectation}")), report_expected);
    }
}

#[test]
fn diagnostics_that_nobody_expected_are_reported() {
    let case = Case::parse("# t\n== policy api\n<p/>\n== request\nGET /\n").expect("a case");
    assert_eq!(case.run().expect("playable").len(), 1);
}

#[test]
fn files_that_are_no_cases_are_refused_with_the_line() {
    for (text, error) in [
        ("x", "line 1: expected a comment '# ...' or a section '== ...'"),
        ("# t\n", "line 1: a case needs at least one '== policy SCOPE'"),
        (
            "# t\n== polcy api\n",
            "line 2: unknown 'polcy api'; expected policy, fragment, named-value, backends, loggers, certificates, issuer, newer-issuer, context, certificate, example, openapi, schema, request, backend or expect",
        ),
        ("# t\n== expect response\n200 OK\n", "line 2: this section belongs after a '== request'"),
        (
            "# t\n== policy api\n<p/>\n== request soon\n",
            "line 4: unknown 'soon'; expected nothing or 'after N s'",
        ),
    ] {
        assert_eq!(Case::parse(text).expect_err("no case").to_string(), error);
    }
}
