//! From text to a [`ScopedDocument`]: read, put named values in, check, compile (specification 9, "Checks to
//! run"). Total: whatever is wrong becomes diagnostics, and a document with an error compiles to nothing.

mod named_values;

#[cfg(test)]
mod tests;

use crate::machine::step::Step;
use crate::plan::{Item, Node, ScopedDocument};
use crate::policies;
use crate::position::Position;
use crate::reader::{Format, read};
use crate::schema::check::Checker;
use crate::schema::messages::{PolicyPlace, in_element};
use crate::section::{Scope, Section};
use crate::setting::Reads;
use crate::tree::Element;
use handfast_core::{Diagnostic, Place};
use handfast_openapi::contract::Compiled as SchemaResource;
use handfast_pki::{Certificate, PrivateKey};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The largest document and fragment (specification 10).
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1024;

/// What a document is compiled against.
pub struct CompileOptions<'a> {
    /// The scope that the document is attached to.
    pub scope: Scope,
    /// The form of its text.
    pub format: Format,
    /// The value of a named value by display name.
    pub named_value: &'a dyn Fn(&str) -> Option<String>,
    /// A fragment by id.
    pub fragment: &'a dyn Fn(&str) -> Option<FragmentSource>,
    /// Whether a backend of that id exists.
    pub backend_exists: &'a dyn Fn(&str) -> bool,
    /// Whether an event hub logger of that id exists.
    pub logger_exists: &'a dyn Fn(&str) -> bool,
    /// The SHA-1 thumbprint of a certificate of the service by its id.
    pub certificate_thumbprint: &'a dyn Fn(&str) -> Option<String>,
    /// A certificate of the service by its id, for the keys of token policies.
    pub certificate: &'a dyn Fn(&str) -> Option<ServiceCertificate>,
    /// A schema of the service by its id, compiled.
    pub schema: &'a dyn Fn(&str) -> Option<Arc<SchemaResource>>,
    /// The largest text.
    pub bytes_max: usize,
    /// Whether expressions are accepted only as the real service accepts them.
    pub strict: bool,
}

impl CompileOptions<'_> {
    /// Options without named values and fragments, in which every backend, logger and certificate exists; the
    /// certificates have issued nothing.
    pub fn new(scope: Scope, format: Format) -> Self {
        Self {
            scope,
            format,
            named_value: &|_| None,
            fragment: &|_| None,
            backend_exists: &|_| true,
            logger_exists: &|_| true,
            certificate_thumbprint: &|_| Some(String::new()),
            certificate: &|_| Some(ServiceCertificate::default()),
            schema: &|_| None,
            bytes_max: DOCUMENT_BYTES_MAX,
            strict: false,
        }
    }
}

/// A certificate of the service as far as whoever compiles has it.
#[derive(Clone, Debug, Default)]
pub struct ServiceCertificate {
    /// The certificate.
    pub certificate: Option<Certificate>,
    /// Its private key.
    pub key: Option<PrivateKey>,
}

/// The text of a fragment.
#[derive(Clone, Debug)]
pub struct FragmentSource {
    /// The document, root element `fragment`.
    pub text: String,
    /// The form of the text.
    pub format: Format,
}

