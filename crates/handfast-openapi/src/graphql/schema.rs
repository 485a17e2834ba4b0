//! The types of a schema (§3), with what every schema has: the scalars, the directives, introspection (§4).

use super::lexer::Reader;
use super::{GraphQlError, Kind, TypeRef, sdl};
use std::collections::BTreeMap;

/// A schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    pub(super) types: BTreeMap<String, TypeDef>,
    pub(super) directives: BTreeMap<String, Vec<InputDef>>,
    pub(super) query: Option<String>,
    pub(super) mutation: Option<String>,
    pub(super) subscription: Option<String>,
}

/// Why a text is no schema that can be used.
pub type SchemaError = GraphQlError;

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TypeDef {
    pub(super) shape: Shape,
    pub(super) fields: Vec<FieldDef>,
    /// Implemented interfaces, or the members of a union.
    pub(super) related: Vec<String>,
    /// The names of an enumeration.
    pub(super) values: Vec<String>,
    /// The fields of an input object.
    pub(super) inputs: Vec<InputDef>,
}

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    Input,
}

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FieldDef {
    pub(super) name: String,
    pub(super) of: TypeRef,
    pub(super) arguments: Vec<InputDef>,
}

/// An argument or a field of an input object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InputDef {
    pub(super) name: String,
    pub(super) of: TypeRef,
    pub(super) has_default: bool,
}

impl InputDef {
    pub(super) fn is_required(&self) -> bool {
        self.of.is_required() && !self.has_default
    }
}

/// What every schema has.
const STANDARD: &str = r#"
scalar Int scalar Float scalar String scalar Boolean scalar ID
directive @skip(if: Boolean!) on FIELD
directive @include(if: Boolean!) on FIELD
type __Schema { description: String types: [__Type!]! queryType: __Type! mutationType: __Type
  subscriptionType: __Type directives: [__Directive!]! }
type __Type { kind: __TypeKind! name: String description: String specifiedByURL: String
  fields(includeDeprecated: Boolean = false): [__Field!] interfaces: [__Type!] possibleTypes: [__Type!]
  enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
  inputFields(includeDeprecated: Boolean = false): [__InputValue!] ofType: __Type isOneOf: Boolean }
enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
type __Field { name: String! description: String args(includeDeprecated: Boolean = false): [__InputValue!]!
  type: __Type! isDeprecated: Boolean! deprecationReason: String }
type __InputValue { name: String! description: String type: __Type! defaultValue: String
  isDeprecated: Boolean! deprecationReason: String }
type __EnumValue { name: String! description: String isDeprecated: Boolean! deprecationReason: String }
type __Directive { name: String! description: String locations: [__DirectiveLocation!]!
  args(includeDeprecated: Boolean = false): [__InputValue!]! isRepeatable: Boolean! }
enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT
  VARIABLE_DEFINITION SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE
  INPUT_OBJECT INPUT_FIELD_DEFINITION }
"#;

impl Schema {
    /// Reads the text of a schema; every type that is named must exist.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let mut schema = Self::default();
        sdl::read(&mut Reader::new(STANDARD)?, &mut schema)?;
        let mut reader = Reader::new(text)?;
        sdl::read(&mut reader, &mut schema)?;
        let roots = [
            (&mut schema.query, "Query"),
            (&mut schema.mutation, "Mutation"),
            (&mut schema.subscription, "Subscription"),
        ];
        for (root, name) in roots {
            if root.is_none() && schema.types.get(name).is_some_and(|of| of.shape == Shape::Object) {
                *root = Some(name.to_owned());
            }
        }
        let Some(query) = schema.query.clone() else {
            return reader.fail("The schema has no type 'Query'.");
        };
        if let Some(missing) = schema.missing() {
            return reader.fail(format!("Unknown type '{missing}'."));
        }
        let named = |name: &str| TypeRef::Named(name.to_owned());
        let text_argument = InputDef {
            name: "name".into(),
            of: TypeRef::NonNull(Box::new(named("String"))),
            has_default: false,
        };
        if let Some(root) = schema.types.get_mut(&query) {
            let schema_type = TypeRef::NonNull(Box::new(named("__Schema")));
            root.fields.push(FieldDef { name: "__schema".into(), of: schema_type, arguments: Vec::new() });
            let of = named("__Type");
            root.fields.push(FieldDef { name: "__type".into(), of, arguments: vec![text_argument] });
        }
        Ok(schema)
    }

    /// A type that is named and does not exist.
    fn missing(&self) -> Option<String> {
        let inputs = |inputs: &[InputDef]| -> Vec<String> {
            inputs.iter().map(|input| input.of.name().to_owned()).collect()
        };
        let mut named: Vec<String> =
            [&self.query, &self.mutation, &self.subscription].into_iter().flatten().cloned().collect();
        for of in self.types.values() {
            named.extend(of.related.iter().cloned());
            named.extend(inputs(&of.inputs));
            for field in &of.fields {
                named.push(field.of.name().to_owned());
                named.extend(inputs(&field.arguments));
            }
        }
        named.extend(self.directives.values().flat_map(|arguments| inputs(arguments)));
        named.into_iter().find(|name| !self.types.contains_key(name))
    }

    /// The root type of a kind of operations.
    pub fn root(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Query => self.query.as_deref(),
            Kind::Mutation => self.mutation.as_deref(),
            Kind::Subscription => self.subscription.as_deref(),
        }
    }

    /// The name of the type of a field.
    pub fn type_of_field(&self, of: &str, field: &str) -> Option<&str> {
        if field == "__typename" {
            return Some("String");
        }
        self.field(of, field).map(|field| field.of.name())
    }

    pub(super) fn field(&self, of: &str, field: &str) -> Option<&FieldDef> {
        self.types.get(of)?.fields.iter().find(|one| one.name == field)
    }

    pub(super) fn shape(&self, name: &str) -> Option<Shape> {
        self.types.get(name).map(|of| of.shape)
    }

    pub(super) fn is_composite(&self, name: &str) -> bool {
        matches!(self.shape(name), Some(Shape::Object | Shape::Interface | Shape::Union))
    }

    pub(super) fn is_input(&self, name: &str) -> bool {
        matches!(self.shape(name), Some(Shape::Scalar | Shape::Enum | Shape::Input))
    }

    /// The objects that a composite type may be.
    pub(super) fn possible(&self, name: &str) -> Vec<&str> {
        match self.types.get(name) {
            Some(of) if of.shape == Shape::Union => of.related.iter().map(String::as_str).collect(),
            Some(of) if of.shape == Shape::Interface => self
                .types
                .iter()
                .filter(|(_, one)| one.shape == Shape::Object && one.related.iter().any(|own| own == name))
                .map(|(name, _)| name.as_str())
                .collect(),
            Some(_) => self.types.get_key_value(name).map(|(name, _)| name.as_str()).into_iter().collect(),
            None => Vec::new(),
        }
    }
}
