//! The tree of a policy document: elements with their positions, values that are literals or expressions.
//!
//! It is what the reader yields, before named values are put in and before anything is known about
//! policies. Comments are not part of it; the source text keeps them.

use crate::position::Position;

/// The value of an attribute or of an element's text (specification 1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Plain text.
    Literal(String),
    /// A C# expression, `@(...)` or `@{...}`, with its delimiters.
    Expression(Expression),
}

/// The source of a C# expression and where it begins in the submitted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The text from `@` to the closing bracket.
    pub text: String,
    /// The position of its `@`.
    pub position: Position,
}

impl Value {
    /// Sorts a value: an expression when it begins with `@(` or `@{` after white space, else a literal.
    /// The position is that of its first character that is not white space.
    pub fn of(text: String, position: Position) -> Self {
        let trimmed = text.trim_start();
        if trimmed.starts_with("@(") || trimmed.starts_with("@{") {
            return Self::Expression(Expression { text: text.trim().to_owned(), position });
        }
        Self::Literal(text)
    }

    /// The text as written, whichever it is.
    pub fn text(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Expression(expression) => &expression.text,
        }
    }
}

/// One element with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The name, as written.
    pub name: String,
    /// The first character of the name in the start tag.
    pub position: Position,
    /// The attributes in order; names are unique.
    pub attributes: Vec<Attribute>,
    /// Child elements and text in order.
    pub children: Vec<Node>,
    /// The source between the tags of a `set-body` that has markup in it; sent as it stands.
    pub markup: Option<String>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name, as written.
    pub name: String,
    /// The first character of the value.
    pub position: Position,
    /// The value, entities decoded.
    pub value: Value,
}

/// A child of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Text or CDATA, entities decoded.
    Text {
        /// The characters.
        text: String,
        /// The first character.
        position: Position,
    },
}

impl Element {
    /// The child elements in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text { .. } => None,
        })
    }

    /// The child elements of one name in order.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// The first child element of that name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The text of the attribute of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attribute(name).map(|attribute| attribute.value.text())
    }

    /// The position of the first text that is not white space.
    pub fn text_position(&self) -> Option<Position> {
        self.children.iter().find_map(|node| match node {
            Node::Text { text, position } if !text.trim().is_empty() => Some(*position),
            _ => None,
        })
    }

    /// All text of the element, or its markup; white space is kept in literals.
    pub fn content(&self) -> Value {
        let position = self.text_position().unwrap_or(self.position);
        if let Some(markup) = &self.markup {
            return Value::of(markup.clone(), position);
        }
        let mut all = String::new();
        for node in &self.children {
            if let Node::Text { text, .. } = node {
                all.push_str(text);
            }
        }
        Value::of(all, position)
    }

    /// The literal text without white space around it.
    pub fn trimmed_text(&self) -> String {
        self.content().text().trim().to_owned()
    }
}
