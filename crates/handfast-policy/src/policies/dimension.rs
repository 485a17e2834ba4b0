//! The children `dimension` of the metric policies (specification 5.10): names with values, some of which are
//! known to the gateway and may be left out.

use crate::compile::Compiler;
use crate::context::Context;
use crate::machine::step::{At, Halt};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Text;
use crate::tree::Element;

/// Dimensions of the document's own, beside the known ones.
const CUSTOM_MAX: usize = 5;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required(),
        AttributeSchema::new("value", Kind::Text),
    ],
    content: Content::Empty,
};

/// What a known dimension reads; empty when the request has none.
type Known = fn(&Context) -> Option<&str>;

const KNOWN: &[(&str, Known)] = &[
    ("API ID", |context| context.api.as_ref().map(|api| &*api.id)),
    ("Operation ID", |context| context.operation.as_ref().map(|operation| &*operation.id)),
    ("Product ID", |context| context.product.as_ref().map(|product| &*product.id)),
    ("User ID", |context| context.user.as_ref().map(|user| &*user.id)),
    ("Subscription ID", |context| context.subscription.as_ref().map(|subscription| &*subscription.id)),
    ("Location", |context| context.deployment.as_ref().map(|deployment| &*deployment.region)),
    ("Gateway ID", |context| context.deployment.as_ref().map(|deployment| &*deployment.gateway_id)),
    ("Backend ID", |context| context.backend.backend_id.as_deref()),
];

fn known(name: &str) -> Option<Known> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, read)| *read)
}

/// The dimensions of one policy.
#[derive(Debug)]
pub(crate) struct Dimensions(Vec<(Text, Option<Text>)>);

/// Reads the children; `None` when something was reported.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Dimensions> {
    let mut all = Vec::new();
    let (mut custom, mut good) = (0, true);
    for child in element.named("dimension") {
        let (name, value) = (compiler.text(child, "name"), compiler.optional_text(child, "value"));
        match name.literal() {
            Some(name) if known(name).is_some() => {}
            Some(name) if value.is_none() => {
                let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                compiler.refuse(
                    child,
                    format!("The dimension '{name}' needs a 'value'; only {names} have one of their own"),
                );
                good = false;
            }
            _ => custom += 1,
        }
        all.push((name, value));
    }
    if custom > CUSTOM_MAX {
        compiler.refuse(
            element,
            format!("{custom} custom dimensions were specified; at most {CUSTOM_MAX} are accepted"),
        );
        good = false;
    }
    good.then_some(Dimensions(all))
}

impl Dimensions {
    /// Names and values for this request.
    pub(crate) fn get(&self, at: &mut At<'_>) -> Result<Vec<(String, String)>, Halt> {
        let mut all = Vec::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            let name = at.text(name)?.to_string();
            let value = match value {
                Some(value) => at.text(value)?.to_string(),
                None => known(&name).and_then(|read| read(at.context).map(str::to_owned)).unwrap_or_default(),
            };
            all.push((name, value));
        }
        Ok(all)
    }
}
