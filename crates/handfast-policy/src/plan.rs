//! Compiled documents and their composition to the effective plan of a request (specification 1.7).
//! Nodes are compiled once per document and shared; composing is a walk over pointers.

use crate::machine::step::Step;
use crate::section::{Scope, Section};
use crate::setting::Reads;
use std::fmt;
use std::sync::Arc;

/// A policy in its place.
pub struct Node {
    pub(crate) name: &'static str,
    pub(crate) id: Option<Arc<str>>,
    pub(crate) scope: Scope,
    pub(crate) path: Arc<str>,
    /// What its expressions read.
    pub(crate) reads: Reads,
    pub(crate) step: Box<dyn Step>,
    /// The branches of a wrapper: `when` and `otherwise`, the children of `retry`.
    pub(crate) blocks: Vec<Vec<Arc<Node>>>,
}

impl fmt::Debug for Node {
    /// The place only: literal values may be credentials from named values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.scope.as_str(), self.path)
    }
}

impl Node {
    /// The element name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The scope of the document that it stands in.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Its position in the section, `choose[3]/when[2]/set-header`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it or a policy inside it satisfies a question.
    fn any(&self, question: &dyn Fn(&Self) -> bool) -> bool {
        question(self) || self.blocks.iter().flatten().any(|node| node.any(question))
    }
}

/// What stands directly in a section.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// `<base />`: the wider scopes go here.
    Base,
    Node(Arc<Node>),
}

/// One compiled document with the scope it is attached to.
#[derive(Debug)]
pub struct ScopedDocument {
    pub(crate) scope: Scope,
    /// By [`Section`]; `None` inherits.
    pub(crate) sections: [Option<Vec<Item>>; 4],
}

impl ScopedDocument {
    /// The scope it was compiled for.
    pub fn scope(&self) -> Scope {
        self.scope
    }
}

/// The effective policy of a request: what runs in each section.
#[derive(Debug, Default)]
pub struct Plan {
    sections: [Vec<Arc<Node>>; 4],
    wants_client_certificate: bool,
    /// Whether the request's body may be read after it was forwarded.
    pub(crate) keeps_request_body: bool,
}

impl Plan {
    /// A plan that has policies in one section only.
    pub(crate) fn of_section(section: Section, nodes: Vec<Arc<Node>>) -> Self {
        let mut plan = Self::default();
        if let Some(slot) = plan.sections.get_mut(section as usize) {
            *slot = nodes;
        }
        plan
    }

    /// The policies of a section in order.
    pub fn section(&self, section: Section) -> &[Arc<Node>] {
        self.sections.get(section as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where outbound goes on with a response that came from the cache: behind the first policy that is, or
    /// holds, a `cache-store` or a store of the semantic caches (specification 5.6).
    pub(crate) fn behind_cache_store(&self) -> usize {
        let outbound = self.section(Section::Outbound);
        let stores = |node: &Arc<Node>| node.any(&|node| node.name.ends_with("cache-store"));
        outbound.iter().position(stores).map_or(0, |at| at + 1)
    }

    /// Whether some policy looks at the client certificate, so that the listener has to ask for one.
    pub fn wants_client_certificate(&self) -> bool {
        self.wants_client_certificate
    }
}

/// Composes a chain of documents, narrowest scope first, to the effective plan.
pub fn compile_effective(chain: &[Arc<ScopedDocument>]) -> Plan {
    let mut plan = Plan::default();
    for section in Section::ALL {
        expand(chain, section, &mut plan.sections[section as usize]);
    }
    plan.wants_client_certificate = plan.sections.iter().flatten().any(|node| {
        node.any(&|node| node.name == "validate-client-certificate" || node.reads.client_certificate)
    });
    // What inbound has read is kept anyway.
    plan.keeps_request_body = [Section::Backend, Section::Outbound, Section::OnError]
        .into_iter()
        .flat_map(|section| plan.section(section))
        .any(|node| node.any(&|node| node.reads.request_body));
    plan
}

/// Appends what the chain has for a section. At most one `base` stands in a section, so this recurses once
/// per document.
fn expand(chain: &[Arc<ScopedDocument>], section: Section, out: &mut Vec<Arc<Node>>) {
    let Some((document, wider)) = chain.split_first() else { return };
    let Some(items) = document.sections.get(section as usize).and_then(Option::as_ref) else {
        return expand(wider, section, out);
    };
    for item in items {
        match item {
            Item::Base => expand(wider, section, out),
            Item::Node(node) => out.push(Arc::clone(node)),
        }
    }
}
