//! From the tree of a stylesheet to templates and instructions. Every element is known, refused or an error.

use super::number::{DecimalFormat, Numbering};
use super::output::Output;
use super::pattern::{Rule, alternatives, default_priority};
use super::{Avt, Binding, Key, Op, Part, Sort, Stylesheet, Template, Variable, XSLT, XsltError};
use crate::xml::xpath::{self, Expr, Problem, Test};
use crate::xml::{self, Kind, Name, Node, XML, XMLNS};

/// Instructions inside instructions.
const DEPTH_MAX: usize = 100;
/// Children of `stylesheet` that are refused.
const REFUSED: &[&str] = &["import", "include", "attribute-set", "namespace-alias"];

type Compiled<T> = Result<T, XsltError>;

fn wrong(text: impl Into<String>) -> XsltError {
    XsltError::Stylesheet(text.into())
}

fn refused(what: &str) -> XsltError {
    wrong(format!("'{what}' is not available in stylesheets"))
}

pub(super) fn compile(text: &str) -> Compiled<Stylesheet> {
    let document = xml::parse(text, true).map_err(XsltError::Stylesheet)?;
    let root = document.elements().into_iter().next().ok_or_else(|| wrong("the stylesheet is empty"))?;
    let name = root.name().unwrap_or_default();
    if &*name.space != XSLT || !matches!(&*name.local, "stylesheet" | "transform") {
        return Err(wrong(format!(
            "the root element is '{name}'; 'stylesheet' of namespace '{XSLT}' would be accepted"
        )));
    }
    let excluded = attribute(&root, "exclude-result-prefixes").unwrap_or_default();
    let mut compiler = Compiler {
        sheet: Stylesheet::default(),
        excluded: excluded.split_whitespace().map(str::to_owned).collect(),
        depth: 0,
    };
    if attribute(&root, "extension-element-prefixes").is_some_and(|text| !text.trim().is_empty()) {
        return Err(refused("extension-element-prefixes"));
    }
    for child in root.elements() {
        let name = child.name().unwrap_or_default();
        if &*name.space == XSLT {
            compiler.top(&child, &name.local)?;
        } else if name.space.is_empty() {
            return Err(wrong(format!("'{name}' stands at the top of the stylesheet and has no namespace")));
        } else if &*name.local == "script" {
            return Err(refused("script"));
        }
    }
    let rules = &mut compiler.sheet.rules;
    // The highest priority first; of equals the last of the stylesheet (§5.5).
    rules.reverse();
    rules.sort_by(|a, b| b.priority.total_cmp(&a.priority));
    Ok(compiler.sheet)
}

/// An attribute without namespace.
fn attribute(node: &Node, name: &str) -> Option<String> {
    node.attribute(&Name::new("", name)).map(|found| found.value())
}

fn required(node: &Node, name: &str) -> Compiled<String> {
    let element = node.name().unwrap_or_default();
    attribute(node, name).ok_or_else(|| wrong(format!("'{}' needs the attribute '{name}'", element.local)))
}

/// A name with its prefix resolved, `{namespace}local`.
fn expanded(node: &Node, text: &str) -> Compiled<String> {
    let Some((prefix, local)) = text.trim().split_once(':') else { return Ok(text.trim().to_owned()) };
    match node.namespace_of(prefix) {
        Some(space) => Ok(Name::new(&space, local).to_string()),
        None => Err(wrong(format!("the prefix of '{text}' is not declared"))),
    }
}

fn expression(node: &Node, text: &str) -> Compiled<Expr> {
    xpath::parse(text, &|prefix| node.namespace_of(prefix)).map_err(|problem| match problem {
        Problem::Syntax(why) => wrong(format!("the expression '{text}' cannot be used: {why}")),
        Problem::Budget => wrong(format!("the expression '{text}' is too long")),
    })
}

