//! A template document and what can be known about it without parameters: its shape, that every
//! expression parses, that functions, parameters and variables exist, and that argument counts fit.

use crate::expression::{Expression, Text, parse_text};
use crate::fault::{Fault, INVALID_TEMPLATE, Stop, did_you_mean};
use crate::function;
use crate::json::parse_json;
use handfast_core::{Diagnostic, Place};
use serde_json::{Map, Value};

/// The type of nested deployments.
pub(crate) const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";

/// A template that was read and checked.
#[derive(Clone, Debug)]
pub struct Template {
    document: Value,
    file: String,
}

impl Template {
    /// Reads a template file. `file` is the name that diagnostics show.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        match parse_json(text) {
            Ok(document) => Self::from_value(document, file),
            Err(error) => {
                let place = Place::text(error.line, error.column).in_file(file);
                Err(vec![Diagnostic::error(INVALID_TEMPLATE, error.message).at(place)])
            }
        }
    }

    /// Checks a template that is JSON already.
    pub fn from_value(document: Value, file: &str) -> Result<Self, Vec<Diagnostic>> {
        let template = Self { document, file: file.to_owned() };
        let mut check = Check { template: &template, diagnostics: Vec::new(), own_parameters: None };
        check.template();
        match check.diagnostics {
            diagnostics if diagnostics.is_empty() => Ok(template),
            diagnostics => Err(diagnostics),
        }
    }

    /// A nested template with outer expression scope: names belong to the parent, so only the shape of
    /// this document counts.
    pub(crate) fn outer(document: Value, file: &str) -> Self {
        Self { document, file: file.to_owned() }
    }

    /// The document as read.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The name that diagnostics show.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether resources are keyed by symbolic name (`languageVersion` 2.0).
    pub fn is_symbolic(&self) -> bool {
        member(&self.document, "resources").is_some_and(Value::is_object)
    }

    /// The declared parameters: name and declaration.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("parameters")
    }

    /// The declared outputs: name and declaration.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("outputs")
    }

    pub(crate) fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let section = member(&self.document, name).and_then(Value::as_object);
        section.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// A declared variable: its expression, or one of the section's `copy` entries.
    pub(crate) fn variable(&self, name: &str) -> Option<Variable<'_>> {
        let section = member(&self.document, "variables")?;
        if let Some(plain) = member(section, name).filter(|_| !name.eq_ignore_ascii_case("copy")) {
            return Some(Variable::Plain(plain));
        }
        let loops = member(section, "copy")?.as_array()?;
        let is_it = |entry: &&Value| entry["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name));
        loops.iter().find(is_it).map(Variable::Loop)
    }

    fn variable_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.section("variables").map(|(name, _)| name).filter(|n| *n != "copy").collect();
        let loops = member(&self.document, "variables").and_then(|section| member(section, "copy"));
        let loops = loops.and_then(Value::as_array).into_iter().flatten();
        names.extend(loops.filter_map(|entry| entry["name"].as_str()));
        names
    }

    /// The declaration of a user function, by `namespace.name`.
    pub(crate) fn user_function(&self, name: &str) -> Option<&Value> {
        let (namespace, name) = name.split_once('.')?;
        let namespaces = member(&self.document, "functions")?.as_array()?;
        let same =
            |entry: &&Value| entry["namespace"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(namespace));
        namespaces.iter().filter(same).find_map(|entry| member(&entry["members"], name))
    }

    /// Follows `$ref` of a type declaration, a few times at most.
    pub(crate) fn resolve<'t>(&'t self, declaration: &'t Value) -> &'t Value {
        let mut at = declaration;
        for _ in 0..32 {
            let target = at["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
            match target.and_then(|pointer| self.document.pointer(pointer)) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }
}

/// How a variable is declared.
pub(crate) enum Variable<'t> {
    Plain(&'t Value),
    Loop(&'t Value),
}

/// The member of that name, without regard to case if there is no exact one.
pub(crate) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    member_of(value.as_object()?, name)
}

/// As [`member`], of a map.
pub(crate) fn member_of<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.get(name)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

struct Check<'t> {
    template: &'t Template,
    diagnostics: Vec<Diagnostic>,
    /// Inside a user function: the names of its own parameters.
    own_parameters: Option<Vec<String>>,
}

const OBJECT_SECTIONS: &[&str] = &["parameters", "variables", "outputs", "definitions"];

