//! `System.Xml.Linq`: names, nodes, how they are made and changed.

mod document;
mod navigate;
mod schema;

pub(crate) use schema::to_type;

use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Type};
use crate::value::{Object, Value};
use crate::xml::{self, Declaration, Kind, Name, Node, XMLNS};
use navigate::{axis, element, sequence_axis};

pub(super) static SAVE_OPTIONS: EnumDef = EnumDef {
    name: "SaveOptions",
    namespace: "System.Xml.Linq",
    flags: true,
    members: &[("None", 0), ("DisableFormatting", 1), ("OmitDuplicateNamespaces", 2)],
};

pub(super) static LOAD_OPTIONS: EnumDef = EnumDef {
    name: "LoadOptions",
    namespace: "System.Xml.Linq",
    flags: true,
    members: &[("None", 0), ("PreserveWhitespace", 1), ("SetBaseUri", 2), ("SetLineInfo", 4)],
};

pub(super) static NODE_TYPE: EnumDef = EnumDef {
    name: "XmlNodeType",
    namespace: "System.Xml",
    flags: false,
    members: &[
        ("None", 0),
        ("Element", 1),
        ("Attribute", 2),
        ("Text", 3),
        ("CDATA", 4),
        ("EntityReference", 5),
        ("Entity", 6),
        ("ProcessingInstruction", 7),
        ("Comment", 8),
        ("Document", 9),
        ("DocumentType", 10),
        ("DocumentFragment", 11),
        ("Notation", 12),
        ("Whitespace", 13),
        ("SignificantWhitespace", 14),
        ("EndElement", 15),
        ("EndEntity", 16),
        ("XmlDeclaration", 17),
    ],
};

/// What a node costs, beside its text.
const NODE_BYTES: usize = 200;

pub(super) fn refused(message: impl Into<String>) -> Fault {
    throw("XmlException", message)
}

pub(crate) fn value(node: Node) -> Value {
    Value::object(Object::Xml(node))
}

pub(super) fn or_null(node: Option<Node>) -> Value {
    node.map_or(Value::Null, value)
}

