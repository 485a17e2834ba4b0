//! Tree to instructions of the matcher. What is matched from right to left is laid out in reverse.

use super::class::{Class, folded};
use super::parse::{Anchor, Label, Node, Parsed};
use super::{CODE_MAX, Regex};

/// What one character must be.
#[derive(Clone, Debug)]
pub(super) enum One {
    Char(char),
    /// Compared without case; already folded.
    Folded(char),
    Any,
    NotNewline,
    Class(Box<Class>),
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// One character; the flag moves to the left.
    One(One, bool),
    /// A run of one kind of character: fewest, most, lazy, to the left.
    Run(One, u32, u32, bool, bool),
    Anchor(Anchor, bool),
    Jump(usize),
    /// Tries the first place, then the second.
    Split(usize, usize),
    /// Keeps the position in a register.
    Mark(usize),
    /// Takes what lies between a register and here for a group; releases another group.
    Capture {
        slot: Option<usize>,
        release: Option<usize>,
        start: usize,
    },
    Reference(usize, bool, bool),
    /// Starts a counted loop.
    Reset(usize),
    /// Goes round or leaves.
    Loop {
        counter: usize,
        min: u32,
        max: u32,
        lazy: bool,
        exit: usize,
    },
    /// Counts one turn.
    Turn(usize),
    /// Remembers the choices open so far, and the position.
    Guard(usize),
    /// Drops the choices made since; goes back to the position when the flag is set.
    Release(usize, bool),
    /// As `Guard`, with a choice that goes on elsewhere when what follows fails.
    GuardElse(usize, usize),
    /// Drops the choices made since, that one too, and fails.
    Refuse(usize),
    /// Goes elsewhere unless the group has matched.
    Unless(usize, usize),
    Match,
}

struct Compiler {
    code: Vec<Op>,
    registers: usize,
    groups: Vec<(usize, String)>,
    unnamed: usize,
}

/// Numbers the groups: unnamed ones first, then names in order of appearance.
fn groups(parsed: &Parsed) -> Vec<(usize, String)> {
    let mut numbers: Vec<usize> = (0..=parsed.unnamed).collect();
    for label in &parsed.labels {
        if let Label::Number(number) = label
            && !numbers.contains(number)
        {
            numbers.push(*number);
        }
    }
    numbers.sort_unstable();
    let mut groups: Vec<_> = numbers.iter().map(|number| (*number, number.to_string())).collect();
    for label in &parsed.labels {
        if let Label::Name(name) = label {
            let next = groups.last().map_or(1, |group| group.0 + 1);
            groups.push((next, name.clone()));
        }
    }
    groups
}

/// Compiles a parsed pattern.
pub(super) fn program(text: &str, options: i64, parsed: &Parsed) -> Result<Regex, String> {
    let mut compiler =
        Compiler { code: Vec::new(), registers: 0, groups: groups(parsed), unnamed: parsed.unnamed };
    let start = compiler.register();
    compiler.push(Op::Mark(start));
    compiler.node(&parsed.node, parsed.reverse)?;
    compiler.push(Op::Capture { slot: Some(0), release: None, start });
    compiler.push(Op::Match);
    let first = match compiler.code.get(1) {
        Some(Op::One(One::Char(c), false)) => Some(*c),
        _ => None,
    };
    let anchored = matches!(compiler.code.get(1), Some(Op::Anchor(Anchor::Start, _))) && !parsed.reverse;
    let Compiler { code, registers, groups, .. } = compiler;
    Ok(Regex { text: text.to_owned(), options, code, registers, groups, first, anchored })
}

impl Compiler {
    fn push(&mut self, op: Op) -> usize {
        self.code.push(op);
        self.code.len() - 1
    }

    fn register(&mut self) -> usize {
        self.registers += 1;
        self.registers - 1
    }

    fn here(&self) -> usize {
        self.code.len()
    }

    fn slot(&self, label: &Label) -> Result<usize, String> {
        let found = match label {
            Label::Ordinal(number) | Label::Number(number) => {
                self.groups.iter().position(|group| group.0 == *number)
            }
            Label::Name(name) => self.groups.iter().position(|group| group.1 == *name),
        };
        found.ok_or_else(|| match label {
            Label::Name(name) => format!("Reference to undefined group name '{name}'."),
            Label::Ordinal(number) | Label::Number(number) => {
                format!("Reference to undefined group number {number}.")
            }
        })
    }

    fn one(node: &Node) -> Option<One> {
        Some(match node {
            Node::Char(c, true) if folded(*c) != *c || c.to_uppercase().next() != Some(*c) => {
                One::Folded(folded(*c))
            }
            Node::Char(c, _) => One::Char(*c),
            Node::Any(true) => One::Any,
            Node::Any(false) => One::NotNewline,
            Node::Class(class) => One::Class(class.clone()),
            _ => return None,
        })
    }

