//! The matcher: instructions over an input, with explicit stacks of choices and of what must be undone when one
//! of them is taken back. Every instruction and every character of a run costs a step.

use super::class::{folded, is_word};
use super::compile::{One, Op};
use super::parse::Anchor;
use super::{Captures, Regex};

/// The budget of steps is used up.
pub(super) struct Exhausted;

/// Choices that may be open at once; beyond, the pattern counts as taking too long.
const CHOICES_MAX: usize = 1 << 20;

enum Choice {
    /// Go on at an instruction, from a position.
    At { to: usize, position: usize, undo: usize },
    /// A greedy run that may give characters back, down to the position that is its least.
    Shrink { to: usize, position: usize, least: usize, left: bool, undo: usize },
    /// A lazy run that may take more.
    Grow { at: usize, position: usize, more: u32, undo: usize },
}

enum Undo {
    Register(usize, usize),
    /// A capture was added.
    Added(usize),
    /// A capture was taken away.
    Taken(usize, (usize, usize)),
}

struct Machine<'a> {
    regex: &'a Regex,
    input: &'a [char],
    origin: usize,
    position: usize,
    registers: Vec<usize>,
    captures: Vec<Vec<(usize, usize)>>,
    choices: Vec<Choice>,
    undo: Vec<Undo>,
}

/// The first match from a position on, in the direction of the pattern.
pub(super) fn search(
    regex: &Regex,
    input: &[char],
    from: usize,
    steps: &mut u64,
) -> Result<Option<Captures>, Exhausted> {
    let mut machine = Machine {
        regex,
        input,
        origin: from,
        position: from,
        registers: vec![0; regex.registers],
        captures: vec![Vec::new(); regex.groups.len()],
        choices: Vec::new(),
        undo: Vec::new(),
    };
    let reverse = regex.is_reverse();
    let mut start = from.min(input.len());
    loop {
        if let (Some(first), false) = (regex.first, reverse) {
            let rest = input.get(start..).unwrap_or(&[]);
            let Some(skip) = rest.iter().position(|c| *c == first) else { return Ok(None) };
            *steps = steps.checked_sub(skip as u64 / 8).ok_or(Exhausted)?;
            start += skip;
        }
        if machine.run(start, steps)? {
            return Ok(Some(Captures(machine.captures)));
        }
        if regex.anchored {
            return Ok(None);
        }
        start = match reverse {
            false if start < input.len() => start + 1,
            true if start > 0 => start - 1,
            _ => return Ok(None),
        };
    }
}

