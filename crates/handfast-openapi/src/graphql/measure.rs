//! How large a request is once its fragments are expanded, and which fields of which types it visits.

use super::query::{Document, Operation, Selection};
use super::schema::Schema;
use std::collections::HashMap;
use std::ops::Range;

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measure {
    /// Levels of fields.
    pub depth: usize,
    /// Fields in all.
    pub fields: usize,
    /// Each field with its type, as often as it is reached.
    pub visits: Vec<Visit>,
    /// Whether counting was given up.
    pub over: bool,
}

/// A field that is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// The type that it is a field of.
    pub of: String,
    /// Its name.
    pub field: String,
    /// Whether it has no selections.
    pub is_leaf: bool,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// Measures an operation; counting ends at `fields_max`. Fragments that contain themselves are not followed.
pub fn measure(schema: &Schema, document: &Document, operation: &Operation, fields_max: usize) -> Measure {
    let fragments = document.fragments.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut walk = Walk { schema, fragments, fields_max, open: Vec::new(), measure: Measure::default() };
    let root = schema.root(operation.kind).unwrap_or_default().to_owned();
    walk.selections(&operation.selections, &root, 1);
    walk.measure
}

struct Walk<'a> {
    schema: &'a Schema,
    fragments: HashMap<&'a str, &'a super::Fragment>,
    fields_max: usize,
    /// The fragments around.
    open: Vec<&'a str>,
    measure: Measure,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, selections: &'a [Selection], of: &str, depth: usize) {
        for selection in selections {
            if self.measure.over {
                return;
            }
            match selection {
                Selection::Field(field) => {
                    self.measure.fields += 1;
                    self.measure.depth = self.measure.depth.max(depth);
                    self.measure.over = self.measure.fields > self.fields_max;
                    self.measure.visits.push(Visit {
                        of: of.to_owned(),
                        field: field.name.clone(),
                        is_leaf: field.selections.is_empty(),
                        span: field.span.clone(),
                    });
                    let inner = self.schema.type_of_field(of, &field.name).unwrap_or_default().to_owned();
                    self.selections(&field.selections, &inner, depth + 1);
                }
                Selection::Inline { on, selections, .. } => {
                    self.selections(selections, on.as_deref().unwrap_or(of), depth);
                }
                Selection::Spread { name, .. } => {
                    let Some(fragment) = self.fragments.get(name.as_str()).copied() else { continue };
                    if self.open.contains(&name.as_str()) {
                        continue;
                    }
                    self.open.push(name);
                    self.selections(&fragment.selections, &fragment.on, depth);
                    self.open.pop();
                }
            }
        }
    }
}
