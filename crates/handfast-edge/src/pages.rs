//! Answers that the edge makes itself (edge specification §1.18): a small HTML page, lines ending in CRLF.

use handfast_net::{Refusal, Response};

/// How self-made answers look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    /// The word in the footer and in `Server`.
    pub(crate) token: String,
    /// Whether `Server` is sent.
    pub(crate) server_header: bool,
}

impl Default for Pages {
    fn default() -> Self {
        Self { token: "Handfast".to_owned(), server_header: true }
    }
}

/// A text that explains a 400 about TLS or the head.
pub(crate) const NO_CERTIFICATE: &str = "No required SSL certificate was sent";
pub(crate) const BAD_CERTIFICATE: &str = "The SSL certificate error";

impl Pages {
    /// A page with the standard title of its status.
    pub(crate) fn page(&self, status: u16) -> Response {
        let title = match status {
            408 => "Request Time-out",
            413 => "Request Entity Too Large",
            414 => "Request-URI Too Large",
            503 => "Service Temporarily Unavailable",
            504 => "Gateway Time-out",
            405 => "Not Allowed",
            other => handfast_core::message::standard_reason(other),
        };
        self.render(status, &format!("{status} {title}"), &format!("{status} {title}"), None)
    }

    /// A 400 that says why.
    pub(crate) fn explained(&self, text: &str) -> Response {
        self.render(400, &format!("400 {text}"), "400 Bad Request", Some(text)).closing()
    }

    /// The answer to a request that the codec refused.
    pub(crate) fn refusal(&self, refusal: Refusal) -> Response {
        match refusal {
            Refusal::PlainOnTls => self.explained("The plain HTTP request was sent to HTTPS port"),
            Refusal::HeadTooLarge => self.explained("Request Header Or Cookie Too Large"),
            other => self.page(other.status()).closing(),
        }
    }

    /// A redirect; the body is empty.
    pub(crate) fn redirect(&self, status: u16, location: &str) -> Response {
        let mut response = Response::full(status, "text/html", "");
        let _ = response.head.fields.set(b"Location", location.as_bytes());
        self.sign(&mut response);
        response
    }

    fn render(&self, status: u16, title: &str, heading: &str, text: Option<&str>) -> Response {
        let second = text.map(|text| format!("<center>{text}</center>\r\n")).unwrap_or_default();
        let token = &self.token;
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n\
             {second}<hr><center>{token}</center>\r\n</body>\r\n</html>\r\n"
        );
        let mut response = Response::full(status, "text/html", body);
        self.sign(&mut response);
        response
    }

    fn sign(&self, response: &mut Response) {
        if self.server_header {
            let _ = response.head.fields.set(b"Server", self.token.as_bytes());
        }
    }
}

/// The word in the log for a request that the codec refused (§1.18).
pub(crate) fn reason_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Target | Refusal::TargetTooLong => "ERRORINFO_REQUEST_URI_INVALID",
        Refusal::Version => "ERRORINFO_INVALID_VERSION",
        Refusal::Host => "ERRORINFO_HTTP_NO_HOST_HEADER",
        Refusal::ContentLength => "ERRORINFO_INVALID_CONTENT_LENGTH",
        Refusal::Method => "ERRORINFO_INVALID_METHOD_TRACE",
        Refusal::PlainOnTls => "ERRORINFO_HTTP_TO_HTTPS_PORT",
        Refusal::Malformed
        | Refusal::Framing
        | Refusal::ConnectionOptions
        | Refusal::HeadTooLarge
        | Refusal::HeadTimeout => "ERRORINFO_INVALID_REQUEST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_net::Body;

    #[test]
    fn a_missing_certificate_is_explained_word_for_word() {
        let response = Pages::default().explained(NO_CERTIFICATE);
        let Body::Full(body) = &response.body else { panic!("no body") };
        assert_eq!(
            String::from_utf8_lossy(body),
            "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n\
             <center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n\
             <hr><center>Handfast</center>\r\n</body>\r\n</html>\r\n"
        );
        assert!(response.close);
        assert_eq!(response.head.fields.get_str("server"), Some("Handfast"));
    }
}
