//! `System.Xml`: `XmlDocument` and its nodes as a view of the same tree, the part of `XmlReader` that policies
//! use, and `System.Xml.XPath.Extensions`.

use super::{node, node_of, or_null, parse_text, value};
use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::library::cell;
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::Type;
use crate::value::{Dictionary, Object, Value, lock};
use crate::xml::xpath::{self, Problem};
use crate::xml::{self, Kind, Name, Node};
use std::sync::Mutex;

/// Nodes that one XPath evaluation may visit.
const VISITS_MAX: usize = 1_000_000;

fn wrapped(class: &'static str, inner: Value) -> Value {
    cell::make(Type::class(class), vec![("Node", inner)])
}

/// The class under which `System.Xml` knows a node.
fn class_of(node: &Node) -> &'static str {
    match node.class() {
        "XDocument" => "XmlDocument",
        "XElement" => "XmlElement",
        "XAttribute" => "XmlAttribute",
        _ => "XmlNode",
    }
}

fn view(node: Option<Node>) -> Value {
    node.map_or(Value::Null, |node| wrapped(class_of(&node), value(node)))
}

fn inner(call: &Call<'_>, at: usize) -> Result<Node, Fault> {
    node_of(&cell::of(call.arg(at), "Node")).ok_or_else(|| call.missing(at))
}

// === XPath ===

fn failed(problem: Problem) -> Fault {
    match problem {
        Problem::Syntax(text) => throw("XPathException", text),
        Problem::Budget => Fault::Budget,
    }
}

/// The namespace of a prefix as the manager among the arguments knows it.
fn namespace(call: &Call<'_>, prefix: &str) -> Option<String> {
    let manager = call.args.iter().find(|arg| arg.type_of().is("XmlNamespaceManager"))?;
    match cell::of(manager, "Map") {
        Value::Object(object) => match &*object {
            Object::Dictionary(_, map) => lock(map).get(&Value::str(prefix)).map(Value::to_text),
            _ => None,
        },
        _ => None,
    }
}

fn evaluated(call: &mut Call<'_>, from: &Node) -> Result<xpath::Value, Fault> {
    let text = call.text(1)?;
    let parsed = xpath::parse(&text, &|prefix| namespace(call, prefix)).map_err(failed)?;
    let mut budget = VISITS_MAX.min(*call.memory / 16);
    let before = budget;
    let found = xpath::evaluate(&parsed, from, &mut budget).map_err(failed)?;
    call.allocate((before - budget).saturating_mul(16))?;
    Ok(found)
}

fn selected(call: &mut Call<'_>, from: &Node) -> Result<Vec<Node>, Fault> {
    match evaluated(call, from)? {
        xpath::Value::Nodes(nodes) => Ok(nodes),
        _ => Err(throw("XPathException", "Expression must evaluate to a node-set.")),
    }
}

fn select_elements(call: &mut Call<'_>) -> Result<Value, Fault> {
    let from = node(call, 0)?;
    let mut found = selected(call, &from)?;
    if found.iter().any(|node| !node.is_element()) {
        return Err(throw("InvalidOperationException", "The XPath expression evaluated to unexpected type."));
    }
    Ok(match call.member.name.as_str() {
        "XPathSelectElement" if found.is_empty() => Value::Null,
        "XPathSelectElement" => value(found.remove(0)),
        _ => Value::sequence(found.into_iter().map(value).collect()),
    })
}

fn xpath_evaluate(call: &mut Call<'_>) -> Result<Value, Fault> {
    let from = node(call, 0)?;
    Ok(match evaluated(call, &from)? {
        xpath::Value::Nodes(nodes) => Value::sequence(nodes.into_iter().map(value).collect()),
        xpath::Value::Text(text) => Value::str(text),
        xpath::Value::Number(number) => Value::Double(number),
        xpath::Value::Truth(truth) => Value::Bool(truth),
    })
}

fn select_nodes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let from = inner(call, 0)?;
    let mut found = selected(call, &from)?;
    Ok(match call.member.name.as_str() {
        "SelectSingleNode" if found.is_empty() => Value::Null,
        "SelectSingleNode" => view(Some(found.remove(0))),
        _ => node_list(found),
    })
}