impl Check<'_> {
    fn add(&mut self, fault: Fault, path: &str) {
        self.diagnostics.push(fault.at(&self.template.file, path));
    }

    fn template(&mut self) {
        let template = self.template;
        let document = template.document();
        if !document.is_object() {
            return self.add(Fault::new("a template must be a JSON object"), "");
        }
        for name in OBJECT_SECTIONS {
            if member(document, name).is_some_and(|section| !section.is_object()) {
                self.add(Fault::new(format!("\"{name}\" must be an object")), name);
            }
        }
        match member(document, "resources") {
            None | Some(Value::Array(_) | Value::Object(_)) => {}
            Some(_) => self.add(
                Fault::new("\"resources\" must be an array, or an object keyed by symbolic name"),
                "resources",
            ),
        }
        for (name, declaration) in template.parameters() {
            self.declaration(declaration, &format!("parameters.{name}"));
        }
        for (name, declaration) in template.outputs() {
            self.declaration(declaration, &format!("outputs.{name}"));
        }
        for name in ["variables", "outputs"] {
            let section = member(document, name).unwrap_or(&Value::Null);
            self.value(section, name);
        }
        for (name, parameter) in template.parameters() {
            self.value(&parameter["defaultValue"], &format!("parameters.{name}.defaultValue"));
        }
        self.functions();
        self.resources(member(document, "resources").unwrap_or(&Value::Null), "resources");
    }

    fn declaration(&mut self, declaration: &Value, path: &str) {
        let declared = self.template.resolve(declaration);
        match member(declared, "type").and_then(Value::as_str) {
            Some(kind) if TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) => {}
            Some(kind) => {
                let help = did_you_mean(kind, TYPES.iter().copied());
                let fault =
                    Fault::new(format!("\"{kind}\" is no type; {} would be accepted", TYPES.join(", ")));
                self.add(fault.help(help), &format!("{path}.type"));
            }
            None => self.add(Fault::new("\"type\" is missing"), path),
        }
    }

    fn functions(&mut self) {
        let namespaces = member(self.template.document(), "functions").and_then(Value::as_array);
        for (index, namespace) in namespaces.into_iter().flatten().enumerate() {
            for (name, function) in namespace["members"].as_object().into_iter().flatten() {
                let parameters = function["parameters"].as_array().into_iter().flatten();
                let names = parameters.filter_map(|p| p["name"].as_str().map(str::to_lowercase)).collect();
                self.own_parameters = Some(names);
                self.value(
                    &function["output"]["value"],
                    &format!("functions[{index}].members.{name}.output.value"),
                );
                self.own_parameters = None;
            }
        }
    }

    fn resources(&mut self, resources: &Value, path: &str) {
        match resources {
            Value::Array(items) => {
                for (index, resource) in items.iter().enumerate() {
                    self.resource(resource, &format!("{path}[{index}]"));
                }
            }
            Value::Object(items) => {
                for (name, resource) in items {
                    self.resource(resource, &format!("{path}.{name}"));
                }
            }
            _ => {}
        }
    }

    fn resource(&mut self, resource: &Value, path: &str) {
        let Some(map) = resource.as_object() else {
            return self.add(Fault::new("a resource must be an object"), path);
        };
        for name in ["type", "apiVersion", "name"] {
            let extension = member_of(map, "import").is_some() || member_of(map, "extension").is_some();
            let text = member_of(map, name).is_some_and(Value::is_string);
            let optional = extension && name != "type";
            if !(text || optional) {
                self.add(Fault::new(format!("a resource needs \"{name}\", a string")), path);
            }
        }
        let is_deployment = member_of(map, "type")
            .and_then(Value::as_str)
            .is_some_and(|t| t.eq_ignore_ascii_case(DEPLOYMENTS));
        for (name, value) in map {
            let path = format!("{path}.{name}");
            match name.to_ascii_lowercase().as_str() {
                "metadata" | "comments" => {}
                "resources" => self.resources(value, &path),
                "properties" if is_deployment => self.deployment(value, &path),
                _ => self.value(value, &path),
            }
        }
    }

    /// Properties of a nested deployment: an inner template is checked on its own when it starts.
    fn deployment(&mut self, properties: &Value, path: &str) {
        for (name, value) in properties.as_object().into_iter().flatten() {
            if !name.eq_ignore_ascii_case("template") {
                self.value(value, &format!("{path}.{name}"));
            }
        }
    }

    fn value(&mut self, value: &Value, path: &str) {
        match value {
            Value::String(text) => self.text(text, path),
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| self.value(item, &format!("{path}[{index}]")));
            }
            Value::Object(map) => {
                for (key, inner) in map.iter().filter(|(key, _)| *key != "metadata") {
                    self.text(key, path);
                    self.value(inner, &format!("{path}.{key}"));
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, path: &str) {
        match parse_text(text) {
            Ok(Text::Literal(_)) => {}
            Ok(Text::Expression(term)) => self.term(&term, path),
            Err(Stop::Fault(fault)) => self.add(fault, path),
            Err(Stop::Need(_)) => {}
        }
    }

    fn term(&mut self, term: &Expression, path: &str) {
        match term {
            Expression::Text(_) | Expression::Number(_) => {}
            Expression::Property { of, .. } => self.term(of, path),
            Expression::Index { of, index } => {
                self.term(of, path);
                self.term(index, path);
            }
            Expression::Call { name, arguments } => {
                arguments.iter().for_each(|argument| self.term(argument, path));
                if let Err(fault) = self.call(name, arguments) {
                    self.add(fault, path);
                }
            }
        }
    }

    fn call(&self, name: &str, arguments: &[Expression]) -> Result<(), Fault> {
        let template = self.template;
        if name.contains('.') {
            return template
                .user_function(name)
                .map(|_| ())
                .ok_or_else(|| Fault::new(format!("user function \"{name}\" is not defined")));
        }
        function::check_call(name, arguments.len())?;
        let Some(Expression::Text(wanted)) = arguments.first() else { return Ok(()) };
        if name.eq_ignore_ascii_case("parameters") {
            let own = self.own_parameters.iter().flatten().map(String::as_str);
            let names: Vec<&str> = own.chain(template.parameters().map(|(name, _)| name)).collect();
            return known("parameter", wanted, &names);
        }
        if name.eq_ignore_ascii_case("variables") {
            return known("variable", wanted, &template.variable_names());
        }
        Ok(())
    }
}

fn known(what: &str, wanted: &str, names: &[&str]) -> Result<(), Fault> {
    if names.iter().any(|name| name.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let fault = Fault::new(format!("the template {what} \"{wanted}\" is not defined"));
    Err(fault.help(did_you_mean(wanted, names.iter().copied())))
}

/// The types of parameters and outputs.
pub(crate) const TYPES: &[&str] =
    &["string", "securestring", "int", "bool", "object", "secureObject", "array"];
