//! `ip-filter`: lets only some peer addresses in, or keeps some out (specification 5.2). The peer is the one of
//! the connection, never a header.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;
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
    action: Text,
    ranges: Vec<Range>,
}

#[derive(Debug)]
enum Range {
    Known(RangeInclusive<IpAddr>),
    One(Text),
    Given(Text, Text),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut ranges = Vec::new();
    for child in element.elements() {
        let (from, to) = match child.name.as_str() {
            "address" => {
                let address = compiler.content(child);
                match address.literal() {
                    Some(text) => (Setting::Literal(text.clone()), address),
                    None => {
                        ranges.push(Range::One(address));
                        continue;
                    }
                }
            }
            _ => (compiler.text(child, "from"), compiler.text(child, "to")),
        };
        let (Some(first), Some(last)) = (from.literal(), to.literal()) else {
            ranges.push(Range::Given(from, to));
            continue;
        };
        match range(first, last) {
            Ok(range) => ranges.push(Range::Known(range)),
            Err(objection) => {
                compiler.refuse(child, objection);
                return None;
            }
        }
    }
    Parts::leaf(IpFilter { action: compiler.text(element, "action"), ranges })
}

/// The addresses from one to another; both of one family.
fn range(from: &str, to: &str) -> Result<RangeInclusive<IpAddr>, String> {
    let (from, to) = (address(from)?, address(to)?);
    if from.is_ipv4() != to.is_ipv4() {
        return Err(format!("The range from {from} to {to} mixes IPv4 and IPv6"));
    }
    Ok(from..=to)
}

fn address(text: &str) -> Result<IpAddr, String> {
    let parsed = text.trim().parse::<IpAddr>();
    parsed
        .map(|address| address.to_canonical())
        .map_err(|_| format!("The value '{}' is not an IPv4 or IPv6 address", text.trim()))
}

fn no_address(text: &str) -> Halt {
    unfit(&Value::str(text), "an IPv4 or IPv6 address or a range of one family")
}

impl IpFilter {
    /// Whether an address is in one of the ranges.
    fn lists(&self, caller: IpAddr, at: &mut At<'_>) -> Result<bool, Halt> {
        let mut listed = false;
        for one in &self.ranges {
            let given;
            let addresses = match one {
                Range::Known(addresses) => addresses,
                Range::One(address) => {
                    let address = at.text(address)?;
                    given = range(&address, &address).map_err(|_| no_address(&address))?;
                    &given
                }
                Range::Given(from, to) => {
                    let (from, to) = (at.text(from)?, at.text(to)?);
                    given = range(&from, &to).map_err(|_| no_address(&format!("{from}-{to}")))?;
                    &given
                }
            };
            // Addresses of the two families never lie in one range, because both ends are of one family.
            listed |= addresses.start().is_ipv4() == caller.is_ipv4() && addresses.contains(&caller);
        }
        Ok(listed)
    }
}

impl Step for IpFilter {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let denied = |reason, message: String| Err(Failure::denied(403, reason, message, "Forbidden").into());
        let action = at.text(&self.action)?;
        if !matches!(&*action, "allow" | "forbid") {
            return Err(unfit(&Value::str(&*action), "'allow' or 'forbid'"));
        }
        let Some(caller) = at.context.client_ip else {
            let message = "Failed to establish IP address for the caller. Access denied.";
            return denied("FailedToParseCallerIP", message.to_owned());
        };
        let caller = caller.to_canonical();
        match (&*action == "allow", self.lists(caller, at)?) {
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
