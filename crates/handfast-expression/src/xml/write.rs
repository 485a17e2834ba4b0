//! XML text as `XNode.ToString` writes it: two blanks per level, mixed content as it is, namespaces declared
//! where a name needs one that is not in scope.

use super::{Kind, Name, Node, XML, XMLNS};

struct Writer {
    out: String,
    plain: bool,
    /// Prefixes in scope, innermost last.
    scope: Vec<(String, String)>,
    /// Prefixes that are bound around the node; declared when they are needed.
    around: Vec<(String, String)>,
    invented: usize,
}

pub(super) fn text(node: &Node, plain: bool) -> String {
    let mut writer = Writer {
        out: String::new(),
        plain,
        scope: vec![("xml".into(), XML.into())],
        around: around(node),
        invented: 0,
    };
    node.look(|kind| match kind {
        Kind::Document { nodes, .. } => {
            for (index, child) in nodes.iter().enumerate() {
                if index > 0 && !plain {
                    writer.out.push('\n');
                }
                writer.node(child, 0, plain);
            }
        }
        Kind::Attribute { name, value } => {
            let shown = match &*name.space {
                "" => name.local.to_string(),
                XMLNS => format!("xmlns:{}", name.local),
                _ => format!("p1:{}", name.local),
            };
            writer.attribute(&shown, value);
            writer.out = writer.out.trim_start().to_owned();
        }
        other => writer.kind(other, 0, plain),
    });
    writer.out
}

/// Bindings of the ancestors, innermost first.
fn around(node: &Node) -> Vec<(String, String)> {
    let declarations = node.ancestors().into_iter().flat_map(|above| above.attributes());
    declarations
        .filter_map(|attribute| {
            let name = attribute.name()?;
            match (&*name.space, &*name.local) {
                ("", "xmlns") => Some((String::new(), attribute.value())),
                (XMLNS, prefix) => Some((prefix.to_owned(), attribute.value())),
                _ => None,
            }
        })
        .collect()
}

fn is_text(node: &Node) -> bool {
    node.look(|kind| matches!(kind, Kind::Text(_) | Kind::CData(_)))
}

impl Writer {
    fn node(&mut self, node: &Node, depth: usize, plain: bool) {
        node.look(|kind| self.kind(kind, depth, plain));
    }

    fn kind(&mut self, kind: &Kind, depth: usize, plain: bool) {
        match kind {
            Kind::Element { name, attributes, nodes, open } => {
                self.element(name, attributes, nodes, *open, depth, plain);
            }
            Kind::Text(text) => self.escaped(text, false),
            Kind::CData(text) => {
                // A section cannot hold its own end, so it is closed and opened again there.
                self.out.push_str("<![CDATA[");
                self.out.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
                self.out.push_str("]]>");
            }
            Kind::Comment(text) => {
                self.out.push_str("<!--");
                self.out.push_str(text);
                self.out.push_str("-->");
            }
            Kind::Instruction { target, data } => {
                self.out.push_str("<?");
                self.out.push_str(target);
                if !data.is_empty() {
                    self.out.push(' ');
                    self.out.push_str(data);
                }
                self.out.push_str("?>");
            }
            Kind::Document { .. } | Kind::Attribute { .. } => {}
        }
    }

    fn element(
        &mut self,
        name: &Name,
        attributes: &[Node],
        nodes: &[Node],
        open: bool,
        depth: usize,
        plain: bool,
    ) {
        let before = self.scope.len();
        let parts: Vec<(Name, String)> =
            attributes.iter().map(|node| (node.name().unwrap_or_default(), node.value())).collect();
        for (name, value) in &parts {
            match (&*name.space, &*name.local) {
                ("", "xmlns") => self.scope.push((String::new(), value.clone())),
                (XMLNS, prefix) => self.scope.push((prefix.to_owned(), value.clone())),
                _ => {}
            }
        }
        let mut extra = Vec::new();
        let shown = self.qualified(name, true, &mut extra);
        let shown_attributes: Vec<_> = parts
            .iter()
            .map(|(name, value)| (self.attribute_name(name, &mut extra), value.clone()))
            .collect();
        self.out.push('<');
        self.out.push_str(&shown);
        for (name, value) in shown_attributes.iter().chain(&extra) {
            self.attribute(name, value);
        }
        if nodes.is_empty() && !open {
            self.out.push_str(" />");
        } else {
            self.out.push('>');
            let plain = plain || self.plain || nodes.iter().any(is_text);
            for child in nodes {
                if !plain {
                    self.line(depth + 1);
                }
                self.node(child, depth + 1, plain);
            }
            if !plain && !nodes.is_empty() {
                self.line(depth);
            }
            self.out.push_str("</");
            self.out.push_str(&shown);
            self.out.push('>');
        }
        self.scope.truncate(before);
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        for _ in 0..depth {
            self.out.push_str("  ");
        }
    }

    fn bound(&self, prefix: &str) -> &str {
        self.scope.iter().rev().find(|entry| entry.0 == prefix).map_or("", |entry| &entry.1)
    }

    /// A name with its prefix; a declaration is added when none is in scope.
    fn qualified(&mut self, name: &Name, element: bool, extra: &mut Vec<(String, String)>) -> String {
        if name.space.is_empty() {
            if element && !self.bound("").is_empty() {
                self.scope.push((String::new(), String::new()));
                extra.push(("xmlns".into(), String::new()));
            }
            return name.local.to_string();
        }
        let found = self
            .scope
            .iter()
            .rev()
            .find(|(prefix, space)| {
                **space == *name.space && (element || !prefix.is_empty()) && self.bound(prefix) == space
            })
            .map(|entry| entry.0.clone());
        let prefix = found.unwrap_or_else(|| {
            let known = self.around.iter().find(|(prefix, space)| {
                **space == *name.space && (element || !prefix.is_empty()) && self.bound(prefix).is_empty()
            });
            let prefix = match known {
                Some((prefix, _)) => prefix.clone(),
                None if element => String::new(),
                None => {
                    self.invented += 1;
                    format!("p{}", self.invented)
                }
            };
            self.scope.push((prefix.clone(), name.space.to_string()));
            let label = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            extra.push((label, name.space.to_string()));
            prefix
        });
        if prefix.is_empty() { name.local.to_string() } else { format!("{prefix}:{}", name.local) }
    }

    fn attribute_name(&mut self, name: &Name, extra: &mut Vec<(String, String)>) -> String {
        match (&*name.space, &*name.local) {
            ("", local) => local.to_owned(),
            (XMLNS, local) => format!("xmlns:{local}"),
            _ => self.qualified(name, false, extra),
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.escaped(value, true);
        self.out.push('"');
    }

    fn escaped(&mut self, text: &str, attribute: bool) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' if attribute => self.out.push_str("&quot;"),
                '\n' if attribute => self.out.push_str("&#xA;"),
                '\r' => self.out.push_str("&#xD;"),
                '\t' if attribute => self.out.push_str("&#x9;"),
                c => self.out.push(c),
            }
        }
    }
}
