//! Values for template parameters: from parameter files, from `k=v` words, checked against their
//! declarations (`spec/arm.md` §8.1).

use crate::fault::{Fault, INVALID_TEMPLATE, did_you_mean};
use crate::json::parse_json;
use crate::template::{Template, member};
use handfast_core::{Diagnostic, Place};
use handfast_model::ResourceId;
use serde_json::{Map, Value};

/// Given parameter values. Never printed: they may be secrets.
#[derive(Clone, Default)]
pub struct Parameters {
    values: Vec<(String, Value)>,
    references: Vec<(String, VaultReference)>,
    file: String,
}

/// A secret of a vault that stands for a parameter value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultReference {
    /// The vault.
    pub vault: ResourceId,
    /// Name of the secret.
    pub secret: String,
    /// Its version; the current one if absent.
    pub version: Option<String>,
}

impl VaultReference {
    fn read(value: &Value) -> Option<Self> {
        let vault = ResourceId::parse(member(member(value, "keyVault")?, "id")?.as_str()?).ok()?;
        let secret = member(value, "secretName")?.as_str()?.to_owned();
        let version = member(value, "secretVersion").and_then(Value::as_str).map(str::to_owned);
        Some(Self { vault, secret, version })
    }
}

impl Parameters {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one value; a later one wins.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name.into(), value.into());
        self
    }

    fn set(&mut self, name: String, value: Value) {
        self.values.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.references.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.values.push((name, value));
    }

    /// Reads a parameter file: `{ "parameters": { "name": { "value": … } } }`, the inner object alone, or
    /// plain `{ "name": value }`.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        match parse_json(text) {
            Ok(document) => Self::from_value(&document, file),
            Err(error) => {
                let place = Place::text(error.line, error.column).in_file(file);
                Err(vec![Diagnostic::error("InvalidParameterFile", error.message).at(place)])
            }
        }
    }

    /// As [`Parameters::parse`], for JSON that was read already, such as a deployment body.
    pub fn from_value(document: &Value, file: &str) -> Result<Self, Vec<Diagnostic>> {
        let enveloped = document.get("$schema").is_some() || document.get("contentVersion").is_some();
        let section = match member(document, "parameters") {
            Some(section) if enveloped || document.as_object().is_some_and(|map| map.len() == 1) => section,
            _ => document,
        };
        let mut parameters = Self { file: file.to_owned(), ..Self::default() };
        let mut diagnostics = Vec::new();
        let Some(section) = section.as_object() else {
            let place = Place::json("parameters").in_file(file);
            return Err(vec![
                Diagnostic::error("InvalidParameterFile", "parameters must be an object").at(place),
            ]);
        };
        for (name, entry) in section.iter().filter(|(name, _)| *name != "$schema") {
            let given = |key| entry.as_object().and_then(|map| map.get(key)).filter(|value| !value.is_null());
            if let Some(value) = given("value") {
                parameters.set(name.clone(), value.clone());
            } else if let Some(reference) = given("reference") {
                match VaultReference::read(reference) {
                    Some(reference) => parameters.references.push((name.clone(), reference)),
                    None => diagnostics.push(malformed_reference(name, file)),
                }
            } else if entry.as_object().is_some_and(|map| map.contains_key("value")) {
                parameters.set(name.clone(), Value::Null);
            } else {
                parameters.set(name.clone(), entry.clone());
            }
        }
        if diagnostics.is_empty() { Ok(parameters) } else { Err(diagnostics) }
    }

    /// Adds a `name=value` word: the value is read as JSON if the declaration is not of a text type.
    pub fn add_word(&mut self, template: &Template, word: &str) -> Result<(), Vec<Diagnostic>> {
        let Some((name, text)) = word.split_once('=') else {
            let message = format!("\"{word}\" is not a parameter; \"name=value\" would be accepted");
            return Err(vec![Diagnostic::error("InvalidParameter", message)]);
        };
        let declared = template.parameters().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let kind =
            declared.and_then(|(_, declaration)| member(template.resolve(declaration), "type")?.as_str());
        let value = match kind.map(str::to_lowercase).as_deref() {
            Some("string" | "securestring") => Value::String(text.to_owned()),
            _ => parse_json(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        self.set(name.to_owned(), value);
        Ok(())
    }

    /// Parameters that are references to vault secrets, to be resolved before the deployment starts.
    pub fn vault_references(&self) -> impl Iterator<Item = (&str, &VaultReference)> {
        self.references.iter().map(|(name, reference)| (name.as_str(), reference))
    }

    /// Puts the secret in the place of a reference, or any value in any place.
    pub fn resolve(&mut self, name: &str, value: Value) {
        self.set(name.to_owned(), value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Errors for values that the template does not declare.
    pub(crate) fn undeclared(&self, template: &Template) -> Vec<Diagnostic> {
        let names: Vec<&str> = template.parameters().map(|(name, _)| name).collect();
        let is_unknown = |name: &str| !names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let given =
            self.values.iter().map(|(name, _)| name).chain(self.references.iter().map(|(name, _)| name));
        let unknown = given.filter(|name| is_unknown(name));
        let diagnostic = |name: &String| {
            let message = format!("parameter \"{name}\" is not declared by the template");
            let mut found = Diagnostic::error(INVALID_TEMPLATE, message);
            found.place = Some(Place::json(format!("parameters.{name}")).in_file(self.file.clone()));
            found.help = did_you_mean(name, names.iter().copied());
            found
        };
        unknown.map(diagnostic).collect()
    }
}

impl std::fmt::Debug for Parameters {
    /// Names only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(name, _)| name)).finish()
    }
}

fn malformed_reference(name: &str, file: &str) -> Diagnostic {
    let message = format!("the vault reference of parameter \"{name}\" is incomplete");
    let help = "\"keyVault.id\" and \"secretName\" are needed";
    let place = Place::json(format!("parameters.{name}.reference")).in_file(file);
    Diagnostic::error("KeyVaultParameterReferenceNotFound", message).at(place).help(help)
}

/// Whether the declared type is one whose values are never shown.
pub(crate) fn is_secure(template: &Template, declaration: &Value) -> bool {
    let kind = member(template.resolve(declaration), "type").and_then(Value::as_str).unwrap_or_default();
    kind.eq_ignore_ascii_case("securestring") || kind.eq_ignore_ascii_case("secureObject")
}

/// Checks a value against a declaration (type, allowed values, limits, inner types).
pub(crate) fn check(
    template: &Template,
    name: &str,
    declaration: &Value,
    value: &Value,
) -> Result<(), Fault> {
    Checker { template }.check(name, declaration, value, 0)
}

struct Checker<'t> {
    template: &'t Template,
}

impl Checker<'_> {
    fn check(&self, name: &str, declaration: &Value, value: &Value, depth: u32) -> Result<(), Fault> {
        if depth > 64 {
            return Err(Fault::new(format!("the type of \"{name}\" is nested too deeply")));
        }
        let declared = self.template.resolve(declaration);
        // What is stated locally wins over what the reference says.
        let stated = |key: &str| member(declaration, key).or_else(|| member(declared, key));
        if value.is_null() && stated("nullable") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        let kind = stated("type").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let fits = match kind.as_str() {
            "string" | "securestring" => value.is_string(),
            "int" => value.is_i64() || value.is_u64(),
            "bool" => value.is_boolean(),
            "array" => value.is_array(),
            "object" | "secureobject" => value.is_object(),
            _ => true,
        };
        if !fits {
            return Err(Fault::new(format!(
                "\"{name}\" is {}; a value of type \"{kind}\" is needed",
                describe(value)
            )));
        }
        if let Some(allowed) = stated("allowedValues").and_then(Value::as_array) {
            allowed_value(name, allowed, value, kind.starts_with("secure"))?;
        }
        limits(name, value, &stated)?;
        self.inner(name, declared, value, depth)
    }

    fn inner(&self, name: &str, declared: &Value, value: &Value, depth: u32) -> Result<(), Fault> {
        if let (Some(map), Some(properties)) =
            (value.as_object(), member(declared, "properties").and_then(Value::as_object))
        {
            for (key, declaration) in properties {
                let inner = map.get(key).unwrap_or(&Value::Null);
                self.check(&format!("{name}.{key}"), declaration, inner, depth + 1)?;
            }
            if member(declared, "additionalProperties") == Some(&Value::Bool(false))
                && let Some(extra) = map.keys().find(|key| !properties.contains_key(*key))
            {
                let help = did_you_mean(extra, properties.keys().map(String::as_str));
                return Err(Fault::new(format!("\"{name}\" has \"{extra}\", which its type does not allow"))
                    .help(help));
            }
        }
        if let (Some(items), Some(declaration @ Value::Object(_))) =
            (value.as_array(), member(declared, "items"))
        {
            for (index, item) in items.iter().enumerate() {
                self.check(&format!("{name}[{index}]"), declaration, item, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn allowed_value(name: &str, allowed: &[Value], value: &Value, secure: bool) -> Result<(), Fault> {
    let hit = allowed.contains(value)
        || value.as_array().is_some_and(|items| items.iter().all(|item| allowed.contains(item)));
    if hit {
        return Ok(());
    }
    let words: Vec<String> = allowed.iter().map(Value::to_string).collect();
    let found = if secure { "not an allowed value".to_owned() } else { value.to_string() };
    Err(Fault::new(format!("\"{name}\" is {found}; {} would be accepted", words.join(", "))))
}

fn limits<'v>(name: &str, value: &Value, stated: &impl Fn(&str) -> Option<&'v Value>) -> Result<(), Fault> {
    let length = match value {
        Value::String(text) => Some(text.encode_utf16().count()),
        Value::Array(items) => Some(items.len()),
        _ => None,
    };
    let length = length.and_then(|length| i64::try_from(length).ok());
    for (key, found, is_minimum) in [
        ("minValue", value.as_i64(), true),
        ("maxValue", value.as_i64(), false),
        ("minLength", length, true),
        ("maxLength", length, false),
    ] {
        let (Some(limit), Some(found)) = (stated(key).and_then(Value::as_i64), found) else { continue };
        let fits = if is_minimum { found >= limit } else { found <= limit };
        if !fits {
            let what = if key.ends_with("Length") { "has length" } else { "is" };
            return Err(Fault::new(format!("\"{name}\" {what} {found}; its \"{key}\" is {limit}")));
        }
    }
    Ok(())
}

/// The type of a value, for messages.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The members of a map in a new map, for building results.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(Map::from_iter(members.into_iter().map(|(name, value)| (name.to_owned(), value))))
}
