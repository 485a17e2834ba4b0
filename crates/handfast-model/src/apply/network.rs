//! Checks of the address plan (`spec/edge-and-network.md` §2.2) that need the graph: subnets inside their
//! network and disjoint, nothing removed that is in use.

use crate::address::prefixes;
use crate::graph::Graph;
use crate::id::ResourceId;
use crate::kind;
use crate::pattern::{member, steps, visit};
use crate::resource::Resource;
use handfast_core::{Diagnostic, Place};
use ipnet::IpNet;
use serde_json::Value;

/// Adds an error for everything in a virtual network's document that cannot be an address plan.
pub(super) fn check(resource: &Resource, diagnostics: &mut Vec<Diagnostic>) {
    if !resource.is_kind(kind::VIRTUAL_NETWORK) {
        return;
    }
    let mut errors = Errors { id: &resource.id, diagnostics };
    let mut space = Vec::new();
    visit(&resource.document, &steps("properties.addressSpace.addressPrefixes[]"), "", &mut |path, value| {
        space.extend(errors.prefix(value, &path));
    });
    let subnets = member(resource.properties(), "subnets").and_then(|(_, subnets)| subnets.as_array());
    let mut before: Vec<(String, IpNet)> = Vec::new();
    for (index, subnet) in subnets.into_iter().flatten().enumerate() {
        let path = format!("properties.subnets[{index}].properties.addressPrefix");
        let name = subnet["name"].as_str().unwrap_or_default();
        for prefix in subnet_prefixes(subnet, &path, &mut errors) {
            if !space.iter().any(|outer| outer.contains(&prefix)) {
                let message =
                    format!("subnet \"{name}\" ({prefix}) is not inside the address space of its network");
                errors.add("NetcfgInvalidSubnet", &path, message);
            }
            let overlaps =
                |other: &IpNet| other.contains(&prefix.network()) || prefix.contains(&other.network());
            if let Some((other, range)) = before.iter().find(|(_, range)| overlaps(range)) {
                let message = format!("subnet \"{name}\" ({prefix}) overlaps subnet \"{other}\" ({range})");
                errors.add("NetcfgSubnetRangesOverlap", &path, message);
            }
            before.push((name.to_owned(), prefix));
        }
    }
}

fn subnet_prefixes(subnet: &Value, path: &str, errors: &mut Errors<'_>) -> Vec<IpNet> {
    let Some((_, properties)) = member(subnet, "properties") else { return Vec::new() };
    visit(properties, &steps("addressPrefix"), "", &mut |_, value| {
        errors.prefix(value, path);
    });
    visit(properties, &steps("addressPrefixes[]"), "", &mut |_, value| {
        errors.prefix(value, path);
    });
    prefixes(properties)
}

/// Adds an error if a subnet that still has users is to be removed.
pub(super) fn check_removal(graph: &Graph, id: &ResourceId, diagnostics: &mut Vec<Diagnostic>) {
    if !id.is_kind(kind::SUBNET) {
        return;
    }
    if let Some(user) = graph.named_by(id).into_iter().find(|user| Some(user) != id.parent().as_ref()) {
        let message = format!("subnet \"{}\" is in use by \"{user}\"", id.name());
        let help = "remove or move its users first";
        diagnostics.push(Diagnostic::error("InUseSubnetCannotBeDeleted", message).on(id.as_str()).help(help));
    }
}

struct Errors<'e> {
    id: &'e ResourceId,
    diagnostics: &'e mut Vec<Diagnostic>,
}

impl Errors<'_> {
    fn add(&mut self, code: &'static str, path: &str, message: String) {
        self.diagnostics.push(Diagnostic::error(code, message).on(self.id.as_str()).at(Place::json(path)));
    }

    /// Reads a prefix whose host bits must be zero.
    fn prefix(&mut self, value: &Value, path: &str) -> Option<IpNet> {
        let text = value.as_str().unwrap_or_default();
        match text.parse::<IpNet>() {
            Ok(prefix) if prefix.trunc() == prefix => Some(prefix),
            Ok(prefix) => {
                let message =
                    format!("\"{text}\" has host bits set; \"{}\" would be accepted", prefix.trunc());
                self.add("InvalidCIDRNotation", path, message);
                None
            }
            Err(_) => {
                let message = format!("\"{text}\" is not an address prefix such as \"10.0.1.0/24\"");
                self.add("InvalidCIDRNotation", path, message);
                None
            }
        }
    }
}
