//! `llm-semantic-cache-lookup` and `-store`, and the same under their older names `azure-openai-…`: answers of language
//! models for prompts that mean the same (specification 5.6). An embeddings backend makes a vector of the prompt; the
//! host finds the nearest prompt of the same partition. What fails leaves the request as it is.

use super::Policy;
use super::backend_call::{answer as backend_answer, for_token, post, with_token};
use super::cache_response::{Place, STORE_SCHEMA, Store};
use super::set_backend_service::check_backend;
use crate::compile::{Compiler, Parts};
use crate::context::{Context, Near, Response};
use crate::machine::evaluate::unfit;
use crate::machine::io::{Cached, CachedContent, Input, Output, Side};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::prompt;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// Numbers of a vector that are taken; today's models have up to 3,072.
const VECTOR_MAX: usize = 8_192;
/// The version of an Azure OpenAI endpoint when the request names none (unverified).
const API_VERSION: &str = "2024-06-01";

static LOOKUP_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("score-threshold", Kind::Name).required(),
        AttributeSchema::new("embeddings-backend-id", Kind::Name).required(),
        AttributeSchema::new("embeddings-backend-auth", Kind::OneOf(&["system-assigned"])),
        AttributeSchema::new("ignore-system-messages", Kind::Boolean),
        AttributeSchema::new("max-message-count", Kind::Unsigned { min: 1, max: u32::MAX }),
    ],
    content: Content::Sequence(&[Particle::any("vary-by", &TEXT)]),
};

pub(crate) static LOOKUP: Policy =
    Policy { name: "llm-semantic-cache-lookup", schema: &LOOKUP_SCHEMA, compile: compile_lookup };
pub(crate) static STORE: Policy =
    Policy { name: "llm-semantic-cache-store", schema: &STORE_SCHEMA, compile: compile_store };
pub(crate) static AZURE_LOOKUP: Policy =
    Policy { name: "azure-openai-semantic-cache-lookup", schema: &LOOKUP_SCHEMA, compile: compile_lookup };
pub(crate) static AZURE_STORE: Policy =
    Policy { name: "azure-openai-semantic-cache-store", schema: &STORE_SCHEMA, compile: compile_store };

#[derive(Debug)]
struct Lookup {
    threshold: Setting<Value>,
    backend: Text,
    /// Whether the service's identity asks.
    identity: bool,
    without_system: Setting<bool>,
    turns_max: Option<Setting<u32>>,
    vary_by: Vec<Text>,
}

fn compile_lookup(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let threshold = compiler.value(element, "score-threshold");
    if let Some(literal) = threshold.literal()
        && number(literal).is_none()
    {
        let text = literal.to_text();
        compiler.refuse(
            element,
            format!("The value '{text}' of the attribute 'score-threshold' is not a number from 0.0 to 1.0"),
        );
        return None;
    }
    let backend = compiler.text(element, "embeddings-backend-id");
    check_backend(element, &backend, compiler)?;
    Parts::leaf(Lookup {
        threshold,
        backend,
        identity: element.attribute("embeddings-backend-auth").is_some(),
        without_system: compiler.boolean(element, "ignore-system-messages", false),
        turns_max: compiler.optional_number(element, "max-message-count"),
        vary_by: element.named("vary-by").map(|child| compiler.content(child)).collect(),
    })
}

/// A distance: lower is stricter.
fn number(value: &Value) -> Option<f32> {
    value.to_text().trim().parse().ok().filter(|number| (0.0..=1.0).contains(number))
}

impl Lookup {
    /// Where to look and the text to look for; `None` when the request is not for the cache.
    fn question(&self, at: &mut At<'_>) -> Result<Option<(Near, String)>, Halt> {
        let threshold = at.value(&self.threshold)?;
        let distance_max = number(&threshold).ok_or_else(|| unfit(&threshold, "a number from 0.0 to 1.0"))?;
        let without_system = at.boolean(&self.without_system)?;
        let turns_max = self.turns_max.as_ref().map(|count| at.number(count)).transpose()?;
        let partition = self.partition(at)?;
        let document = prompt::json(at, Side::Request)?;
        let mut turns = prompt::turns(&document);
        turns.retain(|turn| !(without_system && matches!(&*turn.role, "system" | "developer")));
        let too_many = turns_max.is_some_and(|max| turns.len() > max as usize);
        let text: Vec<&str> =
            turns.iter().map(|turn| turn.text.as_str()).filter(|text| !text.is_empty()).collect();
        if too_many || text.is_empty() {
            return Ok(None);
        }
        Ok(Some((Near { partition, vector: Arc::default(), distance_max }, text.join("\n"))))
    }

