//! Whether a request is valid for a schema (§5). The texts are those that the reference implementation made usual.

use super::query::{Directive, Document, Field, Fragment, Operation, Selection, Variable};
use super::schema::{InputDef, Schema, Shape};
use super::{GraphQlError, TypeRef, Value};
use crate::json::Place;
use std::collections::{HashMap, HashSet};

/// Errors that are told.
const ERRORS_MAX: usize = 50;

/// Everything that is wrong with a request.
pub fn validate(schema: &Schema, document: &Document) -> Vec<GraphQlError> {
    let mut check = Check { schema, document, fragments: HashMap::new(), errors: Vec::new() };
    check.document();
    check.errors
}

struct Check<'a> {
    schema: &'a Schema,
    document: &'a Document,
    fragments: HashMap<&'a str, &'a Fragment>,
    errors: Vec<GraphQlError>,
}

/// The variables of an operation, and which of them are used.
struct Scope<'a> {
    variables: &'a [Variable],
    used: HashSet<String>,
    /// Fragments that have been looked at for this operation.
    seen: HashSet<&'a str>,
}

impl<'a> Check<'a> {
    fn report(&mut self, place: Place, message: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(GraphQlError::new(message, place));
        }
    }

    fn document(&mut self) {
        let document = self.document;
        for fragment in &document.fragments {
            if self.fragments.insert(&fragment.name, fragment).is_some() {
                let text = format!("There can be only one fragment named \"{}\".", fragment.name);
                self.report(fragment.place, text);
            }
        }
        let mut names = HashSet::new();
        let mut used: HashSet<&str> = HashSet::new();
        for operation in &document.operations {
            match &operation.name {
                Some(name) if !names.insert(name) => {
                    self.report(
                        operation.place,
                        format!("There can be only one operation named \"{name}\"."),
                    );
                }
                None if document.operations.len() > 1 => {
                    self.report(
                        operation.place,
                        "This anonymous operation must be the only defined operation.",
                    );
                }
                _ => {}
            }
            used.extend(self.operation(operation));
        }
        for fragment in &document.fragments {
            self.fragment(fragment);
            if !used.contains(fragment.name.as_str()) {
                self.report(fragment.place, format!("Fragment \"{}\" is never used.", fragment.name));
            }
        }
    }

    fn fragment(&mut self, fragment: &'a Fragment) {
        if !self.is_condition(&fragment.on, fragment.place) {
            return;
        }
        let mut open = vec![fragment.name.as_str()];
        if self.reaches(&fragment.selections, &mut open, fragment.name.as_str()) {
            let text = format!("Cannot spread fragment \"{}\" within itself.", fragment.name);
            self.report(fragment.place, text);
        }
    }

    /// Whether a fragment is spread in selections, or in fragments that they spread; each is looked at once.
    fn reaches(&self, selections: &'a [Selection], seen: &mut Vec<&'a str>, target: &str) -> bool {
        selections.iter().any(|selection| match selection {
            Selection::Field(field) => self.reaches(&field.selections, seen, target),
            Selection::Inline { selections, .. } => self.reaches(selections, seen, target),
            Selection::Spread { name, .. } if name == target => true,
            Selection::Spread { name, .. } if seen.contains(&name.as_str()) => false,
            Selection::Spread { name, .. } => {
                seen.push(name);
                let fragment = self.fragments.get(name.as_str()).copied();
                fragment.is_some_and(|fragment| self.reaches(&fragment.selections, seen, target))
            }
        })
    }

    /// The type of a fragment must exist and have fields.
    fn is_condition(&mut self, on: &str, place: Place) -> bool {
        if self.schema.is_composite(on) {
            return true;
        }
        let text = match self.schema.shape(on) {
            None => format!("Unknown type \"{on}\"."),
            Some(_) => format!("Fragment cannot condition on non composite type \"{on}\"."),
        };
        self.report(place, text);
        false
    }

    /// The names of the fragments that an operation uses.
    fn operation(&mut self, operation: &'a Operation) -> HashSet<&'a str> {
        let mut names = HashSet::new();
        for variable in &operation.variables {
            if !names.insert(&variable.name) {
                let text = format!("There can be only one variable named \"${}\".", variable.name);
                self.report(variable.place, text);
            }
            if !self.schema.is_input(variable.of.name()) {
                let text =
                    format!("Variable \"${}\" cannot be non-input type \"{}\".", variable.name, variable.of);
                self.report(variable.place, text);
            } else if let Some(default) = &variable.default {
                let mut none = Scope { variables: &[], used: HashSet::new(), seen: HashSet::new() };
                self.value(default, &variable.of, variable.place, &mut none);
            }
        }
        let mut scope = Scope { variables: &operation.variables, used: HashSet::new(), seen: HashSet::new() };
        self.directives(&operation.directives, &mut scope);
        match self.schema.root(operation.kind).map(str::to_owned) {
            Some(root) => self.selections(&operation.selections, &root, &mut scope),
            None => {
                let text =
                    format!("The schema has no type for operations of kind {}.", operation.kind.as_str());
                self.report(operation.place, text);
            }
        }
        for variable in &operation.variables {
            if !scope.used.contains(&variable.name) {
                self.report(variable.place, format!("Variable \"${}\" is never used.", variable.name));
            }
        }
        scope.seen
    }

    fn selections(&mut self, selections: &'a [Selection], of: &str, scope: &mut Scope<'a>) {
        for selection in selections {
            match selection {
                Selection::Field(field) => self.field(field, of, scope),
                Selection::Inline { on, directives, selections, place, .. } => {
                    self.directives(directives, scope);
                    let on = on.as_deref().unwrap_or(of);
                    if self.is_condition(on, *place) {
                        self.overlap(of, on, "Fragment", *place);
                        self.selections(selections, on, scope);
                    }
                }
                Selection::Spread { name, directives, place, .. } => {
                    self.directives(directives, scope);
                    let Some(fragment) = self.fragments.get(name.as_str()).copied() else {
                        self.report(*place, format!("Unknown fragment \"{name}\"."));
                        continue;
                    };
                    if self.schema.is_composite(&fragment.on) {
                        self.overlap(of, &fragment.on, &format!("Fragment \"{name}\""), *place);
                        if scope.seen.insert(&fragment.name) {
                            self.selections(&fragment.selections, &fragment.on, scope);
                        }
                    }
                }
            }
        }
    }

    /// Some object must be of both types.
    fn overlap(&mut self, of: &str, on: &str, what: &str, place: Place) {
        let possible = self.schema.possible(of);
        if of != on && !self.schema.possible(on).iter().any(|one| possible.contains(one)) {
            let text = format!(
                "{what} cannot be spread here as objects of type \"{of}\" can never be of type \"{on}\"."
            );
            self.report(place, text);
        }
    }

    fn field(&mut self, field: &'a Field, of: &str, scope: &mut Scope<'a>) {
        self.directives(&field.directives, scope);
        let schema = self.schema;
        if field.name == "__typename" {
            if !field.arguments.is_empty() || !field.selections.is_empty() {
                self.report(field.place, "Field \"__typename\" has neither arguments nor fields.");
            }
            return;
        }
        let Some(found) = schema.field(of, &field.name) else {
            let text = format!("Cannot query field \"{}\" on type \"{of}\".", field.name);
            return self.report(field.place, text);
        };
        let owner = format!("field \"{of}.{}\"", field.name);
        self.arguments(&field.arguments, &found.arguments, &owner, field.place, scope);
        let inner = found.of.name();
        match (schema.is_composite(inner), field.selections.is_empty()) {
            (true, true) => {
                let text = format!(
                    "Field \"{}\" of type \"{}\" must have a selection of subfields. Did you mean \"{} {{ ... }}\"?",
                    field.name, found.of, field.name
                );
                self.report(field.place, text);
            }
            (false, false) => {
                let text = format!(
                    "Field \"{}\" must not have a selection since type \"{}\" has no subfields.",
                    field.name, found.of
                );
                self.report(field.place, text);
            }
            _ => self.selections(&field.selections, inner, scope),
        }
    }

    fn directives(&mut self, directives: &'a [Directive], scope: &mut Scope<'a>) {
        let schema = self.schema;
        for directive in directives {
            match schema.directives.get(&directive.name) {
                None => self.report(directive.place, format!("Unknown directive \"@{}\".", directive.name)),
                Some(arguments) => {
                    let owner = format!("directive \"@{}\"", directive.name);
                    self.arguments(&directive.arguments, arguments, &owner, directive.place, scope);
                }
            }
        }
    }

    fn arguments(
        &mut self,
        given: &'a [(String, Value)],
        known: &[InputDef],
        owner: &str,
        place: Place,
        scope: &mut Scope<'a>,
    ) {
        let mut names = HashSet::new();
        for (name, value) in given {
            if !names.insert(name) {
                self.report(place, format!("There can be only one argument named \"{name}\"."));
            }
            match known.iter().find(|input| input.name == *name) {
                Some(input) => self.input(value, input, place, scope),
                None => {
                    self.uses(value, scope);
                    self.report(place, format!("Unknown argument \"{name}\" on {owner}."));
                }
            }
        }
        for input in known.iter().filter(|input| input.is_required() && !names.contains(&input.name)) {
            let text = format!(
                "Argument \"{}\" of type \"{}\" is required on {owner}, but it was not provided.",
                input.name, input.of
            );
            self.report(place, text);
        }
    }

    /// A default of the place makes a variable that may be null fit (§5.8.5).
    fn input(&mut self, value: &Value, input: &InputDef, place: Place, scope: &mut Scope<'a>) {
        match (&input.of, value) {
            (TypeRef::NonNull(inner), Value::Variable(..)) if input.has_default => {
                self.value(value, inner, place, scope);
            }
            _ => self.value(value, &input.of, place, scope),
        }
    }

    /// Notes the variables of a value that has no type.
    fn uses(&mut self, value: &Value, scope: &mut Scope<'a>) {
        match value {
            Value::Variable(name, place) => {
                scope.used.insert(name.clone());
                if !scope.variables.iter().any(|one| one.name == *name) {
                    self.report(*place, format!("Variable \"${name}\" is not defined."));
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.uses(item, scope)),
            Value::Object(fields) => fields.iter().for_each(|(_, field)| self.uses(field, scope)),
            _ => {}
        }
    }

    fn value(&mut self, value: &Value, of: &TypeRef, place: Place, scope: &mut Scope<'a>) {
        match (value, of) {
            (Value::Variable(name, at), _) => {
                self.uses(value, scope);
                let variable = scope.variables.iter().find(|one| one.name == *name);
                if let Some(variable) = variable.filter(|variable| !fits(variable, of)) {
                    let text = format!(
                        "Variable \"${name}\" of type \"{}\" used in position expecting type \"{of}\".",
                        variable.of
                    );
                    self.report(*at, text);
                }
            }
            (Value::Null, TypeRef::NonNull(_)) => {
                self.report(place, format!("Expected value of type \"{of}\", found null."));
            }
            (Value::Null, _) => {}
            (_, TypeRef::NonNull(inner)) => self.value(value, inner, place, scope),
            (Value::List(items), TypeRef::List(inner)) => {
                items.iter().for_each(|item| self.value(item, inner, place, scope));
            }
            (_, TypeRef::List(inner)) => self.value(value, inner, place, scope),
            (_, TypeRef::Named(name)) => self.named(value, name, place, scope),
        }
    }

    fn named(&mut self, value: &Value, name: &str, place: Place, scope: &mut Scope<'a>) {
        let schema = self.schema;
        let Some(of) = schema.types.get(name) else { return };
        if of.shape == Shape::Input {
            let Value::Object(fields) = value else {
                let text = format!("Expected value of type \"{name}\", found {}.", value.shown());
                return self.report(place, text);
            };
            return self.object(fields, &of.inputs, name, place, scope);
        }
        let fits = match (of.shape, name, value) {
            (Shape::Enum, _, Value::Enum(word)) => of.values.contains(word),
            (Shape::Enum, ..) => false,
            (_, "Int", Value::Int(text)) => text.parse::<i32>().is_ok(),
            (_, "Float", Value::Int(_) | Value::Float(_)) => true,
            (_, "String", Value::String(_)) | (_, "Boolean", Value::Boolean(_)) => true,
            (_, "ID", Value::String(_) | Value::Int(_)) => true,
            (_, "Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
            // A scalar of the schema's own takes what it takes.
            _ => {
                self.uses(value, scope);
                true
            }
        };
        if !fits {
            self.report(place, format!("Expected value of type \"{name}\", found {}.", value.shown()));
        }
    }

    fn object(
        &mut self,
        fields: &[(String, Value)],
        known: &[InputDef],
        of: &str,
        place: Place,
        scope: &mut Scope<'a>,
    ) {
        let mut names = HashSet::new();
        for (name, value) in fields {
            if !names.insert(name) {
                self.report(place, format!("There can be only one input field named \"{name}\"."));
            }
            match known.iter().find(|input| input.name == *name) {
                Some(input) => self.input(value, input, place, scope),
                None => self.report(place, format!("Field \"{name}\" is not defined by type \"{of}\".")),
            }
        }
        for input in known.iter().filter(|input| input.is_required() && !names.contains(&input.name)) {
            let text =
                format!("Field \"{of}.{}\" of required type \"{}\" was not provided.", input.name, input.of);
            self.report(place, text);
        }
    }
}

/// Whether a variable may stand where a type is expected (§5.8.5).
fn fits(variable: &Variable, wanted: &TypeRef) -> bool {
    let has_default = variable.default.as_ref().is_some_and(|default| *default != Value::Null);
    match wanted {
        TypeRef::NonNull(inner) if !variable.of.is_required() => has_default && covers(&variable.of, inner),
        _ => covers(&variable.of, wanted),
    }
}

/// Whether values of one type are values of another.
fn covers(of: &TypeRef, wanted: &TypeRef) -> bool {
    match (of, wanted) {
        (TypeRef::NonNull(of), TypeRef::NonNull(wanted)) => covers(of, wanted),
        (_, TypeRef::NonNull(_)) => false,
        (TypeRef::NonNull(of), wanted) => covers(of, wanted),
        (TypeRef::List(of), TypeRef::List(wanted)) => covers(of, wanted),
        (TypeRef::Named(of), TypeRef::Named(wanted)) => of == wanted,
        _ => false,
    }
}
