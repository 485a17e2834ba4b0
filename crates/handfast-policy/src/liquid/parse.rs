//! Template text to nodes.

use super::expression::{Condition, Operand, Reader};
use super::{For, LiquidError, Node, Template};

/// Nesting of blocks.
const DEPTH_MAX: usize = 64;

/// A piece of the text, before blocks are put together.
struct Token<'a> {
    kind: Kind,
    /// The text, or what stands between the braces.
    text: &'a str,
    offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Output,
    Tag,
}

pub(super) fn parse(source: &str) -> Result<Template, LiquidError> {
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens, at: 0, depth: 0, roots: Vec::new() };
    let (nodes, end) = parser.block(&[])?;
    debug_assert!(end.is_none());
    let uses = |root: &str| parser.roots.iter().any(|known| known == root);
    Ok(Template { nodes, uses_body: uses("body"), uses_context: uses("context") })
}

fn tokens(source: &str) -> Result<Vec<Token<'_>>, LiquidError> {
    let mut tokens = Vec::new();
    let (mut at, mut trims) = (0, false);
    while at < source.len() {
        let rest = &source[at..];
        let open = match (rest.find("{{"), rest.find("{%")) {
            (Some(output), Some(tag)) => Some(output.min(tag)),
            (output, tag) => output.or(tag),
        };
        let text = &rest[..open.unwrap_or(rest.len())];
        let inner_at = open.map(|open| at + open + 2);
        let trims_before = inner_at.is_some_and(|inner| source[inner..].starts_with('-'));
        push_text(&mut tokens, text, at, trims, trims_before);
        let Some(inner_at) = inner_at else { break };
        let is_output = source[inner_at - 2..].starts_with("{{");
        let close = if is_output { "}}" } else { "%}" };
        let start = inner_at + usize::from(trims_before);
        let end = find_close(&source[start..], close).ok_or_else(|| LiquidError {
            offset: inner_at - 2,
            message: format!("\"{close}\" is missing"),
        })?;
        let inner = &source[start..start + end];
        trims = inner.ends_with('-');
        let text = inner.strip_suffix('-').unwrap_or(inner);
        at = start + end + 2;
        if !is_output && text.trim() == "raw" {
            let (body, after) = raw(source, at)?;
            push_text(&mut tokens, body, at, trims, false);
            (at, trims) = (after, false);
            continue;
        }
        let kind = if is_output { Kind::Output } else { Kind::Tag };
        tokens.push(Token { kind, text, offset: start });
    }
    Ok(tokens)
}

fn push_text<'a>(
    tokens: &mut Vec<Token<'a>>,
    text: &'a str,
    offset: usize,
    trim_start: bool,
    trim_end: bool,
) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        tokens.push(Token { kind: Kind::Text, text, offset });
    }
}

/// The end of a tag or output: quotes may hold the closing signs.
fn find_close(text: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if text[at..].starts_with(close) => return Some(at),
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {}
        }
    }
    // An apostrophe that is none of a string: take the first sign there is.
    text.find(close)
}

/// What stands between `raw` and `endraw`, and where it goes on.
fn raw(source: &str, at: usize) -> Result<(&str, usize), LiquidError> {
    let mut from = at;
    while let Some(open) = source[from..].find("{%") {
        let inner = from + open + 2;
        let Some(close) = source[inner..].find("%}") else { break };
        if source[inner..inner + close].trim().trim_matches('-').trim() == "endraw" {
            return Ok((&source[at..from + open], inner + close + 2));
        }
        from = inner;
    }
    Err(LiquidError { offset: at, message: "\"endraw\" is missing".to_owned() })
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    roots: Vec<String>,
}

/// The tag that ended a block: its name, the rest of its text, and where that is.
type End<'a> = Option<Ended<'a>>;
type Ended<'a> = (String, &'a str, usize);