fn node_list(nodes: Vec<Node>) -> Value {
    let items = nodes.into_iter().map(|node| view(Some(node))).collect();
    Value::list(Type::class("XmlNodeList"), items)
}

// === Namespace manager ===

fn new_manager(_: &mut Call<'_>) -> Result<Value, Fault> {
    let of = Type::Class("Dictionary", vec![Type::String, Type::String]);
    let map = Value::object(Object::Dictionary(of, Mutex::new(Dictionary::default())));
    Ok(cell::make(Type::class("XmlNamespaceManager"), vec![("Map", map)]))
}

fn add_namespace(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (prefix, space) = (call.text(1)?, call.text(2)?);
    call.allocate(prefix.len() + space.len() + 100)?;
    if let Value::Object(object) = cell::of(call.arg(0), "Map")
        && let Object::Dictionary(_, map) = &*object
    {
        lock(map).set(Value::Str(prefix), Value::Str(space));
    }
    Ok(Value::Null)
}

fn lookup_namespace(call: &mut Call<'_>) -> Result<Value, Fault> {
    let prefix = call.text(1)?;
    Ok(namespace(call, &prefix).map_or(Value::Null, Value::str))
}

fn name_table(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::record("XmlNameTable", Vec::new()))
}

fn navigator(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::record("XPathNavigator", Vec::new()))
}

// === XmlDocument ===

fn new_document(_: &mut Call<'_>) -> Result<Value, Fault> {
    let document = cell::make(
        Type::class("XmlDocument"),
        vec![("Node", value(Node::document())), ("PreserveWhitespace", Value::Bool(false))],
    );
    Ok(document)
}

fn load(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(1)?;
    let keep = cell::of(call.arg(0), "PreserveWhitespace").as_bool() == Some(true);
    let parsed = parse_text(call, &text, "XDocument", keep)?;
    cell::put(call.arg(0), "Node", parsed);
    Ok(Value::Null)
}

fn property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = inner(call, 0)?;
    let name = || me.name().unwrap_or_default();
    let prefix = || {
        let name = name();
        if name.space.is_empty() { String::new() } else { me.prefix_of(&name.space).unwrap_or_default() }
    };
    let sibling = |step: isize| {
        let (parent, at) = me.position()?;
        parent.nodes().get(at.checked_add_signed(step)?).cloned()
    };
    let text = |text: String| Value::str(text);
    let out = match call.member.name.as_str() {
        "DocumentElement" => view(me.elements().into_iter().next()),
        "FirstChild" => view(me.nodes().into_iter().next()),
        "LastChild" => view(me.nodes().pop()),
        "ParentNode" => view(me.parent()),
        "NextSibling" => view(sibling(1)),
        "PreviousSibling" => view(sibling(-1)),
        "OwnerDocument" => view(Some(me.root())),
        "ChildNodes" => node_list(me.nodes()),
        "Attributes" => node_list(me.attributes()),
        "HasChildNodes" => Value::Bool(!me.nodes().is_empty()),
        "HasAttributes" => Value::Bool(!me.attributes().is_empty()),
        "InnerText" => text(me.value()),
        "Value" if me.look(|kind| matches!(kind, Kind::Element { .. } | Kind::Document { .. })) => {
            Value::Null
        }
        "Value" => text(me.value()),
        "InnerXml" => text(me.inner_text()),
        "OuterXml" => text(me.to_text(true)),
        "LocalName" => text(name().local.to_string()),
        "NamespaceURI" => text(name().space.to_string()),
        "Prefix" => text(prefix()),
        _ => match (me.class(), prefix().as_str()) {
            ("XText", _) => Value::str("#text"),
            ("XCData", _) => Value::str("#cdata-section"),
            ("XComment", _) => Value::str("#comment"),
            ("XDocument", _) => Value::str("#document"),
            (_, "") => text(name().local.to_string()),
            (_, prefix) => text(format!("{prefix}:{}", name().local)),
        },
    };
    if let Value::Str(text) = &out {
        call.allocate(text.len())?;
    }
    Ok(out)
}

fn set_property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (me, text) = (inner(call, 0)?, call.text(1)?);
    if call.member.name == "InnerXml" {
        let parsed = parse_text(call, &format!("<x>{text}</x>"), "XElement", true)?;
        me.remove_nodes();
        for child in node_of(&parsed).map(|parsed| parsed.nodes()).unwrap_or_default() {
            me.insert(usize::MAX, child);
        }
    } else {
        me.set_value(&text);
    }
    Ok(call.arg(1).clone())
}