/// Text with expressions in braces (§7.6.2).
fn value_template(node: &Node, text: &str) -> Compiled<Avt> {
    let (mut parts, mut plain) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        if let Some(behind) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            plain.push_str(&from[..1]);
            rest = behind;
            continue;
        }
        let Some(inner) = from.strip_prefix('{') else {
            return Err(wrong(format!("'{text}' has a '}}' without '{{'")));
        };
        let end =
            end_of_expression(inner).ok_or_else(|| wrong(format!("'{text}' has a '{{' without '}}'")))?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Value(expression(node, inner.get(..end).unwrap_or_default())?));
        rest = inner.get(end + 1..).unwrap_or_default();
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// The closing brace, not one in a literal.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// The prefixes that are bound at a node, the default namespace among them.
pub(super) fn prefixes(node: &Node) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for around in std::iter::once(node.clone()).chain(node.ancestors()) {
        for declared in around.attributes() {
            let name = declared.name().unwrap_or_default();
            let prefix = match (&*name.space, &*name.local) {
                ("", "xmlns") => "",
                (XMLNS, local) => local,
                _ => continue,
            };
            if !out.iter().any(|(known, _)| known == prefix) {
                out.push((prefix.to_owned(), declared.value()));
            }
        }
    }
    out
}

fn truth(node: &Node, name: &str) -> bool {
    attribute(node, name).is_some_and(|text| text.trim() == "yes")
}

/// The children that mean something: white space between instructions does not (§3.4).
fn children(node: &Node) -> Vec<Node> {
    let keeps = std::iter::once(node.clone())
        .chain(node.ancestors())
        .find_map(|around| around.attribute(&Name::new(XML, "space")))
        .is_some_and(|space| space.value() == "preserve");
    let is_text = node.name().is_some_and(|name| &*name.space == XSLT && &*name.local == "text");
    let means = |child: &Node| {
        child.look(|kind| match kind {
            Kind::Text(text) | Kind::CData(text) => keeps || is_text || !text.trim().is_empty(),
            Kind::Element { .. } => true,
            _ => false,
        })
    };
    node.nodes().into_iter().filter(means).collect()
}

struct Compiler {
    sheet: Stylesheet,
    excluded: Vec<String>,
    depth: usize,
}

impl Compiler {
    fn top(&mut self, node: &Node, name: &str) -> Compiled<()> {
        match name {
            "template" => self.template(node)?,
            "variable" | "param" => {
                let variable = self.variable(node)?;
                self.sheet.globals.push(variable);
            }
            "output" => self.sheet.output.read(&|name| attribute(node, name))?,
            "key" => {
                let matches = alternatives(expression(node, &required(node, "match")?)?)?;
                let uses = expression(node, &required(node, "use")?)?;
                self.sheet.keys.push(Key { name: expanded(node, &required(node, "name")?)?, matches, uses });
            }
            "decimal-format" => {
                let name = expanded(node, &attribute(node, "name").unwrap_or_default())?;
                self.sheet.formats.insert(name, DecimalFormat::read(&|name| attribute(node, name)));
            }
            "strip-space" | "preserve-space" => {
                for test in required(node, "elements")?.split_whitespace() {
                    let Expr::Path(false, steps) = expression(node, test)? else {
                        return Err(wrong(format!("'{test}' is no name of elements")));
                    };
                    let test = steps.into_iter().next().map_or(Test::Any, |step| step.test);
                    self.sheet.spaces.push((test, name == "strip-space"));
                }
            }
            other if REFUSED.contains(&other) => return Err(refused(other)),
            other => return Err(wrong(format!("'{other}' may not stand at the top of a stylesheet"))),
        }
        Ok(())
    }

    fn template(&mut self, node: &Node) -> Compiled<()> {
        let (mut parameters, mut rest) = (Vec::new(), Vec::new());
        for child in children(node) {
            let is_parameter =
                child.name().is_some_and(|name| &*name.space == XSLT && &*name.local == "param");
            if is_parameter && rest.is_empty() && child.is_element() {
                parameters.push(self.variable(&child)?);
            } else {
                rest.push(child);
            }
        }
        let body = self.ops(&rest)?;
        let index = self.sheet.templates.len();
        self.sheet.templates.push(Template { parameters, body });
        if let Some(name) = attribute(node, "name") {
            let name = expanded(node, &name)?;
            if self.sheet.named.insert(name.clone(), index).is_some() {
                return Err(wrong(format!("there are two templates with the name '{name}'")));
            }
        }
        let Some(source) = attribute(node, "match") else { return Ok(()) };
        let mode = attribute(node, "mode").map(|mode| expanded(node, &mode)).transpose()?;
        let priority = match attribute(node, "priority") {
            Some(text) => Some(text.trim().parse().map_err(|_| wrong(format!("'{text}' is no priority")))?),
            None => None,
        };
        for path in alternatives(expression(node, &source)?)? {
            let priority = priority.unwrap_or_else(|| default_priority(&path));
            self.sheet.rules.push(Rule { path, mode: mode.clone(), priority, template: index });
        }
        Ok(())
    }