pub(super) fn node_of(value: &Value) -> Option<Node> {
    match value {
        Value::Object(object) => match &**object {
            Object::Xml(node) => Some(node.clone()),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn node(call: &Call<'_>, at: usize) -> Result<Node, Fault> {
    node_of(call.arg(at)).ok_or_else(|| call.missing(at))
}

/// Text as a node of a class, within the budget.
pub(crate) fn parse_text(call: &mut Call<'_>, text: &str, class: &str, keep: bool) -> Result<Value, Fault> {
    // A node for every tag is the worst that a text can hold.
    call.allocate(text.len().saturating_add(text.matches('<').count().saturating_mul(NODE_BYTES)))?;
    let document = xml::parse(text, keep).map_err(refused)?;
    if class == "XDocument" {
        return Ok(value(document));
    }
    let root = document.nodes().into_iter().find(Node::is_element);
    if let Some(root) = &root {
        root.detach();
    }
    Ok(or_null(root))
}

fn parse(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    let keep = matches!(call.arg(1), Value::Enum(_, options) if options & 1 != 0);
    parse_text(call, &text, call.member.owner, keep)
}

// === Names ===

pub(crate) fn name_value(name: &Name) -> Value {
    Value::record(
        "XName",
        vec![("LocalName", Value::str(&name.local)), ("NamespaceName", Value::str(&name.space))],
    )
}

fn space_value(space: &str) -> Value {
    Value::record("XNamespace", vec![("NamespaceName", Value::str(space))])
}

/// A text as an `XName` or `XNamespace`, as the implicit conversions make it.
pub(crate) fn named_from(text: &Value, class: &str) -> Result<Value, Fault> {
    let Value::Str(text) = text else { return Ok(Value::Null) };
    if class == "XNamespace" {
        return Ok(space_value(text));
    }
    let name = Name::expanded(text);
    checked_name(&name)?;
    Ok(name_value(&name))
}

fn checked_name(name: &Name) -> Result<(), Fault> {
    if name.local.is_empty() {
        return Err(throw(
            "ArgumentException",
            "The value cannot be an empty string. (Parameter 'expandedName')",
        ));
    }
    let start = |c: char| c.is_alphabetic() || c == '_';
    let wrong = |c: char| !(start(c) || c.is_numeric() || "-.\u{b7}".contains(c));
    if !name.local.starts_with(start) {
        let c = name.local.chars().next().unwrap_or(' ');
        return Err(refused(format!(
            "Name cannot begin with the '{c}' character, hexadecimal value 0x{:02X}.",
            c as u32
        )));
    }
    match name.local.chars().find(|c| wrong(*c)) {
        None => Ok(()),
        Some(c) => Err(refused(format!(
            "The '{c}' character, hexadecimal value 0x{:02X}, cannot be included in a name.",
            c as u32
        ))),
    }
}

/// The name that an argument is.
pub(super) fn name(call: &Call<'_>, at: usize) -> Result<Name, Fault> {
    match call.arg(at) {
        Value::Null => Err(call.missing(at)),
        Value::Str(text) => Ok(Name::expanded(text)),
        other => Ok(Name::new(
            &super::context::named(other, "NamespaceName").to_text(),
            &super::context::named(other, "LocalName").to_text(),
        )),
    }
}

fn get_name(call: &mut Call<'_>) -> Result<Value, Fault> {
    let made = match call.count() {
        1 => Name::expanded(&call.text(0)?),
        _ => Name::new(&call.text(1)?, &call.text(0)?),
    };
    checked_name(&made)?;
    Ok(name_value(&made))
}

/// `namespace + "local"`.
pub(crate) fn joined(space: &Value, local: &Value) -> Result<Value, Fault> {
    let made = Name::new(&super::context::named(space, "NamespaceName").to_text(), &local.to_text());
    checked_name(&made)?;
    Ok(name_value(&made))
}

fn space_name(call: &mut Call<'_>) -> Result<Value, Fault> {
    joined(&call.arg(0).clone(), &Value::Str(call.text(1)?))
}

fn get_space(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(match call.member.name.as_str() {
        "None" => space_value(""),
        "Xml" => space_value(xml::XML),
        "Xmlns" => space_value(XMLNS),
        "Namespace" => space_value(&super::context::named(call.arg(0), "NamespaceName").to_text()),
        _ => space_value(&call.text(0)?),
    })
}

fn text_of(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::str(call.arg(0).to_text()))
}

// === Properties ===

fn property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = node(call, 0)?;
    Ok(match call.member.name.as_str() {
        "Name" => me.name().map_or(Value::Null, |name| name_value(&name)),
        "Value" | "Data" => {
            let text = me.value();
            call.allocate(text.len())?;
            Value::str(text)
        }
        "Target" => Value::str(me.name().unwrap_or_default().local),
        "HasElements" => Value::Bool(!me.elements().is_empty()),
        "HasAttributes" => Value::Bool(!me.attributes().is_empty()),
        "IsEmpty" => Value::Bool(
            me.look(|kind| matches!(kind, Kind::Element { nodes, open, .. } if nodes.is_empty() && !open)),
        ),
        "IsNamespaceDeclaration" => Value::Bool(
            me.name().is_some_and(|n| &*n.space == XMLNS || (n.space.is_empty() && &*n.local == "xmlns")),
        ),
        "Declaration" => me.look(|kind| match kind {
            Kind::Document { declaration: Some(found), .. } => declaration_value(found),
            _ => Value::Null,
        }),
        "NodeType" => Value::Enum(
            &NODE_TYPE,
            match me.class() {
                "XElement" => 1,
                "XAttribute" => 2,
                "XText" => 3,
                "XCData" => 4,
                "XProcessingInstruction" => 7,
                "XComment" => 8,
                _ => 9,
            },
        ),
        _ => Value::Null,
    })
}

fn set_property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = node(call, 0)?;
    if call.member.name == "Name" {
        let new = name(call, 1)?;
        me.change(|kind| {
            if let Kind::Element { name, .. } = kind {
                *name = new;
            }
        });
    } else if call.member.name == "Declaration" {
        let new = declaration_of(call.arg(1));
        me.change(|kind| {
            if let Kind::Document { declaration, .. } = kind {
                *declaration = new;
            }
        });
    } else {
        me.set_value(&call.text(1)?);
    }
    Ok(call.arg(1).clone())
}

fn declaration_value(found: &Declaration) -> Value {
    let text = |text: &Option<String>| text.as_ref().map_or(Value::Null, Value::str);
    super::cell::make(
        Type::class("XDeclaration"),
        vec![
            ("Version", text(&found.version)),
            ("Encoding", text(&found.encoding)),
            ("Standalone", text(&found.standalone)),
        ],
    )
}