fn attribute(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = inner(call, 0)?;
    let name = Name::new("", &call.text(1)?);
    Ok(match call.member.name.as_str() {
        "GetAttribute" => Value::str(me.attribute(&name).map(|found| found.value()).unwrap_or_default()),
        "HasAttribute" => Value::Bool(me.attribute(&name).is_some()),
        "RemoveAttribute" => {
            if let Some(found) = me.attribute(&name) {
                found.detach();
            }
            Value::Null
        }
        _ => {
            me.put_attribute(Node::attribute_of(name, &call.text(2)?));
            Value::Null
        }
    })
}

fn by_tag(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (me, name) = (inner(call, 0)?, call.text(1)?);
    let local = name.rsplit(':').next().unwrap_or("").to_owned();
    let found = me.descendants().into_iter().filter(|node| {
        node.is_element() && (&*name == "*" || node.name().is_some_and(|found| *found.local == *local))
    });
    Ok(node_list(found.collect()))
}

fn named_child(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = inner(call, 0)?;
    let name = Name::new("", &call.text(1)?);
    Ok(view(
        me.elements().into_iter().find(|child| child.name().is_some_and(|found| found.local == name.local)),
    ))
}

fn remove_child(call: &mut Call<'_>) -> Result<Value, Fault> {
    let child = inner(call, 1)?;
    if !child.detach() {
        return Err(throw("ArgumentException", "The node to be removed is not a child of this node."));
    }
    Ok(call.arg(1).clone())
}

fn append_child(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (me, child) = (inner(call, 0)?, inner(call, 1)?);
    let inside = child.same(&me) || me.ancestors().iter().any(|above| above.same(&child));
    if inside || me.depth() >= xml::DEPTH_MAX {
        return Err(throw(
            "ArgumentException",
            "Cannot insert a node or any ancestor of that node as a child of itself.",
        ));
    }
    call.allocate(200)?;
    child.detach();
    me.insert(usize::MAX, child);
    Ok(call.arg(1).clone())
}

fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.text(1)?;
    let local = name.rsplit(':').next().unwrap_or("");
    let space = if call.count() > 2 { call.text(2)? } else { std::sync::Arc::from("") };
    call.allocate(200)?;
    Ok(view(Some(match call.member.name.as_str() {
        "CreateElement" => Node::element(Name::new(&space, local)),
        "CreateAttribute" => Node::attribute_of(Name::new(&space, local), ""),
        _ => Node::text(&name),
    })))
}

fn list_item(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    if let Value::Str(name) = call.arg(1) {
        let named = |item: &&Value| {
            node_of(&cell::of(item, "Node"))
                .and_then(|node| node.name())
                .is_some_and(|found| *found.local == **name)
        };
        return Ok(items.iter().find(named).cloned().unwrap_or(Value::Null));
    }
    Ok(usize::try_from(call.int(1)?).ok().and_then(|at| items.get(at).cloned()).unwrap_or(Value::Null))
}

// === XmlReader ===

/// One stop of a reader: a node, whether it is entered or left, how deep it is.
type Stop = (Node, bool, usize);

/// All stops of a tree.
fn stops(node: &Node, out: &mut Vec<Stop>, depth: usize) {
    if node.class() != "XDocument" {
        out.push((node.clone(), true, depth));
    }
    for child in node.nodes() {
        stops(&child, out, depth + usize::from(node.class() != "XDocument"));
    }
    let open =
        node.look(|kind| matches!(kind, Kind::Element { nodes, open, .. } if *open || !nodes.is_empty()));
    if open {
        out.push((node.clone(), false, depth));
    }
}

fn new_reader(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = cell::of(call.arg(0), "Text").to_text();
    let parsed = parse_text(call, &text, "XDocument", false)?;
    Ok(cell::make(Type::class("XmlReader"), vec![("Node", parsed), ("At", Value::int(-1))]))
}

fn reader_state(call: &mut Call<'_>) -> Result<(Vec<Stop>, i32), Fault> {
    let mut all = Vec::new();
    stops(&inner(call, 0)?, &mut all, 0);
    call.allocate(all.len().saturating_mul(8))?;
    Ok((all, cell::of(call.arg(0), "At").as_int().unwrap_or(-1)))
}

