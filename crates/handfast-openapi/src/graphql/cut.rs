//! A request without some of its fields: what only they needed goes with them, so that what is left is valid.

use super::query::{Document, Operation, Selection, parse};
use super::{Directive, Value};
use std::collections::HashSet;
use std::ops::Range;

/// The text of a request without the fields at some places; `None` when an operation has nothing left.
pub fn without(text: &str, document: &Document, fields: &[Range<usize>]) -> Option<String> {
    // Fragments that have nothing left take their spreads with them, which may empty others.
    let mut gone: HashSet<&str> = HashSet::new();
    loop {
        let empty = |one: &&super::Fragment| {
            !gone.contains(one.name.as_str()) && is_empty(&one.selections, fields, &gone)
        };
        let Some(next) = document.fragments.iter().find(empty) else { break };
        gone.insert(&next.name);
    }
    if document.operations.iter().any(|one| is_empty(&one.selections, fields, &gone)) {
        return None;
    }
    let mut spans = Vec::new();
    for operation in &document.operations {
        cuts(&operation.selections, fields, &gone, &mut spans);
    }
    for fragment in &document.fragments {
        match gone.contains(fragment.name.as_str()) {
            true => spans.push(fragment.span.clone()),
            false => cuts(&fragment.selections, fields, &gone, &mut spans),
        }
    }
    let text = removed(text, spans);
    let text = removed(&text, unused_fragments(&parse(&text).ok()?));
    let spans = parse(&text).ok()?;
    Some(removed(&text, unused_variables(&spans)))
}

/// Whether nothing of selections is left.
fn is_empty(selections: &[Selection], fields: &[Range<usize>], gone: &HashSet<&str>) -> bool {
    selections.iter().all(|selection| is_gone(selection, fields, gone))
}

fn is_gone(selection: &Selection, fields: &[Range<usize>], gone: &HashSet<&str>) -> bool {
    match selection {
        Selection::Field(field) => {
            fields.contains(&field.span)
                || (!field.selections.is_empty() && is_empty(&field.selections, fields, gone))
        }
        Selection::Inline { selections, .. } => is_empty(selections, fields, gone),
        Selection::Spread { name, .. } => gone.contains(name.as_str()),
    }
}

fn cuts(
    selections: &[Selection],
    fields: &[Range<usize>],
    gone: &HashSet<&str>,
    out: &mut Vec<Range<usize>>,
) {
    for selection in selections {
        let (span, inner): (_, &[Selection]) = match selection {
            Selection::Field(field) => (&field.span, &field.selections),
            Selection::Inline { selections, span, .. } => (span, selections),
            Selection::Spread { span, .. } => (span, &[]),
        };
        match is_gone(selection, fields, gone) {
            true => out.push(span.clone()),
            false => cuts(inner, fields, gone, out),
        }
    }
}

fn removed(text: &str, mut spans: Vec<Range<usize>>) -> String {
    spans.sort_by_key(|span| span.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for span in spans {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        at = at.max(span.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// What selections reach: fragments by name, and variables.
#[derive(Default)]
struct Reached<'d> {
    fragments: HashSet<&'d str>,
    variables: HashSet<&'d str>,
}

impl<'d> Reached<'d> {
    fn of(document: &'d Document, operation: &'d Operation) -> Self {
        let mut reached = Self::default();
        reached.directives(&operation.directives);
        reached.selections(document, &operation.selections);
        reached
    }

    fn directives(&mut self, directives: &'d [Directive]) {
        let arguments = directives.iter().flat_map(|directive| &directive.arguments);
        arguments.for_each(|(_, value)| self.value(value));
    }

    fn value(&mut self, value: &'d Value) {
        match value {
            Value::Variable(name, _) => drop(self.variables.insert(name)),
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.iter().for_each(|(_, field)| self.value(field)),
            _ => {}
        }
    }

    fn selections(&mut self, document: &'d Document, selections: &'d [Selection]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    field.arguments.iter().for_each(|(_, value)| self.value(value));
                    self.directives(&field.directives);
                    self.selections(document, &field.selections);
                }
                Selection::Inline { directives, selections, .. } => {
                    self.directives(directives);
                    self.selections(document, selections);
                }
                Selection::Spread { name, directives, .. } => {
                    self.directives(directives);
                    if self.fragments.insert(name) {
                        let fragment = document.fragments.iter().find(|one| one.name == *name);
                        fragment.into_iter().for_each(|one| self.selections(document, &one.selections));
                    }
                }
            }
        }
    }
}

fn unused_fragments(document: &Document) -> Vec<Range<usize>> {
    let reached: Vec<Reached<'_>> =
        document.operations.iter().map(|one| Reached::of(document, one)).collect();
    let is_used = |name: &str| reached.iter().any(|one| one.fragments.contains(name));
    document.fragments.iter().filter(|one| !is_used(&one.name)).map(|one| one.span.clone()).collect()
}

/// Variables that nothing uses; the whole list when that is all of them, for it may not be empty.
fn unused_variables(document: &Document) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for operation in &document.operations {
        let reached = Reached::of(document, operation);
        let unused: Vec<Range<usize>> = operation
            .variables
            .iter()
            .filter(|variable| !reached.variables.contains(variable.name.as_str()))
            .map(|variable| variable.span.clone())
            .collect();
        match unused.len() == operation.variables.len() && !unused.is_empty() {
            true => spans.push(operation.variables_span.clone()),
            false => spans.extend(unused),
        }
    }
    spans
}