    fn variable(&mut self, node: &Node) -> Compiled<Variable> {
        let name = expanded(node, &required(node, "name")?)?;
        let parameter = node.name().is_some_and(|name| &*name.local == "param");
        let value = match attribute(node, "select") {
            Some(select) => Binding::Select(expression(node, &select)?),
            None => match self.body(node)? {
                body if body.is_empty() => Binding::Select(Expr::Text(String::new())),
                body => Binding::Body(body),
            },
        };
        Ok(Variable { name, parameter, value })
    }

    fn body(&mut self, node: &Node) -> Compiled<Vec<Op>> {
        self.ops(&children(node))
    }

    fn ops(&mut self, nodes: &[Node]) -> Compiled<Vec<Op>> {
        if self.depth >= DEPTH_MAX {
            return Err(wrong(format!("instructions nest deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let mut out = Vec::new();
        for node in nodes {
            match node.name().filter(|_| node.is_element()) {
                None => out.push(Op::Text(node.value())),
                Some(name) if &*name.space == XSLT => out.extend(self.instruction(node, &name.local)?),
                Some(name) => out.push(self.literal(node, name)?),
            }
        }
        self.depth -= 1;
        Ok(out)
    }

    fn instruction(&mut self, node: &Node, name: &str) -> Compiled<Option<Op>> {
        if attribute(node, "disable-output-escaping").is_some_and(|text| text == "yes") {
            return Err(refused("disable-output-escaping"));
        }
        if attribute(node, "use-attribute-sets").is_some() {
            return Err(refused("use-attribute-sets"));
        }
        let template = |name: &str| attribute(node, name).map(|text| value_template(node, &text)).transpose();
        let needed = |name: &str| value_template(node, &required(node, name)?);
        let select = |name: &str| expression(node, &required(node, name)?);
        Ok(Some(match name {
            "text" => Op::Text(node.value()),
            "value-of" => Op::ValueOf(select("select")?),
            "copy-of" => Op::CopyOf(select("select")?),
            "copy" => Op::Copy(self.body(node)?),
            "if" => Op::Choose(vec![(Some(select("test")?), self.body(node)?)]),
            "choose" => self.choose(node)?,
            "for-each" => {
                let (sorts, rest) = self.sorts(node)?;
                Op::ForEach { select: select("select")?, sorts, body: self.ops(&rest)? }
            }
            "apply-templates" => {
                let (sorts, rest) = self.sorts(node)?;
                Op::Apply {
                    select: attribute(node, "select").map(|text| expression(node, &text)).transpose()?,
                    mode: attribute(node, "mode").map(|mode| expanded(node, &mode)).transpose()?,
                    sorts,
                    with: self.with(&rest)?,
                }
            }
            "call-template" => {
                let name = expanded(node, &required(node, "name")?)?;
                Op::Call { name, with: self.with(&children(node))? }
            }
            "variable" => Op::Variable(self.variable(node)?),
            "element" => Op::Element {
                name: needed("name")?,
                space: template("namespace")?,
                prefixes: prefixes(node),
                body: self.body(node)?,
            },
            "attribute" => Op::Attribute {
                name: needed("name")?,
                space: template("namespace")?,
                prefixes: prefixes(node),
                body: self.body(node)?,
            },
            "comment" => Op::Comment(self.body(node)?),
            "processing-instruction" => Op::Instruction { name: needed("name")?, body: self.body(node)? },
            "message" => Op::Message { terminate: truth(node, "terminate"), body: self.body(node)? },
            "number" => Op::Number(self.number(node)?),
            // What stands in for an instruction that is not known; all others are.
            "fallback" => return Ok(None),
            "apply-imports" => return Err(refused(name)),
            "param" => {
                return Err(wrong(
                    "'param' stands behind other instructions; at the beginning of a template it would be accepted",
                ));
            }
            other => return Err(wrong(format!("'{other}' is no instruction of XSLT 1.0"))),
        }))
    }

    fn choose(&mut self, node: &Node) -> Compiled<Op> {
        let mut branches = Vec::new();
        for child in children(node) {
            let name = child.name().unwrap_or_default();
            let test = match &*name.local {
                "when" => Some(expression(&child, &required(&child, "test")?)?),
                "otherwise" => None,
                _ => {
                    return Err(wrong(format!(
                        "'{name}' may not stand in 'choose'; 'when' and 'otherwise' would be accepted"
                    )));
                }
            };
            branches.push((test, self.body(&child)?));
        }
        Ok(Op::Choose(branches))
    }

    /// The sorts at the beginning, and the rest.
    fn sorts(&mut self, node: &Node) -> Compiled<(Vec<Sort>, Vec<Node>)> {
        let (mut sorts, mut rest) = (Vec::new(), Vec::new());
        for child in children(node) {
            let is_sort = child.name().is_some_and(|name| &*name.space == XSLT && &*name.local == "sort");
            if !is_sort || !child.is_element() {
                rest.push(child);
                continue;
            }
            for name in ["lang", "case-order"] {
                if attribute(&child, name).is_some() {
                    return Err(refused(name));
                }
            }
            let template = |name: &str| value_template(&child, &attribute(&child, name).unwrap_or_default());
            sorts.push(Sort {
                select: expression(&child, attribute(&child, "select").as_deref().unwrap_or("."))?,
                numeric: template("data-type")?,
                order: template("order")?,
            });
        }
        Ok((sorts, rest))
    }

    fn with(&mut self, nodes: &[Node]) -> Compiled<Vec<Variable>> {
        let mut out = Vec::new();
        for node in nodes {
            match node.name().filter(|name| &*name.space == XSLT && &*name.local == "with-param") {
                Some(_) => out.push(self.variable(node)?),
                None => {
                    return Err(wrong("only 'with-param' and 'sort' may stand where templates are applied"));
                }
            }
        }
        Ok(out)
    }

    fn number(&mut self, node: &Node) -> Compiled<Numbering> {
        let level = attribute(node, "level").unwrap_or_else(|| "single".to_owned());
        if !matches!(level.as_str(), "single" | "any") {
            return Err(refused(&format!("level {level} of number")));
        }
        for name in ["lang", "letter-value"] {
            if attribute(node, name).is_some() {
                return Err(refused(name));
            }
        }
        let patterns = |name: &str| -> Compiled<Option<Vec<Expr>>> {
            attribute(node, name).map(|text| alternatives(expression(node, &text)?)).transpose()
        };
        let template = |name: &str| value_template(node, &attribute(node, name).unwrap_or_default());
        Ok(Numbering {
            value: attribute(node, "value").map(|text| expression(node, &text)).transpose()?,
            any: level == "any",
            count: patterns("count")?,
            from: patterns("from")?,
            format: value_template(node, attribute(node, "format").as_deref().unwrap_or("1"))?,
            separator: template("grouping-separator")?,
            size: template("grouping-size")?,
        })
    }

    fn literal(&mut self, node: &Node, name: Name) -> Compiled<Op> {
        let mut attributes = Vec::new();
        let mut excluded = self.excluded.clone();
        for found in node.attributes() {
            let name = found.name().unwrap_or_default();
            if &*name.space == XSLT {
                match &*name.local {
                    "exclude-result-prefixes" => {
                        excluded.extend(found.value().split_whitespace().map(str::to_owned))
                    }
                    "version" => {}
                    other => return Err(refused(other)),
                }
            } else if &*name.space != XMLNS && !(name.space.is_empty() && &*name.local == "xmlns") {
                attributes.push((name, value_template(node, &found.value())?));
            }
        }
        let is_excluded = |prefix: &str| {
            excluded.iter().any(|one| one == prefix || (one == "#default" && prefix.is_empty()))
        };
        let mut bound = prefixes(node);
        bound.retain(|(prefix, space)| space != XSLT && (!is_excluded(prefix) || **space == *name.space));
        let body = self.body(node)?;
        Ok(Op::Literal { name, prefixes: bound, attributes, body })
    }
}

impl Output {
    fn read(&mut self, get: &dyn Fn(&str) -> Option<String>) -> Compiled<()> {
        for name in ["cdata-section-elements", "doctype-system", "doctype-public"] {
            if get(name).is_some() {
                return Err(refused(name));
            }
        }
        self.set(get).map_err(wrong)
    }
}