    /// API, operation and what the document varies by; lengths keep parts apart whatever is in them.
    fn partition(&self, at: &mut At<'_>) -> Result<String, Halt> {
        let vary_by = at.texts(&self.vary_by)?;
        let (api, operation) = (&at.context.api, &at.context.operation);
        let mut parts: Vec<&str> = Vec::with_capacity(3 + vary_by.len());
        parts.extend(api.iter().flat_map(|api| [api.id.as_str(), api.revision.as_str()]));
        parts.extend(operation.iter().map(|operation| operation.id.as_str()));
        parts.extend(vary_by.iter().map(|text| &**text));
        let mut key = String::from("near");
        for part in parts {
            // Writing to memory cannot fail.
            let _ = write!(key, "\n{}:{part}", part.len());
        }
        Ok(key)
    }
}

/// The query of the embeddings endpoint: Azure's need the version that the request itself names.
fn query(at: &At<'_>) -> String {
    let query = at.context.request.target.query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("api-version="));
    format!("?api-version={}", named.unwrap_or(API_VERSION))
}

/// The first vector of an answer.
fn vector(document: &serde_json::Value) -> Option<Arc<[f32]>> {
    let numbers = document.pointer("/data/0/embedding")?.as_array()?;
    if numbers.is_empty() || numbers.len() > VECTOR_MAX {
        return None;
    }
    numbers.iter().map(|number| number.as_f64().map(|number| number as f32)).collect()
}

impl Step for Lookup {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let backend = at.text(&self.backend)?;
        let Some((near, text)) = self.question(at)? else {
            at.note(|| "the request is not for the cache");
            return Ok(Flow::Next);
        };
        let request = post(&backend, &query(at), &json!({ "input": text }));
        at.context.near = Some(near);
        Ok(Flow::Await(if self.identity { for_token(at, request) } else { Output::Send(request) }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        match answer {
            Input::Token(token) => Ok(with_token(at, token).map_or(Flow::Next, Flow::Await)),
            Input::Cached(found) => Ok(take(at, found)),
            sent => {
                let found = backend_answer(sent)
                    .and_then(|document| vector(&document).ok_or("the answer has no vector".to_owned()));
                match (found, &mut at.context.near) {
                    (Ok(vector), Some(near)) => {
                        near.vector = vector;
                        let Near { partition, vector, distance_max } = near.clone();
                        Ok(Flow::Await(Output::CacheNearest { partition, vector, distance_max }))
                    }
                    (Err(why), near) => {
                        *near = None;
                        at.note(|| format!("the prompt is not looked up: {why}"));
                        Ok(Flow::Next)
                    }
                    (Ok(_), None) => Ok(Flow::Next),
                }
            }
        }
    }
}

fn take(at: &mut At<'_>, found: Option<(Cached, Duration)>) -> Flow {
    let Some((Cached { content: CachedContent::Response(response), .. }, _)) = found else {
        at.note(|| "no prompt in the cache is near enough");
        return Flow::Next;
    };
    at.context.near = None;
    at.context.set_response(Response::clone(&response));
    at.note(|| "answered from the cache of a prompt that means the same");
    Flow::FromCache
}

/// Beside the prompts of its partition.
#[derive(Debug)]
struct ByLikeness;

fn compile_store(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Store::read(element, compiler, ByLikeness))
}

impl Place for ByLikeness {
    fn is_known(&self, context: &Context) -> bool {
        // A stream of events is passed on as it comes and not kept.
        context.near.as_ref().is_some_and(|near| !near.vector.is_empty())
            && !prompt::is_stream(context.response.as_ref())
    }

    fn take(&self, context: &mut Context, entry: Cached, life: Duration) -> Option<Output> {
        let Near { partition, vector, .. } = context.near.take()?;
        Some(Output::CacheNear { partition, vector, entry, life })
    }
}
