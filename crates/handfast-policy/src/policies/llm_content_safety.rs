//! `llm-content-safety`: asks a content safety service whether a prompt, or an answer, may pass (specification 5.3). What
//! is harmful does not, and neither does what could not be checked.
//!
//! Wire: the text operations of Azure AI Content Safety, version 2024-09-01: `text:analyze` with categories and
//! blocklists, `text:shieldPrompt` against attacks on the model. Long texts are checked in windows, one after the other.

use super::backend_call::{AI_SERVICES, answer as backend_answer, authorize, post};
use super::set_backend_service::check_backend;
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::io::{Input, Output, SendRequest, Side};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::prompt;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use serde_json::{Value, json};

/// Characters of a prompt that are checked at a time.
const PROMPT_WINDOW: usize = 10_000;
/// Characters of an answer that are checked at a time, when the document does not say.
const ANSWER_WINDOW: u32 = 1_000;
/// Calls for one message; a longer text cannot be checked and does not pass.
const WINDOWS_MAX: usize = 64;

const VERSION: &str = "?api-version=2024-09-01";

static CATEGORY: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::OneOf(&["Hate", "SelfHarm", "Sexual", "Violence"])).required(),
        AttributeSchema::new("threshold", Kind::Unsigned { min: 0, max: 7 }).required(),
    ],
    content: Content::Empty,
};
static CATEGORIES: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new(
        "output-type",
        Kind::OneOf(&["FourSeverityLevels", "EightSeverityLevels"]),
    )],
    content: Content::Sequence(&[Particle::some("category", &CATEGORY)]),
};
static BLOCKLISTS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("id", &TEXT)]) };
static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("backend-id", Kind::Name).required(),
        AttributeSchema::new("shield-prompt", Kind::Boolean),
        AttributeSchema::new("enforce-on-completions", Kind::Boolean).literal(),
        AttributeSchema::new("window-size", Kind::Unsigned { min: 1, max: 10_000 }),
        AttributeSchema::new("window-overlap-size", Kind::Unsigned { min: 0, max: 9_999 }),
    ],
    content: Content::AnyOrder(
        &[
            Particle::optional("categories", &CATEGORIES),
            Particle::optional("blocklists", &BLOCKLISTS),
            Particle::optional("block-lists", &BLOCKLISTS),
        ],
        0,
    ),
};

pub(crate) static POLICY: Policy = Policy { name: "llm-content-safety", schema: &SCHEMA, compile };

#[derive(Debug)]
struct Category {
    name: Text,
    threshold: Setting<u32>,
}

#[derive(Debug)]
struct ContentSafety {
    backend: Text,
    shield: Setting<bool>,
    window: Setting<u32>,
    overlap: Setting<u32>,
    levels: Text,
    categories: Vec<Category>,
    blocklists: Vec<Text>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    if read::boolean(element, "enforce-on-completions", false) {
        compiler.refuse(
            element,
            "The value 'true' of the attribute 'enforce-on-completions' is not supported: put the policy into the section 'outbound' as well",
        );
        return None;
    }
    let categories = element.child("categories");
    let category = |child: &Element, compiler: &mut Compiler<'_>| Category {
        name: compiler.text(child, "name"),
        threshold: compiler.number(child, "threshold", 0),
    };
    let policy = ContentSafety {
        backend: compiler.text(element, "backend-id"),
        shield: compiler.boolean(element, "shield-prompt", false),
        window: compiler.number(element, "window-size", ANSWER_WINDOW),
        overlap: compiler.number(element, "window-overlap-size", 0),
        levels: categories.map(|one| compiler.text(one, "output-type")).unwrap_or_default(),
        categories: categories
            .iter()
            .flat_map(|all| all.named("category"))
            .map(|child| category(child, compiler))
            .collect(),
        blocklists: ["blocklists", "block-lists"]
            .iter()
            .flat_map(|name| element.named(name))
            .flat_map(|list| list.named("id"))
            .map(|id| compiler.content(id))
            .collect(),
    };
    check_backend(element, &policy.backend, compiler)?;
    Parts::leaf(policy)
}

/// The text of a streamed answer's events.
fn streamed(body: &[u8]) -> String {
    let lines = body.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
    lines
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .map(|event| prompt::answer(&event))
        .collect()
}

/// Pieces of so many characters, each beginning with the last characters of the one before.
fn windows(text: &str, size: usize, overlap: usize) -> Option<Vec<String>> {
    let characters: Vec<char> = text.chars().collect();
    let advance = size.saturating_sub(overlap).max(1);
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < characters.len() {
        if pieces.len() == WINDOWS_MAX {
            return None;
        }
        let to = (from + size).min(characters.len());
        pieces.push(characters[from..to].iter().collect());
        if to == characters.len() {
            break;
        }
        from += advance;
    }
    Some(pieces)
}

impl ContentSafety {
    /// The texts to check; `None` when there is too much.
    fn texts(&self, at: &mut At<'_>) -> Result<Option<Vec<String>>, Halt> {
        let (size, overlap) = (at.number(&self.window)?, at.number(&self.overlap)?);
        if at.side() == Side::Request {
            let turns = prompt::turns(&prompt::json(at, Side::Request)?);
            let text = turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join("\n");
            return Ok(windows(&text, PROMPT_WINDOW, 0));
        }
        let is_stream = prompt::is_stream(at.context.response.as_ref());
        let text = prompt::of_body(at, Side::Response, |body| match is_stream {
            true => streamed(body),
            false => prompt::answer(&serde_json::from_slice(body).unwrap_or_default()),
        })?;
        Ok(windows(&text, size as usize, overlap as usize))
    }