fn declaration_of(value: &Value) -> Option<Declaration> {
    let field = |name| super::cell::of(value, name).as_str().map(str::to_owned);
    value.type_of().is("XDeclaration").then(|| Declaration {
        version: field("Version"),
        encoding: field("Encoding"),
        standalone: field("Standalone"),
    })
}

fn new_declaration(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = |at: usize| call.arg(at).as_str().map(str::to_owned);
    Ok(declaration_value(&Declaration { version: text(0), encoding: text(1), standalone: text(2) }))
}

fn declaration_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut out = "<?xml".to_owned();
    for (label, field) in [("version", "Version"), ("encoding", "Encoding"), ("standalone", "Standalone")] {
        if let Value::Str(text) = super::cell::of(call.arg(0), field) {
            out.push_str(&format!(" {label}=\"{text}\""));
        }
    }
    Ok(Value::str(out + "?>"))
}

fn display(call: &mut Call<'_>) -> Result<Value, Fault> {
    let plain = matches!(call.arg(1), Value::Enum(_, options) if options & 1 != 0);
    let text = node(call, 0)?.to_text(plain);
    call.allocate(text.len())?;
    Ok(Value::str(text))
}

// === Content ===

/// Adds content to a container: nothing for null, nodes and attributes as such, collections item by item,
/// anything else as its text.
fn add(call: &mut Call<'_>, to: &Node, at: &mut usize, content: &Value, depth: usize) -> Result<(), Fault> {
    if depth > xml::DEPTH_MAX {
        return Err(Fault::Budget);
    }
    call.allocate(NODE_BYTES)?;
    let child = match content {
        Value::Null => return Ok(()),
        other => match node_of(other) {
            Some(child) => child,
            None => {
                let scalar = matches!(other, Value::Str(_)) || other.as_bytes().is_some();
                if !scalar && let Some(items) = call.items_of(other)? {
                    for item in items {
                        add(call, to, at, &item, depth + 1)?;
                    }
                    return Ok(());
                }
                let text = schema::text(other);
                call.allocate(text.len())?;
                if text.is_empty() && !to.nodes().is_empty() {
                    return Ok(());
                }
                return add_text(to, at, &text);
            }
        },
    };
    if child.is_attribute() {
        let taken = child.name().and_then(|name| to.attribute(&name)).is_some();
        if taken {
            return Err(throw("InvalidOperationException", "Duplicate attribute."));
        }
        to.put_attribute(child);
        return Ok(());
    }
    if let (true, Some(declaration)) = (to.class() == "XDocument", declaration_of(content)) {
        to.change(|kind| {
            if let Kind::Document { declaration: place, .. } = kind {
                *place = Some(declaration);
            }
        });
        return Ok(());
    }
    if child.class() == "XDocument" {
        return Err(throw("ArgumentException", "A node of type Document cannot be added to content."));
    }
    // A copy is charged for what it holds; a tree that would hold itself is copied first.
    let own = child.same(to) || to.ancestors().iter().any(|above| above.same(&child));
    let child = if own || child.parent().is_some() {
        call.allocate((child.descendants().len() + 1).saturating_mul(NODE_BYTES) + child.value().len())?;
        child.deep_clone()
    } else {
        child
    };
    if to.depth() >= xml::DEPTH_MAX {
        return Err(Fault::Budget);
    }
    to.insert(*at, child);
    *at = at.saturating_add(1);
    Ok(())
}

fn add_text(to: &Node, at: &mut usize, text: &str) -> Result<(), Fault> {
    if to.class() == "XDocument" {
        if text.chars().all(char::is_whitespace) {
            return Ok(());
        }
        return Err(throw("ArgumentException", "Non-whitespace characters cannot be added to content."));
    }
    let nodes = to.nodes();
    let before = (*at).min(nodes.len()).checked_sub(1).and_then(|at| nodes.get(at));
    if let Some(last) = before
        && last.class() == "XText"
    {
        last.set_value(&format!("{}{text}", last.value()));
        return Ok(());
    }
    if text.is_empty() {
        to.set_value("");
        return Ok(());
    }
    to.insert(*at, Node::text(text));
    *at = at.saturating_add(1);
    Ok(())
}

/// Arguments from one on, an array of `params` taken apart.
fn content(call: &mut Call<'_>, from: usize) -> Result<Vec<Value>, Fault> {
    let params = call.member.params.last().is_some_and(|param| param.mode == crate::surface::Mode::Params);
    if params { call.items(call.count() - 1) } else { Ok(call.args.get(from..).unwrap_or(&[]).to_vec()) }
}