impl<'a> Parser<'a> {
    /// Nodes up to one of the closing tags.
    fn block(&mut self, ends: &[&str]) -> Result<(Vec<Node>, End<'a>), LiquidError> {
        let mut nodes = Vec::new();
        let opened_at =
            self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.offset);
        while let Some(token) = self.tokens.get(self.at) {
            let (kind, text, offset) = (token.kind, token.text, token.offset);
            self.at += 1;
            match kind {
                Kind::Text => nodes.push(Node::Text(text.to_owned())),
                Kind::Output => {
                    let output = self.read(text, offset, |reader| reader.output())?;
                    nodes.push(Node::Output(output));
                }
                Kind::Tag => {
                    let trimmed = text.trim_start();
                    let name_end =
                        trimmed.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(trimmed.len());
                    let (name, rest) = trimmed.split_at(name_end);
                    let rest_offset = offset + (text.len() - trimmed.len()) + name_end;
                    if ends.iter().any(|end| end.eq_ignore_ascii_case(name)) {
                        return Ok((nodes, Some((name.to_ascii_lowercase(), rest, rest_offset))));
                    }
                    if let Some(node) = self.tag(name, rest, rest_offset)? {
                        nodes.push(node);
                    }
                }
            }
        }
        match ends.last() {
            None => Ok((nodes, None)),
            Some(end) => Err(LiquidError { offset: opened_at, message: format!("\"{end}\" is missing") }),
        }
    }

    fn nested(&mut self, ends: &[&str]) -> Result<(Vec<Node>, Ended<'a>), LiquidError> {
        if self.depth >= DEPTH_MAX {
            let offset = self.tokens.get(self.at).map_or(0, |token| token.offset);
            return Err(LiquidError { offset, message: "blocks are nested too deeply".to_owned() });
        }
        self.depth += 1;
        let block = self.block(ends);
        self.depth -= 1;
        let (nodes, end) = block?;
        // A block with ends either meets one or fails.
        Ok((nodes, end.unwrap_or_default()))
    }

    fn read<T>(
        &mut self,
        text: &'a str,
        offset: usize,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, LiquidError>,
    ) -> Result<T, LiquidError> {
        let mut reader = Reader::new(text, offset);
        let result = read(&mut reader);
        self.roots.append(&mut reader.roots);
        result
    }

    fn tag(&mut self, name: &str, rest: &'a str, offset: usize) -> Result<Option<Node>, LiquidError> {
        let lower = name.to_ascii_lowercase();
        Ok(Some(match lower.as_str() {
            "assign" => self.read(rest, offset, |reader| {
                let name = reader.word("a name")?;
                match reader.take("=") {
                    true => Ok(Node::Assign { name, value: reader.output()? }),
                    false => Err(reader.error("\"=\" is expected")),
                }
            })?,
            "capture" => {
                let name = self.read(rest, offset, |reader| reader.word("a name"))?;
                let (body, _) = self.nested(&["endcapture"])?;
                Node::Capture { name, body }
            }
            "comment" => {
                self.comment(offset)?;
                return Ok(None);
            }
            "if" | "unless" => self.conditional(lower == "unless", rest, offset)?,
            "case" => self.case(rest, offset)?,
            "for" | "jsonarrayfor" => self.for_loop(lower == "jsonarrayfor", rest, offset)?,
            "cycle" => {
                let values = self.read(rest, offset, |reader| {
                    let mut values = vec![reader.operand()?];
                    while reader.take(",") {
                        values.push(reader.operand()?);
                    }
                    reader.end()?;
                    Ok(values)
                })?;
                Node::Cycle { key: rest.trim().to_owned(), values }
            }
            "increment" | "decrement" => {
                let name = self.read(rest, offset, |reader| reader.word("a name"))?;
                Node::Step { name, by: if lower == "increment" { 1 } else { -1 } }
            }
            "break" => Node::Break,
            "continue" => Node::Continue,
            _ => {
                let message = match lower.starts_with("end") || lower.starts_with("els") || lower == "when" {
                    true => format!("\"{name}\" closes nothing that is open"),
                    false => format!("unknown tag \"{name}\""),
                };
                return Err(LiquidError { offset, message });
            }
        }))
    }

    /// Passes over a comment, which may hold anything but its end, and comments.
    fn comment(&mut self, offset: usize) -> Result<(), LiquidError> {
        let mut open = 1;
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match (token.kind, token.text.trim()) {
                (Kind::Tag, "comment") => open += 1,
                (Kind::Tag, "endcomment") => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Ok(());
            }
        }
        Err(LiquidError { offset, message: "\"endcomment\" is missing".to_owned() })
    }

    fn conditional(&mut self, negated: bool, rest: &'a str, offset: usize) -> Result<Node, LiquidError> {
        let end_name = if negated { "endunless" } else { "endif" };
        let first = self.read(rest, offset, |reader| reader.condition())?;
        let mut condition = Some(if negated { Condition::Not(Box::new(first)) } else { first });
        let mut branches = Vec::new();
        loop {
            let (nodes, (end, rest, offset)) = self.nested(&["elsif", "elseif", "else", end_name])?;
            branches.push((condition.take(), nodes));
            match end.as_str() {
                "elsif" | "elseif" => condition = Some(self.read(rest, offset, |reader| reader.condition())?),
                "else" => {
                    let (nodes, _) = self.nested(&[end_name])?;
                    branches.push((None, nodes));
                    return Ok(Node::If(branches));
                }
                _ => return Ok(Node::If(branches)),
            }
        }
    }

    fn case(&mut self, rest: &'a str, offset: usize) -> Result<Node, LiquidError> {
        let subject = self.read(rest, offset, |reader| reader.operand())?;
        let (_, mut end) = self.nested(&["when", "else", "endcase"])?;
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        loop {
            match end.0.as_str() {
                "when" => {
                    let values: Vec<Operand> = self.read(end.1, end.2, |reader| {
                        let mut values = vec![reader.operand()?];
                        while reader.take(",") || reader.take_word("or") {
                            values.push(reader.operand()?);
                        }
                        reader.end()?;
                        Ok(values)
                    })?;
                    let (nodes, next) = self.nested(&["when", "else", "endcase"])?;
                    branches.push((values, nodes));
                    end = next;
                }
                "else" => {
                    let (nodes, next) = self.nested(&["when", "else", "endcase"])?;
                    otherwise = nodes;
                    end = next;
                }
                _ => return Ok(Node::Case { subject, branches, otherwise }),
            }
        }
    }

    fn for_loop(&mut self, json_array: bool, rest: &'a str, offset: usize) -> Result<Node, LiquidError> {
        let mut parts = self.read(rest, offset, |reader| {
            let variable = reader.word("the name of the item")?;
            if !reader.take_word("in") {
                return Err(reader.error("\"in\" is expected"));
            }
            let list = reader.operand()?;
            let (mut limit, mut from, mut reversed) = (None, None, false);
            loop {
                if reader.take_word("reversed") {
                    reversed = true;
                } else if reader.take_word("limit") && reader.take(":") {
                    limit = Some(reader.operand()?);
                } else if reader.take_word("offset") && reader.take(":") {
                    from = Some(reader.operand()?);
                } else {
                    break;
                }
            }
            reader.end()?;
            let (body, otherwise) = (Vec::new(), Vec::new());
            Ok(For { variable, list, limit, offset: from, reversed, json_array, body, otherwise })
        })?;
        let end_name = if json_array { "endJSONArrayFor" } else { "endfor" };
        let (body, (end, ..)) = self.nested(&["else", end_name])?;
        parts.body = body;
        if end == "else" {
            parts.otherwise = self.nested(&[end_name])?.0;
        }
        Ok(Node::For(Box::new(parts)))
    }
}