/// The outcome of compiling a document.
#[derive(Debug)]
pub struct Compiled {
    /// The document, unless there is an error among the diagnostics.
    pub document: Option<Arc<ScopedDocument>>,
    /// Everything found, in document order per check.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles one document.
pub fn compile(text: &str, options: &CompileOptions<'_>) -> Compiled {
    let mut diagnostics = Vec::new();
    let document = compile_into(text, options, &mut diagnostics);
    let refused = diagnostics.iter().any(Diagnostic::is_error);
    Compiled { document: document.filter(|_| !refused).map(Arc::new), diagnostics }
}

fn compile_into(
    text: &str,
    options: &CompileOptions<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ScopedDocument> {
    let root = load(text, options.format, options, diagnostics)?;
    let mut checker = Checker { scope: options.scope, diagnostics, expressions: Vec::new() };
    checker.document(&root);
    let expressions = checker.expressions;
    if diagnostics.iter().any(Diagnostic::is_error) {
        return None;
    }
    let mut sections: [Option<Vec<Item>>; 4] = Default::default();
    let mut compiler = Compiler::new(options, diagnostics);
    for element in root.elements() {
        let Some(section) = Section::parse(&element.name) else { continue };
        compiler.section = section;
        if let Some(slot) = sections.get_mut(section as usize) {
            *slot = Some(compiler.items(element));
        }
    }
    compiler.report_unread(expressions);
    Some(ScopedDocument { scope: options.scope, sections })
}

/// Reads a text and puts named values in.
fn load(
    text: &str,
    format: Format,
    options: &CompileOptions<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Element> {
    if text.len() > options.bytes_max {
        let message =
            format!("the document has {} bytes; at most {} are accepted", text.len(), options.bytes_max);
        diagnostics.push(Diagnostic::error("PolicyTooLarge", message));
        return None;
    }
    match read(text, format) {
        Ok(mut tree) => {
            named_values::substitute(&mut tree.root, options.named_value, diagnostics);
            Some(tree.root)
        }
        Err(error) => {
            diagnostics.push(error.diagnostic());
            None
        }
    }
}

/// The parts of a compiled policy.
pub(crate) struct Parts {
    pub(crate) step: Box<dyn Step>,
    pub(crate) blocks: Vec<Vec<Arc<Node>>>,
}

impl Parts {
    /// A policy without children of its own.
    pub(crate) fn leaf(step: impl Step + 'static) -> Option<Self> {
        Some(Self { step: Box::new(step), blocks: Vec::new() })
    }

    /// A wrapper.
    pub(crate) fn wrapper(step: impl Step + 'static, blocks: Vec<Vec<Arc<Node>>>) -> Option<Self> {
        Some(Self { step: Box::new(step), blocks })
    }
}

/// What a policy's compile function sees of its surroundings.
pub(crate) struct Compiler<'a> {
    pub(crate) options: &'a CompileOptions<'a>,
    pub(crate) section: Section,
    /// The place of the policy being compiled.
    path: String,
    /// The fragment being inlined.
    fragment: Option<&'a str>,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// The policy being compiled.
    pub(crate) policy: PolicyPlace,
    /// Expressions so far.
    pub(crate) slots: u32,
    /// Where the expressions stand that a policy has read.
    pub(crate) taken: HashSet<Position>,
    /// What the expressions of the policy being compiled read.
    pub(crate) reads: Reads,
}

impl<'a> Compiler<'a> {
    fn new(options: &'a CompileOptions<'a>, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            options,
            section: Section::Inbound,
            path: String::new(),
            fragment: None,
            diagnostics,
            policy: PolicyPlace { name: String::new(), position: Position::START },
            slots: 0,
            taken: HashSet::new(),
            reads: Reads::default(),
        }
    }

    /// Reports expressions that the schema allows and no policy has read, once per document.
    fn report_unread(&mut self, expressions: Vec<(Position, Diagnostic)>) {
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let unread = expressions.into_iter().filter(|(position, _)| !self.taken.contains(position));
        self.diagnostics.extend(unread.map(|(_, diagnostic)| diagnostic));
    }

    fn items(&mut self, section: &Element) -> Vec<Item> {
        let mut items = Vec::new();
        for (element, segment) in with_segments(section) {
            if element.name == "base" {
                items.push(Item::Base);
            } else if let Some(node) = self.node(element, segment) {
                items.push(Item::Node(node));
            }
        }
        items
    }

    /// The children of a wrapper, or of one of its branches named by `segment`.
    pub(crate) fn block(&mut self, parent: &Element, segment: Option<&str>) -> Vec<Arc<Node>> {
        let before = self.path.len();
        if let Some(segment) = segment {
            self.path.push('/');
            self.path.push_str(segment);
        }
        let nodes =
            with_segments(parent).filter_map(|(element, segment)| self.node(element, segment)).collect();
        self.path.truncate(before);
        nodes
    }

    fn node(&mut self, element: &Element, segment: String) -> Option<Arc<Node>> {
        let policy = policies::find(&element.name)?;
        let before = self.path.len();
        if before > 0 {
            self.path.push('/');
        }
        self.path.push_str(&segment);
        let here = PolicyPlace { name: element.name.clone(), position: element.position };
        let outer = (std::mem::replace(&mut self.policy, here), std::mem::take(&mut self.reads));
        let parts = (policy.compile)(element, self);
        let reads = std::mem::replace(&mut self.reads, outer.1);
        self.policy = outer.0;
        let node = parts.map(|Parts { step, blocks }| {
            Arc::new(Node {
                name: policy.name,
                id: element.get("id").map(Arc::from),
                scope: self.options.scope,
                path: Arc::from(self.path.as_str()),
                reads,
                step,
                blocks,
            })
        });
        self.path.truncate(before);
        node
    }

    /// The children of a fragment, checked for this section; specification 1.6.
    pub(crate) fn inline(&mut self, include: &Element, id: &str) -> Option<Vec<Arc<Node>>> {
        if self.fragment.is_some() {
            self.refuse(include, "A policy fragment cannot include another fragment");
            return None;
        }
        let Some(source) = (self.options.fragment)(id) else {
            self.refuse(include, format!("Policy fragment with id '{id}' could not be found."));
            return None;
        };
        let (mut found, mut expressions) = (Vec::new(), Vec::new());
        let root = load(&source.text, source.format, self.options, &mut found);
        if let Some(root) = &root {
            if root.name == "fragment" {
                let mut checker =
                    Checker { scope: self.options.scope, diagnostics: &mut found, expressions: Vec::new() };
                checker.fragment(root, self.section);
                expressions = checker.expressions;
            } else {
                found.push(in_element(root, "The root element of a policy fragment is 'fragment'"));
            }
        }
        let mut nodes = None;
        if let Some(root) = root.filter(|_| !found.iter().any(Diagnostic::is_error)) {
            let mut inner = Compiler {
                section: self.section,
                path: std::mem::take(&mut self.path),
                fragment: Some(id),
                slots: self.slots,
                ..Compiler::new(self.options, &mut found)
            };
            nodes = Some(inner.block(&root, None));
            inner.report_unread(expressions);
            self.path = std::mem::take(&mut inner.path);
            self.slots = inner.slots;
        }
        self.diagnostics.extend(found.into_iter().map(|diagnostic| in_fragment(diagnostic, id)));
        nodes
    }

    /// Reports what the schema cannot see.
    pub(crate) fn refuse(&mut self, element: &Element, text: impl AsRef<str>) {
        self.push(in_element(element, text));
    }

    /// Reports a diagnostic.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

/// Names the fragment in a diagnostic's place.
fn in_fragment(mut diagnostic: Diagnostic, id: &str) -> Diagnostic {
    let place = diagnostic.place.take().unwrap_or(Place::text(1, 1));
    diagnostic.at(place.in_file(format!("fragment '{id}'")))
}

/// The child elements with their path segments: the name, with a 1-based index among siblings of the same
/// name when there are several.
pub(crate) fn with_segments(parent: &Element) -> impl Iterator<Item = (&Element, String)> {
    let mut totals: HashMap<&str, (usize, usize)> = HashMap::new();
    for element in parent.elements() {
        totals.entry(&element.name).or_default().1 += 1;
    }
    parent.elements().map(move |element| {
        let (seen, total) = totals.entry(&element.name).or_default();
        *seen += 1;
        let segment = if *total > 1 { format!("{}[{seen}]", element.name) } else { element.name.clone() };
        (element, segment)
    })
}
