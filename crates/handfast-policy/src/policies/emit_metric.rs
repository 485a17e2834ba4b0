//! `emit-metric`: a sample of the document's own (specification 5.10). The host keeps sums and counts.

use super::{Policy, dimension, read};
use crate::compile::{Compiler, Parts};
use crate::machine::evaluate::unfit;
use crate::machine::io::{Input, MetricSample, Output, Settlement};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::policies::cache_value::stored;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::Setting;
use crate::tree::Element;
use handfast_expression::Value;

/// The namespace when the document names none.
pub(crate) const NAMESPACE: &str = "API Management";

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required().literal(),
        AttributeSchema::new("value", Kind::Text),
        AttributeSchema::new("namespace", Kind::Name).literal(),
    ],
    content: Content::Sequence(&[Particle::some("dimension", &dimension::SCHEMA)]),
};

pub(crate) static POLICY: Policy = Policy { name: "emit-metric", schema: &SCHEMA, compile };

#[derive(Debug)]
struct EmitMetric {
    name: Box<str>,
    namespace: Box<str>,
    value: Option<Setting<Value>>,
    dimensions: dimension::Dimensions,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let dimensions = dimension::read(element, compiler);
    let value = element.attribute("value").map(|_| compiler.value(element, "value"));
    if let Some(literal) = value.as_ref().and_then(Setting::literal)
        && number(literal).is_none()
    {
        let text = literal.to_text();
        compiler.refuse(element, format!("The value '{text}' of the attribute 'value' is not a number"));
        return None;
    }
    Parts::leaf(EmitMetric {
        name: read::text(element, "name").into(),
        namespace: element.get("namespace").unwrap_or(NAMESPACE).into(),
        value,
        dimensions: dimensions?,
    })
}

fn number(value: &Value) -> Option<f64> {
    value.to_text().trim().parse().ok().filter(|number: &f64| number.is_finite())
}

impl Step for EmitMetric {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let value = match &self.value {
            None => 1.0,
            Some(value) => {
                let value = at.value(value)?;
                number(&value).ok_or_else(|| unfit(&value, "a number"))?
            }
        };
        let dimensions = self.dimensions.get(at)?;
        at.note(|| format!("metric '{}' emitted with value {value}", self.name));
        let sample = MetricSample {
            namespace: self.namespace.to_string(),
            name: self.name.to_string(),
            value,
            dimensions,
        };
        Ok(Flow::Await(Output::Settle(vec![Settlement::Emit(sample)])))
    }

    fn resume(&self, _: &mut At<'_>, answer: Input) -> Ran {
        Ok(stored(&answer))
    }
}
