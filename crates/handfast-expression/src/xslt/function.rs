//! The functions that XSLT adds to XPath (§12), and `node-set` of the usual extensions.

use super::number::format_number;
use super::run::{Locals, Run};
use crate::xml::Node;
use crate::xml::xpath::{Host, Order, Problem, Scope, Value};

/// Ids of nodes that are given out.
const IDS_MAX: usize = 100_000;

/// What expressions of a stylesheet may reach.
pub(super) struct Functions<'r, 's> {
    pub(super) run: &'r Run<'s>,
    pub(super) locals: &'r Locals,
    pub(super) current: &'r Node,
}

impl Host for Functions<'_, '_> {
    fn variable(&self, name: &str) -> Option<Value> {
        let local = self.locals.iter().rev().find(|(known, _)| known == name);
        if let Some((_, value)) = local {
            return Some(value.clone());
        }
        self.run.globals.borrow().iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn call(
        &self,
        function: &str,
        args: &[Value],
        scope: &Scope<'_>,
        budget: &mut usize,
    ) -> Option<Result<Value, Problem>> {
        let text = |index: usize| args.get(index).map(Value::text).unwrap_or_default();
        let arity = |counts: std::ops::RangeInclusive<usize>| match counts.contains(&args.len()) {
            true => Ok(()),
            false => {
                Err(Problem::Syntax(format!("Function '{function}' has an invalid number of arguments.")))
            }
        };
        let done =
            |counts, value: &dyn Fn() -> Result<Value, Problem>| Some(arity(counts).and_then(|()| value()));
        match function {
            "current" => done(0..=0, &|| Ok(Value::Nodes(vec![self.current.clone()]))),
            "key" => Some(arity(2..=2).and_then(|()| self.key(args, scope, budget))),
            "format-number" => done(2..=3, &|| self.formatted(args)),
            "generate-id" => done(0..=1, &|| self.id(args.first(), scope)),
            "system-property" => done(1..=1, &|| {
                Ok(match text(0).rsplit(':').next().unwrap_or_default() {
                    "version" => Value::Number(1.0),
                    "vendor" => Value::Text("Handfast".to_owned()),
                    _ => Value::Text(String::new()),
                })
            }),
            "element-available" | "function-available" => {
                done(1..=1, &|| Ok(Value::Truth(is_available(function, &text(0)))))
            }
            "unparsed-entity-uri" => done(1..=1, &|| Ok(Value::Text(String::new()))),
            "document" => Some(Err(Problem::Syntax(
                "document() is not available: a stylesheet reads nothing but the message".to_owned(),
            ))),
            other if other.ends_with(":node-set") => done(1..=1, &|| match args.first() {
                Some(Value::Nodes(nodes)) => Ok(Value::Nodes(nodes.clone())),
                _ => Err(Problem::Syntax("The argument must be a node-set.".to_owned())),
            }),
            _ => None,
        }
    }
}

/// Elements of the standard that are refused.
const UNAVAILABLE: &[&str] = &["apply-imports", "import", "include", "attribute-set", "namespace-alias"];

fn is_available(function: &str, name: &str) -> bool {
    let local = name.rsplit(':').next().unwrap_or_default();
    match function {
        "element-available" => {
            name.contains(':') && !UNAVAILABLE.contains(&local) && ELEMENTS.contains(&local)
        }
        _ => FUNCTIONS.contains(&local),
    }
}

const ELEMENTS: &[&str] = &[
    "apply-templates",
    "attribute",
    "call-template",
    "choose",
    "comment",
    "copy",
    "copy-of",
    "element",
    "fallback",
    "for-each",
    "if",
    "message",
    "number",
    "processing-instruction",
    "text",
    "value-of",
    "variable",
];
const FUNCTIONS: &[&str] = &[
    "boolean",
    "ceiling",
    "concat",
    "contains",
    "count",
    "current",
    "element-available",
    "false",
    "floor",
    "format-number",
    "function-available",
    "generate-id",
    "id",
    "key",
    "lang",
    "last",
    "local-name",
    "name",
    "namespace-uri",
    "node-set",
    "normalize-space",
    "not",
    "number",
    "position",
    "round",
    "starts-with",
    "string",
    "string-length",
    "substring",
    "substring-after",
    "substring-before",
    "sum",
    "system-property",
    "translate",
    "true",
    "unparsed-entity-uri",
];

impl Functions<'_, '_> {
    /// Nodes whose key has one of the values; all values of a document are worked out when a key is first used.
    fn key(&self, args: &[Value], scope: &Scope<'_>, budget: &mut usize) -> Result<Value, Problem> {
        let [name, wanted] = args else { return Ok(Value::Nodes(Vec::new())) };
        let name = name.text();
        let defined = self.run.sheet.keys.iter().any(|key| key.name == name);
        if !defined {
            return Err(Problem::Syntax(format!("there is no key with the name '{name}'")));
        }
        let marker = (name.clone(), String::from("\u{0}"));
        if !self.run.keys.borrow().contains_key(&marker) {
            self.index(&name, &scope.node.root(), budget)?;
            self.run.keys.borrow_mut().insert(marker, Vec::new());
        }
        let wanted = match wanted {
            Value::Nodes(nodes) => nodes.iter().map(Node::value).collect(),
            other => vec![other.text()],
        };
        let index = self.run.keys.borrow();
        let mut found: Vec<Node> = Vec::new();
        for value in wanted {
            for node in index.get(&(name.clone(), value)).into_iter().flatten() {
                if !found.iter().any(|known| known.same(node)) {
                    found.push(node.clone());
                }
            }
        }
        *budget = budget.checked_sub(found.len()).ok_or(Problem::Budget)?;
        let mut order = Order::default();
        found.sort_by_cached_key(|node| order.key(node));
        Ok(Value::Nodes(found))
    }

