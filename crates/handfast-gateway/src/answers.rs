//! Answers that the gateway makes without a policy (specification 3): JSON with one space around braces and
//! after `:` and `,`.

use handfast_core::message::standard_reason;
use handfast_net::{Refusal, Response};

/// `{ "statusCode": 404, "message": "..." }`.
pub(crate) fn message(status: u16, text: &str) -> Response {
    let body = format!("{{ \"statusCode\": {status}, \"message\": \"{text}\" }}");
    Response::full(status, "application/json", body)
}

/// No service has the host of the request, or nothing answers its path.
pub(crate) fn not_found() -> Response {
    let mut response = message(404, "Resource not found");
    response.head.reason = "Resource Not Found".into();
    response
}

/// The host belongs to other rules about client certificates than the connection.
pub(crate) fn misdirected() -> Response {
    message(421, "Misdirected request")
}

/// The health answer that probes ask for.
pub(crate) fn operational() -> Response {
    Response::full(200, "text/plain", "Service Operational")
}

/// A failure of the gateway itself.
pub(crate) fn internal(activity_id: &str) -> Response {
    let body = format!(
        "{{ \"statusCode\": 500, \"message\": \"Internal server error\", \"activityId\": \"{activity_id}\" }}"
    );
    Response::full(500, "application/json", body)
}

/// A request that the codec refused.
pub(crate) fn refusal(refusal: Refusal) -> Response {
    message(refusal.status(), standard_reason(refusal.status())).closing()
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_net::Body;

    #[test]
    fn an_unknown_resource_has_the_documented_body() {
        let response = not_found();
        let Body::Full(body) = &response.body else { panic!("no body") };
        assert_eq!(&body[..], b"{ \"statusCode\": 404, \"message\": \"Resource not found\" }");
        assert_eq!((body.len(), &*response.head.reason), (54, "Resource Not Found"));
    }
}
