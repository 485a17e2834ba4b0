//! What a document may contain: one [`PolicySchema`] per policy, written down beside the policy itself,
//! and a checker that needs nothing else (specification 4, 5, 9, 11.1).

mod catalogue;
pub(crate) mod check;
mod kind;
pub(crate) mod messages;
mod suggest;

pub(crate) use catalogue::find as find_in_catalogue;
pub use catalogue::{ALL as CATALOGUE, Entry as CatalogueEntry};
pub(crate) use kind::Kind;

/// The content model of one policy element.
#[derive(Debug)]
pub(crate) struct ElementSchema {
    /// Its attributes; `id` is legal on every policy besides them.
    pub(crate) attributes: &'static [AttributeSchema],
    /// What stands between its tags.
    pub(crate) content: Content,
}

/// One attribute.
#[derive(Debug)]
pub(crate) struct AttributeSchema {
    /// The name.
    pub(crate) name: &'static str,
    /// Whether the element is refused without it.
    pub(crate) required: bool,
    /// Whether an expression may stand in it.
    pub(crate) expression: bool,
    /// What a literal must look like.
    pub(crate) kind: Kind,
}

/// What stands between the tags of an element.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// Text, or an expression.
    Text,
    /// Text, markup, or an expression.
    Markup,
    /// Child elements in this order.
    Sequence(&'static [Particle]),
    /// Child elements in any order; at least this many in all.
    AnyOrder(&'static [Particle], usize),
    /// Text, or child elements in this order.
    TextOr(&'static [Particle]),
    /// Markup of another language, which its policy reads: neither attributes nor children are checked here.
    Foreign,
    /// Any policies that are legal in the section.
    Policies,
}

/// A child element in a content model.
#[derive(Debug)]
pub(crate) struct Particle {
    /// The element name.
    pub(crate) name: &'static str,
    /// The fewest that must stand.
    pub(crate) min: usize,
    /// The most that may stand.
    pub(crate) max: usize,
    /// Its own content model.
    pub(crate) element: &'static ElementSchema,
}

impl AttributeSchema {
    /// An optional attribute that may be an expression.
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, required: false, expression: true, kind }
    }

    /// The same, required.
    #[must_use]
    pub(crate) const fn required(self) -> Self {
        Self { name: self.name, required: true, expression: self.expression, kind: self.kind }
    }

    /// The same, literal only.
    #[must_use]
    pub(crate) const fn literal(self) -> Self {
        Self { name: self.name, required: self.required, expression: false, kind: self.kind }
    }
}

impl Particle {
    /// Exactly one.
    pub(crate) const fn one(name: &'static str, element: &'static ElementSchema) -> Self {
        Self { name, min: 1, max: 1, element }
    }

    /// None or one.
    pub(crate) const fn optional(name: &'static str, element: &'static ElementSchema) -> Self {
        Self { name, min: 0, max: 1, element }
    }

    /// Any number.
    pub(crate) const fn any(name: &'static str, element: &'static ElementSchema) -> Self {
        Self { name, min: 0, max: usize::MAX, element }
    }

    /// One or more.
    pub(crate) const fn some(name: &'static str, element: &'static ElementSchema) -> Self {
        Self { name, min: 1, max: usize::MAX, element }
    }
}

/// An element that has only text, such as `value`.
pub(crate) static TEXT: ElementSchema = ElementSchema { attributes: &[], content: Content::Text };