    fn index(&self, name: &str, root: &Node, budget: &mut usize) -> Result<(), Problem> {
        let nodes = std::iter::once(root.clone()).chain(root.descendants());
        let all = nodes.flat_map(|node| {
            let attributes = node.attributes();
            std::iter::once(node).chain(attributes)
        });
        for node in all {
            for key in self.run.sheet.keys.iter().filter(|key| key.name == name) {
                let host = Functions { run: self.run, locals: self.locals, current: &node };
                let mut matches = false;
                for path in &key.matches {
                    matches = matches || super::pattern::matches(path, &node, &host, budget)?;
                }
                if !matches {
                    continue;
                }
                let scope = Scope { node: &node, position: 1, size: 1 };
                let values = match crate::xml::xpath::evaluate_with(&key.uses, &scope, &host, budget)? {
                    Value::Nodes(nodes) => nodes.iter().map(Node::value).collect(),
                    other => vec![other.text()],
                };
                let mut index = self.run.keys.borrow_mut();
                for value in values {
                    index.entry((name.to_owned(), value)).or_default().push(node.clone());
                }
            }
        }
        Ok(())
    }

    fn formatted(&self, args: &[Value]) -> Result<Value, Problem> {
        let [number, picture, rest @ ..] = args else { return Ok(Value::Text(String::new())) };
        let name = rest.first().map(Value::text).unwrap_or_default();
        let formats = &self.run.sheet.formats;
        if !name.is_empty() && !formats.contains_key(&name) {
            return Err(Problem::Syntax(format!("there is no decimal-format with the name '{name}'")));
        }
        let standard = super::number::DecimalFormat::default();
        let format = formats.get(&name).unwrap_or(&standard);
        format_number(number.number(), &picture.text(), format).map(Value::Text).map_err(Problem::Syntax)
    }

    fn id(&self, node: Option<&Value>, scope: &Scope<'_>) -> Result<Value, Problem> {
        let node = match node {
            None => scope.node.clone(),
            Some(Value::Nodes(nodes)) => match nodes.first() {
                Some(node) => node.clone(),
                None => return Ok(Value::Text(String::new())),
            },
            Some(_) => return Err(Problem::Syntax("The argument must be a node-set.".to_owned())),
        };
        let mut ids = self.run.ids.borrow_mut();
        let known = ids.iter().position(|known| known.same(&node));
        let index = match known {
            Some(index) => index,
            None if ids.len() < IDS_MAX => {
                ids.push(node);
                ids.len() - 1
            }
            None => return Err(Problem::Budget),
        };
        Ok(Value::Text(format!("id{index}")))
    }
}