impl Machine<'_> {
    fn run(&mut self, start: usize, steps: &mut u64) -> Result<bool, Exhausted> {
        self.choices.clear();
        self.rewind(0);
        self.position = start;
        let mut at = 0;
        loop {
            *steps = steps.checked_sub(1).ok_or(Exhausted)?;
            let Some(op) = self.regex.code.get(at) else { return Ok(false) };
            if matches!(op, Op::Match) {
                return Ok(true);
            }
            match self.step(op, at, steps)? {
                Some(next) => at = next,
                None => match self.back(steps)? {
                    Some(next) => at = next,
                    None => return Ok(false),
                },
            }
        }
    }

    /// Undoes what came after a mark.
    fn rewind(&mut self, to: usize) {
        while self.undo.len() > to {
            match self.undo.pop() {
                Some(Undo::Register(register, value)) => {
                    if let Some(place) = self.registers.get_mut(register) {
                        *place = value;
                    }
                }
                Some(Undo::Added(slot)) => {
                    if let Some(all) = self.captures.get_mut(slot) {
                        all.pop();
                    }
                }
                Some(Undo::Taken(slot, piece)) => {
                    if let Some(all) = self.captures.get_mut(slot) {
                        all.push(piece);
                    }
                }
                None => return,
            }
        }
    }

    fn choose(&mut self, choice: Choice) -> Result<(), Exhausted> {
        if self.choices.len() >= CHOICES_MAX {
            return Err(Exhausted);
        }
        self.choices.push(choice);
        Ok(())
    }

    /// Takes the newest choice back.
    fn back(&mut self, steps: &mut u64) -> Result<Option<usize>, Exhausted> {
        loop {
            *steps = steps.checked_sub(1).ok_or(Exhausted)?;
            match self.choices.pop() {
                None => return Ok(None),
                Some(Choice::At { to, position, undo }) => {
                    self.rewind(undo);
                    self.position = position;
                    return Ok(Some(to));
                }
                Some(Choice::Shrink { to, position, least, left, undo }) => {
                    self.rewind(undo);
                    if position == least {
                        continue;
                    }
                    self.position = if left { position + 1 } else { position - 1 };
                    let position = self.position;
                    if position != least {
                        self.choices.push(Choice::Shrink { to, position, least, left, undo });
                    }
                    return Ok(Some(to));
                }
                Some(Choice::Grow { at, position, more, undo }) => {
                    self.rewind(undo);
                    self.position = position;
                    let Some(Op::Run(one, _, _, _, left)) = self.regex.code.get(at) else { continue };
                    if more == 0 || !self.one(one, *left) {
                        continue;
                    }
                    if more > 1 {
                        let more = if more == u32::MAX { more } else { more - 1 };
                        let position = self.position;
                        self.choices.push(Choice::Grow { at, position, more, undo });
                    }
                    return Ok(Some(at + 1));
                }
            }
        }
    }

    /// Takes one character in a direction, if it fits.
    fn one(&mut self, one: &One, left: bool) -> bool {
        let at = if left { self.position.checked_sub(1) } else { Some(self.position) };
        let Some(c) = at.and_then(|at| self.input.get(at)).copied() else { return false };
        let fits = match one {
            One::Char(wanted) => c == *wanted,
            One::Folded(wanted) => folded(c) == *wanted,
            One::Any => true,
            One::NotNewline => c != '\n',
            One::Class(class) => class.has(c),
        };
        if fits {
            self.position = if left { self.position - 1 } else { self.position + 1 };
        }
        fits
    }

    fn set(&mut self, register: usize, value: usize) {
        if let Some(place) = self.registers.get_mut(register) {
            self.undo.push(Undo::Register(register, *place));
            *place = value;
        }
    }

    fn get(&self, register: usize) -> usize {
        self.registers.get(register).copied().unwrap_or(0)
    }

    /// The next instruction, or `None` when this one fails.
    fn step(&mut self, op: &Op, at: usize, steps: &mut u64) -> Result<Option<usize>, Exhausted> {
        let undo = self.undo.len();
        let next = Some(at + 1);
        Ok(match op {
            Op::One(one, left) => {
                if self.one(one, *left) {
                    next
                } else {
                    None
                }
            }
            Op::Run(one, min, max, lazy, left) => self.repeat(one, *min, *max, *lazy, *left, at, steps)?,
            Op::Anchor(anchor, ascii) => {
                if self.holds(*anchor, *ascii) {
                    next
                } else {
                    None
                }
            }
            Op::Jump(to) => Some(*to),
            Op::Split(first, second) => {
                let position = self.position;
                self.choose(Choice::At { to: *second, position, undo })?;
                Some(*first)
            }
            Op::Mark(register) => {
                self.set(*register, self.position);
                next
            }
            Op::Capture { slot, release, start } => {
                if self.capture(*slot, *release, *start) {
                    next
                } else {
                    None
                }
            }
            Op::Reference(slot, fold, left) => {
                if self.reference(*slot, *fold, *left, steps)? {
                    next
                } else {
                    None
                }
            }
            Op::Reset(counter) => {
                self.set(*counter, 0);
                self.set(*counter + 1, usize::MAX);
                next
            }
            Op::Loop { counter, min, max, lazy, exit } => {
                let count = self.get(*counter);
                let (least, most) =
                    (*min as usize, if *max == u32::MAX { usize::MAX } else { *max as usize });
                let stuck = count > 0 && count >= least && self.get(*counter + 1) == self.position;
                let position = self.position;
                if count < least {
                    next
                } else if count >= most || stuck {
                    Some(*exit)
                } else if *lazy {
                    self.choose(Choice::At { to: at + 1, position, undo })?;
                    Some(*exit)
                } else {
                    self.choose(Choice::At { to: *exit, position, undo })?;
                    next
                }
            }
            Op::Turn(counter) => {
                self.set(*counter, self.get(*counter) + 1);
                self.set(*counter + 1, self.position);
                next
            }
            Op::Guard(register) => {
                self.set(*register, self.choices.len());
                self.set(*register + 1, self.position);
                next
            }
            Op::GuardElse(register, to) => {
                self.set(*register, self.choices.len());
                self.set(*register + 1, self.position);
                let (position, undo) = (self.position, self.undo.len());
                self.choose(Choice::At { to: *to, position, undo })?;
                next
            }
            Op::Release(register, back) => {
                self.choices.truncate(self.get(*register));
                if *back {
                    self.position = self.get(*register + 1);
                }
                next
            }
            Op::Refuse(register) => {
                self.choices.truncate(self.get(*register));
                None
            }
            Op::Unless(slot, to) => {
                if self.captures.get(*slot).is_some_and(|all| !all.is_empty()) {
                    next
                } else {
                    Some(*to)
                }
            }
            Op::Match => None,
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one instruction")]
    fn repeat(
        &mut self,
        one: &One,
        min: u32,
        max: u32,
        lazy: bool,
        left: bool,
        at: usize,
        steps: &mut u64,
    ) -> Result<Option<usize>, Exhausted> {
        let undo = self.undo.len();
        for _ in 0..min {
            *steps = steps.checked_sub(1).ok_or(Exhausted)?;
            if !self.one(one, left) {
                return Ok(None);
            }
        }
        let more = if max == u32::MAX { max } else { max - min };
        let position = self.position;
        if lazy {
            if more > 0 {
                self.choose(Choice::Grow { at, position, more, undo })?;
            }
            return Ok(Some(at + 1));
        }
        let mut taken = 0;
        while taken < more && self.one(one, left) {
            *steps = steps.checked_sub(1).ok_or(Exhausted)?;
            taken += 1;
        }
        if self.position != position {
            let reached = self.position;
            self.choose(Choice::Shrink { to: at + 1, position: reached, least: position, left, undo })?;
        }
        Ok(Some(at + 1))
    }

    fn holds(&self, anchor: Anchor, ascii: bool) -> bool {
        let (at, end) = (self.position, self.input.len());
        let before = at.checked_sub(1).and_then(|at| self.input.get(at)).copied();
        let after = self.input.get(at).copied();
        let word = |c: Option<char>| c.is_some_and(|c| is_word(c, ascii));
        match anchor {
            Anchor::Start => at == 0,
            Anchor::LineStart => at == 0 || before == Some('\n'),
            Anchor::End => at == end,
            Anchor::LineEnd => at == end || after == Some('\n'),
            Anchor::EndOrNewline => at == end || (at + 1 == end && after == Some('\n')),
            Anchor::Here => at == self.origin,
            Anchor::Boundary => word(before) != word(after),
            Anchor::NoBoundary => word(before) == word(after),
        }
    }

    fn capture(&mut self, slot: Option<usize>, release: Option<usize>, start: usize) -> bool {
        let start = self.get(start);
        let (mut low, mut high) = (start.min(self.position), start.max(self.position));
        if let Some(other) = release {
            let Some((from, to)) = self.captures.get_mut(other).and_then(Vec::pop) else { return false };
            self.undo.push(Undo::Taken(other, (from, to)));
            // A group that releases another takes what lies between the two.
            if low >= to {
                (low, high) = (to, low);
            } else if high <= from {
                low = from.min(high);
            } else {
                (low, high) = (low.max(from), high.min(to));
            }
        }
        if let Some(slot) = slot
            && let Some(all) = self.captures.get_mut(slot)
        {
            all.push((low, high.max(low)));
            self.undo.push(Undo::Added(slot));
        }
        true
    }

    fn reference(&mut self, slot: usize, fold: bool, left: bool, steps: &mut u64) -> Result<bool, Exhausted> {
        // In this flavour a reference to a group that has not matched fails.
        let Some((from, to)) = self.captures.get(slot).and_then(|all| all.last()).copied() else {
            return Ok(false);
        };
        let length = to - from;
        *steps = steps.checked_sub(length as u64).ok_or(Exhausted)?;
        let start = if left { self.position.checked_sub(length) } else { Some(self.position) };
        let here = start.and_then(|start| self.input.get(start..start.checked_add(length)?));
        let (Some(here), Some(there)) = (here, self.input.get(from..to)) else { return Ok(false) };
        let same = here.iter().zip(there).all(|(a, b)| a == b || fold && folded(*a) == folded(*b));
        if same {
            self.position = if left { self.position - length } else { self.position + length };
        }
        Ok(same)
    }
}
