//! From one node to others.

use super::{name, node, node_of, or_null, value};
use crate::call::Call;
use crate::fault::Fault;
use crate::value::Value;
use crate::xml::{Name, Node};

/// Members that lead to one node or none.
pub(super) fn element(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = node(call, 0)?;
    let beside = |step: isize| {
        let (parent, at) = me.position()?;
        let all = if me.is_attribute() { parent.attributes() } else { parent.nodes() };
        all.get(at.checked_add_signed(step)?).cloned()
    };
    Ok(or_null(match call.member.name.as_str() {
        "Parent" => me.parent().filter(Node::is_element),
        "Document" => Some(me.root()).filter(|root| root.class() == "XDocument"),
        "NextNode" | "NextAttribute" => beside(1),
        "PreviousNode" | "PreviousAttribute" => beside(-1),
        "FirstNode" => me.nodes().into_iter().next(),
        "LastNode" => me.nodes().pop(),
        "FirstAttribute" => me.attributes().into_iter().next(),
        "LastAttribute" => me.attributes().pop(),
        "Root" => me.elements().into_iter().next(),
        "Attribute" => me.attribute(&name(call, 1)?),
        _ => me.child(&name(call, 1)?),
    }))
}

/// The nodes that a member of a node leads to.
fn of(member: &str, me: &Node) -> Vec<Node> {
    let siblings = |after: bool| {
        let Some((parent, at)) = me.position() else { return Vec::new() };
        let all = parent.nodes().into_iter();
        if after { all.skip(at + 1).collect() } else { all.take(at).collect() }
    };
    let with_self = |rest: Vec<Node>| std::iter::once(me.clone()).chain(rest).collect();
    match member {
        "Elements" => me.elements(),
        "Nodes" => me.nodes(),
        "Descendants" | "DescendantNodes" => me.descendants(),
        "DescendantsAndSelf" | "DescendantNodesAndSelf" => with_self(me.descendants()),
        "Ancestors" => me.ancestors(),
        "AncestorsAndSelf" => with_self(me.ancestors()),
        "Attributes" => me.attributes(),
        "ElementsAfterSelf" | "NodesAfterSelf" => siblings(true),
        _ => siblings(false),
    }
}

fn filtered(member: &str, nodes: Vec<Node>, wanted: Option<&Name>) -> Vec<Node> {
    let any = member.contains("Nodes") || member == "Attributes";
    nodes
        .into_iter()
        .filter(|node| any || node.is_element())
        .filter(|node| wanted.is_none_or(|wanted| node.name().as_ref() == Some(wanted)))
        .collect()
}

/// Members that lead to many nodes, of one name or all.
pub(super) fn axis(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = node(call, 0)?;
    let wanted = if call.count() > 1 { Some(name(call, 1)?) } else { None };
    let member = call.member.name.as_str();
    let found = filtered(member, of(member, &me), wanted.as_ref());
    call.allocate(found.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::sequence(found.into_iter().map(value).collect()))
}

/// The same for every node of a sequence.
pub(super) fn sequence_axis(call: &mut Call<'_>) -> Result<Value, Fault> {
    let sources: Vec<_> = call.items(0)?.iter().filter_map(node_of).collect();
    if call.member.name == "Remove" {
        for node in &sources {
            node.detach();
        }
        return Ok(Value::Null);
    }
    let wanted = if call.count() > 1 { Some(name(call, 1)?) } else { None };
    let member = call.member.name.as_str();
    let mut out = Vec::new();
    for source in sources {
        let found = filtered(member, of(member, &source), wanted.as_ref());
        call.allocate(found.len().saturating_mul(size_of::<Value>()))?;
        out.extend(found.into_iter().map(value));
    }
    Ok(Value::sequence(out))
}
