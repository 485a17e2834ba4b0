//! `ip-filter`: lets only some peer addresses in, or keeps some out (specification 5.2). The peer is the one of
//! the connection, never a header.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::tree::Element;
use std::net::IpAddr;
use std::ops::RangeInclusive;

static RANGE: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("from", Kind::Name).required(),
        AttributeSchema::new("to", Kind::Name).required(),
    ],
    content: Content::Empty,
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("action", Kind::OneOf(&["allow", "forbid"])).required()],
    content: Content::AnyOrder(&[Particle::any("address", &TEXT), Particle::any("address-range", &RANGE)], 1),
};

pub(crate) static POLICY: Policy = Policy { name: "ip-filter", schema: &SCHEMA, compile };

#[derive(Debug)]
struct IpFilter {
    allow: bool,
    ranges: Vec<RangeInclusive<IpAddr>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut ranges = Vec::new();
    for child in element.elements() {
        let text = child.trimmed_text();
        let (from, to) = match child.name.as_str() {
            "address" => (text.as_str(), text.as_str()),
            _ => (read::text(child, "from").trim(), read::text(child, "to").trim()),
        };
        let from = address(from, child, compiler)?;
        let to = address(to, child, compiler)?;
        if from.is_ipv4() != to.is_ipv4() {
            compiler.refuse(child, format!("The range from {from} to {to} mixes IPv4 and IPv6"));
            return None;
        }
        ranges.push(from..=to);
    }
    Parts::leaf(IpFilter { allow: read::text(element, "action") == "allow", ranges })
}

fn address(text: &str, element: &Element, compiler: &mut Compiler<'_>) -> Option<IpAddr> {
    let parsed = text.parse::<IpAddr>();
    if parsed.is_err() {
        compiler.refuse(element, format!("The value '{text}' is not an IPv4 or IPv6 address"));
    }
    parsed.ok().map(|address| address.to_canonical())
}

impl Step for IpFilter {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let denied = |reason, message: String| Err(Failure::denied(403, reason, message, "Forbidden").into());
        let Some(caller) = at.context.client_ip else {
            let message = "Failed to establish IP address for the caller. Access denied.";
            return denied("FailedToParseCallerIP", message.to_owned());
        };
        let caller = caller.to_canonical();
        // Addresses of the two families never lie in one range, because both ends are of one family.
        let listed = self
            .ranges
            .iter()
            .any(|range| range.start().is_ipv4() == caller.is_ipv4() && range.contains(&caller));
        match (self.allow, listed) {
            (true, false) => denied(
                "CallerIpNotAllowed",
                format!("Caller IP address {caller} is not allowed. Access denied."),
            ),
            (false, true) => {
                denied("CallerIpBlocked", "Caller IP address is blocked. Access denied.".to_owned())
            }
            _ => {
                at.note(|| format!("caller address {caller} passes"));
                Ok(Flow::Next)
            }
        }
    }
}