    fn node(&mut self, node: &Node, reverse: bool) -> Result<(), String> {
        if self.code.len() > CODE_MAX {
            return Err(format!("The pattern compiles to more than {CODE_MAX} instructions."));
        }
        if let Some(one) = Self::one(node) {
            self.push(Op::One(one, reverse));
            return Ok(());
        }
        match node {
            Node::Anchor(anchor, ascii) => {
                self.push(Op::Anchor(*anchor, *ascii));
            }
            Node::Concat(parts) if reverse => {
                for part in parts.iter().rev() {
                    self.node(part, reverse)?;
                }
            }
            Node::Concat(parts) => {
                for part in parts {
                    self.node(part, reverse)?;
                }
            }
            Node::Either(parts) => self.either(parts, reverse)?,
            Node::Group(None, None, inner) => self.node(inner, reverse)?,
            Node::Group(label, other, inner) => {
                let slot = label.as_ref().map(|label| self.slot(label)).transpose()?;
                let release = other.as_ref().map(|label| self.slot(label)).transpose()?;
                let start = self.register();
                self.push(Op::Mark(start));
                self.node(inner, reverse)?;
                self.push(Op::Capture { slot, release, start });
            }
            Node::Repeat { inner, min, max, lazy } => self.repeat(inner, *min, *max, *lazy, reverse)?,
            Node::Reference(label, fold) => {
                let slot = self.slot(label)?;
                self.push(Op::Reference(slot, *fold, reverse));
            }
            Node::Look { behind, negative, inner } => {
                let guard = self.register();
                self.registers += 1;
                if *negative {
                    let at = self.push(Op::GuardElse(guard, 0));
                    self.node(inner, *behind)?;
                    self.push(Op::Refuse(guard));
                    self.code[at] = Op::GuardElse(guard, self.here());
                } else {
                    self.push(Op::Guard(guard));
                    self.node(inner, *behind)?;
                    self.push(Op::Release(guard, true));
                }
            }
            Node::Atomic(inner) => {
                let guard = self.register();
                self.registers += 1;
                self.push(Op::Guard(guard));
                self.node(inner, reverse)?;
                self.push(Op::Release(guard, false));
            }
            Node::Choice(test, yes, no) => self.choice(test, yes, no, reverse)?,
            _ => {}
        }
        Ok(())
    }

    fn either(&mut self, parts: &[Node], reverse: bool) -> Result<(), String> {
        let mut ends = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if index + 1 == parts.len() {
                self.node(part, reverse)?;
                break;
            }
            let split = self.push(Op::Split(0, 0));
            self.node(part, reverse)?;
            ends.push(self.push(Op::Jump(0)));
            self.code[split] = Op::Split(split + 1, self.here());
        }
        let end = self.here();
        for at in ends {
            self.code[at] = Op::Jump(end);
        }
        Ok(())
    }

    fn repeat(&mut self, inner: &Node, min: u32, max: u32, lazy: bool, reverse: bool) -> Result<(), String> {
        if let Some(one) = Self::one(inner) {
            self.push(Op::Run(one, min, max, lazy, reverse));
            return Ok(());
        }
        if max == 0 {
            return Ok(());
        }
        if (min, max) == (0, 1) {
            let split = self.push(Op::Split(0, 0));
            self.node(inner, reverse)?;
            let (body, end) = (split + 1, self.here());
            self.code[split] = if lazy { Op::Split(end, body) } else { Op::Split(body, end) };
            return Ok(());
        }
        let counter = self.register();
        self.registers += 1;
        self.push(Op::Reset(counter));
        let at = self.push(Op::Loop { counter, min, max, lazy, exit: 0 });
        self.push(Op::Turn(counter));
        self.node(inner, reverse)?;
        self.push(Op::Jump(at));
        self.code[at] = Op::Loop { counter, min, max, lazy, exit: self.here() };
        Ok(())
    }

    fn choice(
        &mut self,
        test: &Result<Label, Box<Node>>,
        yes: &Node,
        no: &Node,
        reverse: bool,
    ) -> Result<(), String> {
        let known = match test {
            Ok(Label::Number(number))
                if *number > self.unnamed && self.slot(&Label::Number(*number)).is_err() =>
            {
                return Err(format!("(?({number}) ) reference to undefined group."));
            }
            Ok(label) => Some(self.slot(label)?),
            Err(_) => None,
        };
        let branch = match (known, test) {
            (Some(slot), _) => self.push(Op::Unless(slot, 0)),
            (None, Err(look)) => {
                let guard = self.register();
                self.registers += 1;
                let at = self.push(Op::GuardElse(guard, 0));
                self.node(look, false)?;
                self.push(Op::Release(guard, true));
                at
            }
            (None, Ok(_)) => return Ok(()),
        };
        self.node(yes, reverse)?;
        let over = self.push(Op::Jump(0));
        let other = self.here();
        match &mut self.code[branch] {
            Op::Unless(_, to) | Op::GuardElse(_, to) => *to = other,
            _ => {}
        }
        self.node(no, reverse)?;
        self.code[over] = Op::Jump(self.here());
        Ok(())
    }
}
