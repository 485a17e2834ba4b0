//! Axes, node tests and document order (XPath 1.0 §2.2, §2.3, §5).

use super::Test;
use crate::xml::{Kind, Node, XMLNS};
use std::collections::HashMap;

/// The direction of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    Child,
    Descendant,
    Parent,
    Ancestor,
    FollowingSibling,
    PrecedingSibling,
    Following,
    Preceding,
    Attribute,
    SelfNode,
    DescendantOrSelf,
    AncestorOrSelf,
}

const NAMES: &[(&str, Axis)] = &[
    ("child", Axis::Child),
    ("descendant", Axis::Descendant),
    ("parent", Axis::Parent),
    ("ancestor", Axis::Ancestor),
    ("following-sibling", Axis::FollowingSibling),
    ("preceding-sibling", Axis::PrecedingSibling),
    ("following", Axis::Following),
    ("preceding", Axis::Preceding),
    ("attribute", Axis::Attribute),
    ("self", Axis::SelfNode),
    ("descendant-or-self", Axis::DescendantOrSelf),
    ("ancestor-or-self", Axis::AncestorOrSelf),
];

impl Axis {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// Whether positions count backwards in the document.
    pub(super) fn is_reverse(self) -> bool {
        matches!(
            self,
            Self::Parent | Self::Ancestor | Self::AncestorOrSelf | Self::PrecedingSibling | Self::Preceding
        )
    }
}

/// The top of the tree, which need not be a document.
pub(super) fn root(node: &Node) -> Node {
    node.root()
}

fn siblings(node: &Node) -> (Vec<Node>, usize) {
    match node.position() {
        Some((parent, at)) if !node.is_attribute() => (parent.nodes(), at),
        _ => (Vec::new(), 0),
    }
}

fn with_below(node: Node) -> Vec<Node> {
    let mut out = vec![node.clone()];
    out.extend(node.descendants());
    out
}

fn is_declaration(node: &Node) -> bool {
    node.name()
        .is_some_and(|name| &*name.space == XMLNS || (name.space.is_empty() && &*name.local == "xmlns"))
}

/// The nodes on an axis, nearest first.
pub(super) fn nodes(axis: Axis, node: &Node) -> Vec<Node> {
    match axis {
        Axis::Child => node.nodes(),
        Axis::Descendant => node.descendants(),
        Axis::DescendantOrSelf => with_below(node.clone()),
        Axis::SelfNode => vec![node.clone()],
        Axis::Parent => node.parent().into_iter().collect(),
        Axis::Ancestor => node.ancestors(),
        Axis::AncestorOrSelf => std::iter::once(node.clone()).chain(node.ancestors()).collect(),
        Axis::Attribute => node.attributes().into_iter().filter(|found| !is_declaration(found)).collect(),
        Axis::FollowingSibling => {
            let (all, at) = siblings(node);
            all.into_iter().skip(at + 1).collect()
        }
        Axis::PrecedingSibling => {
            let (all, at) = siblings(node);
            all.into_iter().take(at).rev().collect()
        }
        Axis::Following => {
            let line = std::iter::once(node.clone()).chain(node.ancestors());
            line.flat_map(|at| nodes(Axis::FollowingSibling, &at)).flat_map(with_below).collect()
        }
        Axis::Preceding => {
            let line = std::iter::once(node.clone()).chain(node.ancestors());
            line.flat_map(|at| nodes(Axis::PrecedingSibling, &at))
                .flat_map(|at| {
                    let mut below = with_below(at);
                    below.reverse();
                    below
                })
                .collect()
        }
    }
}

/// Whether a node passes a test; names are those of the axis' principal kind.
pub(crate) fn matches(test: &Test, axis: Axis, node: &Node) -> bool {
    let principal = if axis == Axis::Attribute { node.is_attribute() } else { node.is_element() };
    let name = || node.name().unwrap_or_default();
    match test {
        Test::Node => true,
        Test::Any => principal,
        Test::Space(space) => principal && *name().space == **space,
        Test::Name(space, local) => {
            let name = name();
            principal && *name.local == **local && *name.space == **space
        }
        Test::Text => node.look(|kind| matches!(kind, Kind::Text(_) | Kind::CData(_))),
        Test::Comment => node.look(|kind| matches!(kind, Kind::Comment(_))),
        Test::Instruction(wanted) => node.look(|kind| match kind {
            Kind::Instruction { target, .. } => wanted.as_ref().is_none_or(|wanted| wanted == target),
            _ => false,
        }),
    }
}

/// Document order. The places of children are looked up once per parent.
#[derive(Default)]
pub(crate) struct Order(HashMap<usize, HashMap<usize, usize>>);

impl Order {
    /// A key that sorts in document order: positions from the root down, attributes before children.
    pub(crate) fn key(&mut self, node: &Node) -> Vec<(bool, usize)> {
        let mut key = Vec::new();
        let mut at = node.clone();
        while let Some(parent) = at.parent() {
            let known = self.0.entry(parent.address()).or_insert_with(|| {
                let all = [parent.attributes(), parent.nodes()];
                all.iter()
                    .flat_map(|some| some.iter().enumerate())
                    .map(|(i, one)| (one.address(), i))
                    .collect()
            });
            let Some(index) = known.get(&at.address()) else { break };
            key.push((!at.is_attribute(), *index));
            at = parent;
        }
        key.reverse();
        key
    }
}
