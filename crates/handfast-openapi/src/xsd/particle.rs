//! Content models: what may follow what, and how often.

use super::{ElementRule, Spaces};
use crate::xml::Name;
use std::collections::BTreeMap;

/// A part of a content model with its occurrences.
#[derive(Clone, Debug)]
pub(super) struct Particle {
    pub(super) min: usize,
    /// `None` is unbounded.
    pub(super) max: Option<usize>,
    pub(super) term: Term,
}

/// What occurs.
#[derive(Clone, Debug)]
pub(super) enum Term {
    /// A local element, or a reference to a global one when there is no rule.
    Element(Name, Option<Box<ElementRule>>),
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    All(Vec<Particle>),
    Any(Spaces, Process),
}

/// How strictly a wildcard's elements are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    Strict,
    Lax,
    Skip,
}

/// What a child has been taken for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taken<'p> {
    Element(Option<&'p ElementRule>),
    Any(Process),
}

/// Where and why children do not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The child that does not fit, or `None` when children are missing at the end.
    pub(super) at: Option<usize>,
    /// The names that would have fitted there.
    pub(super) expected: Vec<Name>,
}

impl Particle {
    pub(super) fn once(term: Term) -> Self {
        Self { min: 1, max: Some(1), term }
    }

    /// Whether nothing at all fits.
    fn is_nullable(&self) -> bool {
        self.min == 0
            || match &self.term {
                Term::Element(..) | Term::Any(..) => false,
                Term::Sequence(parts) | Term::All(parts) => parts.iter().all(Self::is_nullable),
                Term::Choice(parts) => parts.is_empty() || parts.iter().any(Self::is_nullable),
            }
    }

    /// Whether it can begin with an element.
    fn begins_with(&self, name: &Name) -> bool {
        match &self.term {
            Term::Element(own, _) => own == name,
            Term::Any(spaces, _) => spaces.takes(&name.space),
            Term::Choice(parts) | Term::All(parts) => parts.iter().any(|part| part.begins_with(name)),
            Term::Sequence(parts) => {
                for part in parts {
                    if part.begins_with(name) {
                        return true;
                    }
                    if !part.is_nullable() {
                        return false;
                    }
                }
                false
            }
        }
    }

    /// The names that it can begin with.
    fn first(&self, out: &mut Vec<Name>) {
        match &self.term {
            Term::Element(name, _) => out.push(name.clone()),
            Term::Any(..) => {}
            Term::Choice(parts) | Term::All(parts) => parts.iter().for_each(|part| part.first(out)),
            Term::Sequence(parts) => {
                for part in parts {
                    part.first(out);
                    if !part.is_nullable() {
                        break;
                    }
                }
            }
        }
    }
}

/// Assigns each child to its part of the model, or says where that ends.
pub(super) fn assign<'p>(model: &'p Particle, names: &[&Name]) -> Result<Vec<Taken<'p>>, Misfit> {
    let mut run = Run { names, taken: Vec::with_capacity(names.len()), expected: Vec::new(), expected_at: 0 };
    let fits = run.particle(model);
    if fits && run.taken.len() == names.len() {
        return Ok(run.taken);
    }
    let at = run.taken.len();
    let mut expected = if run.expected_at == at { run.expected } else { Vec::new() };
    let mut seen = Vec::new();
    expected.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    Err(Misfit { at: (at < names.len()).then_some(at), expected })
}

struct Run<'n, 'p> {
    names: &'n [&'n Name],
    taken: Vec<Taken<'p>>,
    /// What would have fitted at the place that was reached.
    expected: Vec<Name>,
    expected_at: usize,
}

impl<'p> Run<'_, 'p> {
    fn next(&self) -> Option<&Name> {
        self.names.get(self.taken.len()).copied()
    }

    /// Notes what a part could have begun with here.
    fn missed(&mut self, part: &Particle) {
        if self.expected_at != self.taken.len() {
            self.expected.clear();
            self.expected_at = self.taken.len();
        }
        part.first(&mut self.expected);
    }

    /// As often as it occurs; false when it must and does not.
    fn particle(&mut self, particle: &'p Particle) -> bool {
        let mut count = 0;
        while particle.max.is_none_or(|max| count < max) {
            if !self.next().is_some_and(|name| particle.begins_with(name)) {
                self.missed(particle);
                break;
            }
            let before = self.taken.len();
            if !self.term(particle) {
                return false;
            }
            count += 1;
            if self.taken.len() == before {
                break;
            }
        }
        count >= particle.min || particle.is_nullable()
    }

    fn term(&mut self, particle: &'p Particle) -> bool {
        match &particle.term {
            Term::Element(_, rule) => self.taken.push(Taken::Element(rule.as_deref())),
            Term::Any(_, process) => self.taken.push(Taken::Any(*process)),
            Term::Sequence(parts) => return parts.iter().all(|part| self.particle(part)),
            Term::Choice(parts) => {
                let Some(name) = self.next() else { return particle.is_nullable() };
                let part = parts.iter().find(|part| part.begins_with(name));
                return part.map_or_else(|| particle.is_nullable(), |part| self.particle(part));
            }
            Term::All(parts) => return self.all(parts),
        }
        true
    }

    /// Each part at most once, in any order.
    fn all(&mut self, parts: &'p [Particle]) -> bool {
        let mut done = vec![false; parts.len()];
        while let Some(name) = self.next() {
            let open = |(index, part): &(usize, &Particle)| {
                !done.get(*index).copied().unwrap_or(true) && part.begins_with(name)
            };
            let Some((index, part)) = parts.iter().enumerate().find(open) else { break };
            if let Some(done) = done.get_mut(index) {
                *done = true;
            }
            if !self.particle(part) {
                return false;
            }
        }
        let mut complete = true;
        for (part, _) in parts.iter().zip(done).filter(|(_, done)| !done) {
            self.missed(part);
            complete &= part.is_nullable();
        }
        complete
    }
}

/// `'a, b' in namespace 'urn:x'`, grouped by namespace.
pub(super) fn listed(names: &[Name]) -> String {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in names {
        groups.entry(&name.space).or_default().push(&name.local);
    }
    let group = |(space, locals): (&str, Vec<&str>)| match space {
        "" => format!("'{}'", locals.join(", ")),
        space => format!("'{}' in namespace '{space}'", locals.join(", ")),
    };
    let all: Vec<String> = groups.into_iter().map(group).collect();
    all.join(" as well as ")
}