    /// Everything that has to be asked, last first.
    fn checks(&self, at: &mut At<'_>) -> Result<Option<Vec<SendRequest>>, Halt> {
        let backend = at.text(&self.backend)?;
        let shield = at.boolean(&self.shield)? && at.side() == Side::Request;
        let levels = at.text(&self.levels)?;
        let levels = if levels.is_empty() { "FourSeverityLevels" } else { &*levels };
        let names: Vec<String> = self.thresholds(at)?.into_iter().map(|(name, _)| name).collect();
        let lists: Vec<String> = at.texts(&self.blocklists)?.iter().map(|id| id.trim().to_owned()).collect();
        let Some(texts) = self.texts(at)? else { return Ok(None) };
        let mut checks = Vec::new();
        for text in texts.iter().rev() {
            if !names.is_empty() || !lists.is_empty() {
                let asked = json!({ "text": text, "categories": names, "blocklistNames": lists,
                    "haltOnBlocklistHit": true, "outputType": levels });
                checks.push(*post(&backend, &format!("/contentsafety/text:analyze{VERSION}"), &asked));
            }
            if shield {
                let asked = json!({ "userPrompt": text, "documents": [] });
                checks.push(*post(&backend, &format!("/contentsafety/text:shieldPrompt{VERSION}"), &asked));
            }
        }
        Ok(Some(checks))
    }

    fn thresholds(&self, at: &mut At<'_>) -> Result<Vec<(String, u32)>, Halt> {
        let one = |category: &Category| {
            Ok((at.text(&category.name)?.to_string(), at.number_within(&category.threshold, 0..=7)?))
        };
        self.categories.iter().map(one).collect()
    }

    /// Why a text does not pass.
    fn objection(&self, at: &mut At<'_>, found: &Value) -> Result<Option<String>, Halt> {
        if let Some(attack) = found.pointer("/userPromptAnalysis/attackDetected") {
            return Ok(
                (attack != &Value::Bool(false)).then(|| "an attack on the model was detected".to_owned())
            );
        }
        let list = |name: &str| found.get(name).and_then(Value::as_array);
        if list("blocklistsMatch").is_some_and(|all| !all.is_empty()) {
            return Ok(Some("the text matches a blocklist".to_owned()));
        }
        let Some(analysis) = list("categoriesAnalysis") else {
            return Ok(Some("the answer of the content safety service is not understood".to_owned()));
        };
        for (name, threshold) in self.thresholds(at)? {
            let of_name = |one: &&Value| one.get("category").and_then(Value::as_str) == Some(&*name);
            match analysis.iter().find(of_name).and_then(|one| one.get("severity")?.as_u64()) {
                None => return Ok(Some(format!("category '{name}' was not judged"))),
                Some(severity) if severity >= threshold.into() => {
                    return Ok(Some(format!(
                        "category '{name}' has severity {severity}, from {threshold} on it is blocked"
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(None)
    }
}

/// The next question, or on to the next policy when all are answered.
fn next(at: &mut At<'_>) -> Flow {
    match at.context.checks.pop() {
        Some(request) => Flow::Await(Output::Send(Box::new(request))),
        None => {
            at.note(|| "content safety check passed");
            Flow::Next
        }
    }
}

/// The reason is not documented (unverified); the text for the client is.
fn blocked(at: &mut At<'_>, why: String) -> Flow {
    at.context.checks.clear();
    let text = "Request failed content safety check.";
    Flow::fail(Failure::denied(403, "ContentSafetyCheckFailed", why, text))
}

impl Step for ContentSafety {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let Some(checks) = self.checks(at)? else {
            return Ok(blocked(at, "the text is too long to be checked".to_owned()));
        };
        if checks.is_empty() {
            at.note(|| "there is no text to check");
            return Ok(Flow::Next);
        }
        at.context.checks = checks;
        Ok(Flow::Await(Output::Token { resource: AI_SERVICES.to_owned(), client_id: None }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        if let Input::Token(token) = answer {
            let mut checks = std::mem::take(&mut at.context.checks);
            authorize(at, token, checks.iter_mut());
            at.context.checks = checks;
            return Ok(next(at));
        }
        let objection = match backend_answer(answer) {
            Ok(found) => self.objection(at, &found)?,
            Err(why) => Some(format!("the content safety service could not be asked: {why}")),
        };
        Ok(match objection {
            Some(why) => blocked(at, why),
            None => next(at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_into_windows_that_overlap() {
        assert_eq!(windows("abcdefg", 3, 1), Some(vec!["abc".into(), "cde".into(), "efg".into()]));
        assert_eq!(windows("abc", 3, 0), Some(vec!["abc".into()]));
        assert_eq!(windows("", 3, 0), Some(Vec::new()));
        assert_eq!(windows("abc", 1, 5).map(|all| all.len()), Some(3), "an overlap never stops the advance");
        assert_eq!(windows(&"x".repeat(1000), 1, 0), None);
    }

    #[test]
    fn streamed_answers_are_put_together() {
        let body = b"data: {\"choices\":[{\"delta\":{\"content\":\"He\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"llo\"}}]}\n\ndata: [DONE]\n";
        assert_eq!(streamed(body), "Hello");
    }
}