fn read(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (all, at) = reader_state(call)?;
    let mut next = at.saturating_add(1);
    if call.member.name == "MoveToContent" {
        let is_content = |stop: &Stop| !matches!(stop.0.class(), "XComment" | "XProcessingInstruction");
        next = at.max(0);
        while usize::try_from(next).ok().and_then(|at| all.get(at)).is_some_and(|stop| !is_content(stop)) {
            next += 1;
        }
    }
    cell::put(call.arg(0), "At", Value::int(next));
    if call.member.name == "MoveToContent" {
        return reader_property(call);
    }
    Ok(Value::Bool(usize::try_from(next).is_ok_and(|at| at < all.len())))
}

fn reader_property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (all, at) = reader_state(call)?;
    let stop = usize::try_from(at).ok().and_then(|at| all.get(at));
    let Some((node, entered, depth)) = stop else {
        return Ok(match call.member.name.as_str() {
            "EOF" => Value::Bool(at >= 0),
            "NodeType" | "MoveToContent" => Value::Enum(&super::NODE_TYPE, 0),
            "Depth" => Value::int(0),
            "IsEmptyElement" | "HasAttributes" => Value::Bool(false),
            "GetAttribute" => Value::Null,
            _ => Value::str(""),
        });
    };
    let name = node.name().unwrap_or_default();
    Ok(match call.member.name.as_str() {
        "EOF" => Value::Bool(false),
        "NodeType" | "MoveToContent" => Value::Enum(
            &super::NODE_TYPE,
            match (node.class(), entered) {
                ("XElement", true) => 1,
                ("XElement", false) => 15,
                ("XText", _) => 3,
                ("XCData", _) => 4,
                ("XComment", _) => 8,
                _ => 7,
            },
        ),
        "Depth" => Value::count(*depth),
        "LocalName" => Value::str(&name.local),
        "NamespaceURI" => Value::str(&name.space),
        "Name" => {
            match node.prefix_of(&name.space).filter(|prefix| !prefix.is_empty() && !name.space.is_empty()) {
                Some(prefix) => Value::str(format!("{prefix}:{}", name.local)),
                None => Value::str(&name.local),
            }
        }
        "IsEmptyElement" => Value::Bool(
            node.look(|kind| matches!(kind, Kind::Element { nodes, open, .. } if nodes.is_empty() && !open)),
        ),
        "HasAttributes" => Value::Bool(!node.attributes().is_empty()),
        "GetAttribute" => node
            .attribute(&Name::new("", &call.text(1)?))
            .map_or(Value::Null, |found| Value::str(found.value())),
        "ReadElementContentAsString" | "ReadInnerXml" | "ReadOuterXml" => {
            let text = match call.member.name.as_str() {
                "ReadInnerXml" => node.inner_text(),
                "ReadOuterXml" => node.to_text(true),
                _ => node.value(),
            };
            call.allocate(text.len())?;
            let end = all.iter().rposition(|stop| stop.0.same(node)).unwrap_or(0);
            cell::put(call.arg(0), "At", Value::count(end + 1));
            Value::str(text)
        }
        _ if node.is_element() => Value::str(""),
        _ => Value::str(node.value()),
    })
}

pub(super) fn read_from(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (all, at) = reader_state(call)?;
    let Some((node, ..)) = usize::try_from(at).ok().and_then(|at| all.get(at)) else {
        return Err(throw("InvalidOperationException", "The XmlReader state should be Interactive."));
    };
    let end = all.iter().rposition(|stop| stop.0.same(node)).unwrap_or(0);
    cell::put(call.arg(0), "At", Value::count(end + 1));
    call.allocate(node.descendants().len().saturating_mul(200))?;
    Ok(or_null(Some(node.deep_clone())))
}