fn add_all(call: &mut Call<'_>, to: &Node, mut at: usize, from: usize) -> Result<(), Fault> {
    for item in content(call, from)? {
        add(call, to, &mut at, &item, 0)?;
    }
    Ok(())
}

fn new_element(call: &mut Call<'_>) -> Result<Value, Fault> {
    call.allocate(NODE_BYTES)?;
    if let Some(other) = node_of(call.arg(0)) {
        call.allocate(other.descendants().len().saturating_mul(NODE_BYTES))?;
        return Ok(value(other.deep_clone()));
    }
    let name = name(call, 0)?;
    checked_name(&name)?;
    let made = Node::element(name);
    if call.count() > 1 {
        add_all(call, &made, usize::MAX, 1)?;
    }
    Ok(value(made))
}

fn new_document(call: &mut Call<'_>) -> Result<Value, Fault> {
    if let Some(other) = node_of(call.arg(0)).filter(|other| other.class() == "XDocument") {
        return Ok(value(other.deep_clone()));
    }
    let made = Node::document();
    if let Some(declaration) = declaration_of(call.arg(0)) {
        made.change(|kind| {
            if let Kind::Document { declaration: place, .. } = kind {
                *place = Some(declaration);
            }
        });
    }
    if call.count() > 0 {
        add_all(call, &made, usize::MAX, 0)?;
    }
    if made.elements().len() > 1 {
        return Err(throw(
            "InvalidOperationException",
            "This operation would create an incorrectly structured document.",
        ));
    }
    Ok(value(made))
}

fn new_attribute(call: &mut Call<'_>) -> Result<Value, Fault> {
    if call.arg(1).is_null() {
        return Err(call.missing(1));
    }
    let (name, text) = (name(call, 0)?, schema::text(call.arg(1)));
    checked_name(&name)?;
    call.allocate(NODE_BYTES + text.len())?;
    Ok(value(Node::attribute_of(name, &text)))
}

fn new_leaf(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?.to_string();
    call.allocate(NODE_BYTES + text.len())?;
    Ok(value(Node::new(match call.member.owner {
        "XText" => Kind::Text(text),
        "XCData" => Kind::CData(text),
        "XComment" => Kind::Comment(text),
        _ => Kind::Instruction { target: text, data: call.text(1)?.to_string() },
    })))
}

/// Members that change the tree.
fn change(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = node(call, 0)?;
    let missing = || throw("InvalidOperationException", "The parent is missing.");
    match call.member.name.as_str() {
        "Add" => add_all(call, &me, usize::MAX, 1)?,
        "AddFirst" => add_all(call, &me, 0, 1)?,
        "AddAfterSelf" | "AddBeforeSelf" => {
            let (parent, at) = me.position().ok_or_else(missing)?;
            add_all(call, &parent, at + usize::from(call.member.name == "AddAfterSelf"), 1)?;
        }
        "ReplaceWith" => {
            let (parent, at) = me.position().ok_or_else(missing)?;
            me.detach();
            add_all(call, &parent, at, 1)?;
        }
        "Remove" if !me.detach() => return Err(missing()),
        "Remove" => {}
        "RemoveNodes" => me.remove_nodes(),
        "RemoveAttributes" => me.remove_attributes(),
        "RemoveAll" | "ReplaceAll" => {
            me.remove_attributes();
            me.remove_nodes();
            if call.member.name == "ReplaceAll" {
                add_all(call, &me, usize::MAX, 1)?;
            }
        }
        "ReplaceAttributes" => {
            me.remove_attributes();
            add_all(call, &me, usize::MAX, 1)?;
        }
        "ReplaceNodes" => {
            me.remove_nodes();
            add_all(call, &me, usize::MAX, 1)?;
        }
        _ => {
            if call.arg(1).is_null() {
                return Err(call.missing(1));
            }
            me.set_value(&schema::text(call.arg(1)));
        }
    }
    Ok(Value::Null)
}

/// `SetAttributeValue`, `SetElementValue`: null removes.
fn set_part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (me, name, new) = (node(call, 0)?, name(call, 1)?, call.arg(2).clone());
    call.allocate(NODE_BYTES)?;
    let attribute = call.member.name == "SetAttributeValue";
    let found = if attribute { me.attribute(&name) } else { me.child(&name) };
    match (found, new) {
        (Some(found), Value::Null) => {
            found.detach();
        }
        (None, Value::Null) => {}
        (Some(found), new) => found.set_value(&schema::text(&new)),
        (None, new) if attribute => me.put_attribute(Node::attribute_of(name, &schema::text(&new))),
        (None, new) => {
            let child = Node::element(name);
            child.set_value(&schema::text(&new));
            me.insert(usize::MAX, child);
        }
    }
    Ok(Value::Null)
}

fn deep_equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(match (node_of(call.arg(0)), node_of(call.arg(1))) {
        (Some(a), Some(b)) => a.deep_equals(&b),
        (a, b) => a.is_none() && b.is_none(),
    }))
}

fn prefixes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = node(call, 0)?;
    Ok(match call.member.name.as_str() {
        "GetDefaultNamespace" => space_value(&me.namespace_of("").unwrap_or_default()),
        "GetNamespaceOfPrefix" => {
            me.namespace_of(&call.text(1)?).map_or(Value::Null, |space| space_value(&space))
        }
        _ => {
            let space = super::context::named(call.arg(1), "NamespaceName").to_text();
            me.prefix_of(&space).filter(|prefix| !prefix.is_empty()).map_or(Value::Null, Value::str)
        }
    })
}

const SPACE: TypeDef = TypeDef { namespace: "System.Xml.Linq", ..PLAIN };

const LINQ: &[TypeDef] = &[
    TypeDef {
        name: "XName",
        rows: &[
            Row(
                "static XName Get(string expandedName); static XName Get(string localName, string namespaceName)",
                get_name,
            ),
            Row("string LocalName; string NamespaceName", super::context::field),
            Row("XNamespace Namespace", get_space),
            Row("string ToString()", text_of),
            Row("bool Equals(object obj)", super::strings::object_equals),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XNamespace",
        rows: &[
            Row(
                "static XNamespace Get(string namespaceName); static XNamespace None; static XNamespace Xml; static XNamespace Xmlns",
                get_space,
            ),
            Row("string NamespaceName", super::context::field),
            Row("XName GetName(string localName)", space_name),
            Row("string ToString()", text_of),
            Row("bool Equals(object obj)", super::strings::object_equals),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XDeclaration",
        rows: &[
            Row("new(string version, string encoding, string standalone)", new_declaration),
            Row("string Version; string Encoding; string Standalone", super::cell::get),
            Row("set string Version; set string Encoding; set string Standalone", super::cell::set),
            Row("string ToString()", declaration_text),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XObject",
        rows: &[Row("XElement Parent; XDocument Document", element), Row("XmlNodeType NodeType", property)],
        ..SPACE
    },
    TypeDef {
        name: "XNode",
        bases: &["XObject"],
        rows: &[
            Row("XNode NextNode; XNode PreviousNode", element),
            Row(
                "IEnumerable<XElement> Ancestors(); IEnumerable<XElement> Ancestors(XName name); IEnumerable<XElement> ElementsAfterSelf(); IEnumerable<XElement> ElementsAfterSelf(XName name); IEnumerable<XElement> ElementsBeforeSelf(); IEnumerable<XElement> ElementsBeforeSelf(XName name); IEnumerable<XNode> NodesAfterSelf(); IEnumerable<XNode> NodesBeforeSelf()",
                axis,
            ),
            Row(
                "void Remove(); void AddAfterSelf(object content); void AddAfterSelf(params object[] content); void AddBeforeSelf(object content); void AddBeforeSelf(params object[] content); void ReplaceWith(object content); void ReplaceWith(params object[] content)",
                change,
            ),
            Row("string ToString(); string ToString(SaveOptions options)", display),
            Row("static XNode ReadFrom(XmlReader reader)", document::read_from),
            Row("static bool DeepEquals(XNode n1, XNode n2)", deep_equals),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XContainer",
        bases: &["XNode"],
        rows: &[
            Row("XNode FirstNode; XNode LastNode; XElement Element(XName name)", element),
            Row(
                "IEnumerable<XElement> Elements(); IEnumerable<XElement> Elements(XName name); IEnumerable<XElement> Descendants(); IEnumerable<XElement> Descendants(XName name); IEnumerable<XNode> Nodes(); IEnumerable<XNode> DescendantNodes()",
                axis,
            ),
            Row(
                "void Add(object content); void Add(params object[] content); void AddFirst(object content); void AddFirst(params object[] content); void RemoveNodes(); void ReplaceNodes(object content); void ReplaceNodes(params object[] content)",
                change,
            ),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XElement",
        bases: &["XContainer"],
        rows: &[
            Row(
                "new(XName name); new(XName name, object content); new(XName name, params object[] content); new(XElement other)",
                new_element,
            ),
            Row(
                "static XElement Parse(string text); static XElement Parse(string text, LoadOptions options)",
                parse,
            ),
            Row("XName Name; string Value; bool HasElements; bool HasAttributes; bool IsEmpty", property),
            Row("set XName Name; set string Value", set_property),
            Row(
                "XAttribute FirstAttribute; XAttribute LastAttribute; XAttribute Attribute(XName name)",
                element,
            ),
            Row(
                "IEnumerable<XAttribute> Attributes(); IEnumerable<XAttribute> Attributes(XName name); IEnumerable<XElement> DescendantsAndSelf(); IEnumerable<XElement> DescendantsAndSelf(XName name); IEnumerable<XElement> AncestorsAndSelf(); IEnumerable<XElement> AncestorsAndSelf(XName name); IEnumerable<XNode> DescendantNodesAndSelf()",
                axis,
            ),
            Row(
                "void SetValue(object value); void RemoveAll(); void RemoveAttributes(); void ReplaceAll(object content); void ReplaceAll(params object[] content); void ReplaceAttributes(params object[] content)",
                change,
            ),
            Row(
                "void SetAttributeValue(XName name, object value); void SetElementValue(XName name, object value)",
                set_part,
            ),
            Row(
                "XNamespace GetDefaultNamespace(); XNamespace GetNamespaceOfPrefix(string prefix); string GetPrefixOfNamespace(XNamespace ns)",
                prefixes,
            ),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XDocument",
        bases: &["XContainer"],
        rows: &[
            Row(
                "new(); new(params object[] content); new(XDeclaration declaration, params object[] content); new(XDocument other)",
                new_document,
            ),
            Row(
                "static XDocument Parse(string text); static XDocument Parse(string text, LoadOptions options)",
                parse,
            ),
            Row("XElement Root", element),
            Row("XDeclaration Declaration", property),
            Row("set XDeclaration Declaration", set_property),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XAttribute",
        bases: &["XObject"],
        rows: &[
            Row("new(XName name, object value)", new_attribute),
            Row("XName Name; string Value; bool IsNamespaceDeclaration", property),
            Row("set string Value", set_property),
            Row("void Remove(); void SetValue(object value)", change),
            Row("XAttribute NextAttribute; XAttribute PreviousAttribute", element),
            Row("string ToString()", display),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XText",
        bases: &["XNode"],
        rows: &[
            Row("new(string value)", new_leaf),
            Row("string Value", property),
            Row("set string Value", set_property),
        ],
        ..SPACE
    },
    TypeDef { name: "XCData", bases: &["XText"], rows: &[Row("new(string value)", new_leaf)], ..SPACE },
    TypeDef {
        name: "XComment",
        bases: &["XNode"],
        rows: &[
            Row("new(string value)", new_leaf),
            Row("string Value", property),
            Row("set string Value", set_property),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XProcessingInstruction",
        bases: &["XNode"],
        rows: &[
            Row("new(string target, string data)", new_leaf),
            Row("string Target; string Data", property),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XmlLinqExtensions",
        rows: &[Row(
            "static IEnumerable<XElement> Elements(this IEnumerable<XContainer> source); static IEnumerable<XElement> Elements(this IEnumerable<XContainer> source, XName name); static IEnumerable<XElement> Descendants(this IEnumerable<XContainer> source); static IEnumerable<XElement> Descendants(this IEnumerable<XContainer> source, XName name); static IEnumerable<XElement> DescendantsAndSelf(this IEnumerable<XElement> source); static IEnumerable<XElement> DescendantsAndSelf(this IEnumerable<XElement> source, XName name); static IEnumerable<XElement> Ancestors(this IEnumerable<XNode> source); static IEnumerable<XElement> Ancestors(this IEnumerable<XNode> source, XName name); static IEnumerable<XAttribute> Attributes(this IEnumerable<XElement> source); static IEnumerable<XAttribute> Attributes(this IEnumerable<XElement> source, XName name); static IEnumerable<XNode> Nodes(this IEnumerable<XContainer> source); static IEnumerable<XNode> DescendantNodes(this IEnumerable<XContainer> source); static void Remove(this IEnumerable<XNode> source); static void Remove(this IEnumerable<XAttribute> source)",
            sequence_axis,
        )],
        ..SPACE
    },
];

/// The types of LINQ to XML, of `System.Xml` and of `System.Xml.XPath`.
pub(super) fn types() -> impl Iterator<Item = &'static TypeDef> {
    LINQ.iter().chain(document::TYPES)
}