const SPACE: TypeDef = TypeDef { namespace: "System.Xml", ..PLAIN };

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "XPathExtensions",
        namespace: "System.Xml.XPath",
        rows: &[
            Row(
                "static XElement XPathSelectElement(this XNode node, string expression); static XElement XPathSelectElement(this XNode node, string expression, XmlNamespaceManager resolver); static IEnumerable<XElement> XPathSelectElements(this XNode node, string expression); static IEnumerable<XElement> XPathSelectElements(this XNode node, string expression, XmlNamespaceManager resolver)",
                select_elements,
            ),
            Row(
                "static object XPathEvaluate(this XNode node, string expression); static object XPathEvaluate(this XNode node, string expression, XmlNamespaceManager resolver)",
                xpath_evaluate,
            ),
            Row("static XPathNavigator CreateNavigator(this XNode node)", navigator),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "XPathNavigator",
        namespace: "System.Xml.XPath",
        rows: &[Row("XmlNameTable NameTable", name_table)],
        ..PLAIN
    },
    TypeDef { name: "XmlNameTable", ..SPACE },
    TypeDef { name: "NameTable", bases: &["XmlNameTable"], rows: &[Row("new()", name_table)], ..SPACE },
    TypeDef {
        name: "XmlNamespaceManager",
        rows: &[
            Row("new(XmlNameTable nameTable)", new_manager),
            Row("void AddNamespace(string prefix, string uri)", add_namespace),
            Row("string LookupNamespace(string prefix)", lookup_namespace),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XmlNode",
        rows: &[
            Row(
                "XmlNode FirstChild; XmlNode LastChild; XmlNode ParentNode; XmlNode NextSibling; XmlNode PreviousSibling; XmlDocument OwnerDocument; XmlNodeList ChildNodes; XmlNodeList Attributes; bool HasChildNodes; string InnerText; string Value; string InnerXml; string OuterXml; string LocalName; string NamespaceURI; string Prefix; string Name",
                property,
            ),
            Row("set string InnerText; set string Value; set string InnerXml", set_property),
            Row(
                "XmlNode SelectSingleNode(string xpath); XmlNode SelectSingleNode(string xpath, XmlNamespaceManager nsmgr); XmlNodeList SelectNodes(string xpath); XmlNodeList SelectNodes(string xpath, XmlNamespaceManager nsmgr)",
                select_nodes,
            ),
            Row("XmlElement this[string name]", named_child),
            Row("XmlNode RemoveChild(XmlNode oldChild)", remove_child),
            Row("XmlNode AppendChild(XmlNode newChild)", append_child),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XmlDocument",
        bases: &["XmlNode"],
        rows: &[
            Row("new()", new_document),
            Row("void LoadXml(string xml)", load),
            Row("XmlElement DocumentElement", property),
            Row("bool PreserveWhitespace", cell::get),
            Row("set bool PreserveWhitespace", cell::set),
            Row("XmlNameTable NameTable", name_table),
            Row(
                "XmlElement CreateElement(string name); XmlElement CreateElement(string qualifiedName, string namespaceURI); XmlNode CreateTextNode(string text); XmlAttribute CreateAttribute(string name)",
                create,
            ),
            Row("XmlNodeList GetElementsByTagName(string name)", by_tag),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XmlElement",
        bases: &["XmlNode"],
        rows: &[
            Row(
                "string GetAttribute(string name); bool HasAttribute(string name); void SetAttribute(string name, string value); void RemoveAttribute(string name)",
                attribute,
            ),
            Row("XmlNodeList GetElementsByTagName(string name)", by_tag),
            Row("bool HasAttributes", property),
        ],
        ..SPACE
    },
    TypeDef { name: "XmlAttribute", bases: &["XmlNode"], ..SPACE },
    TypeDef {
        name: "XmlNodeList",
        bases: &["IEnumerable<XmlNode>"],
        rows: &[
            Row("int Count", crate::library::linq::count),
            Row("XmlNode this[int index]; XmlNode this[string name]; XmlNode Item(int index)", list_item),
        ],
        ..SPACE
    },
    TypeDef {
        name: "XmlReader",
        rows: &[
            Row("static XmlReader Create(TextReader input)", new_reader),
            Row("bool Read(); XmlNodeType MoveToContent()", read),
            Row(
                "bool EOF; XmlNodeType NodeType; int Depth; string LocalName; string NamespaceURI; string Name; string Value; bool IsEmptyElement; bool HasAttributes; string GetAttribute(string name); string ReadElementContentAsString(); string ReadInnerXml(); string ReadOuterXml()",
                reader_property,
            ),
            Row("void Dispose(); void Close()", cell::nothing),
        ],
        ..SPACE
    },
];
