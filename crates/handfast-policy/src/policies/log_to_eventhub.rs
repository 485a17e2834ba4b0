//! `log-to-eventhub`: a text of the document's own for an event hub (specification 5.9). The host takes it over at once
//! and sends it later; a request never waits for a hub, nor fails by one.

use super::cache_value::stored;
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::io::{HubEvent, Input, Output};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Text;
use crate::tree::Element;
use std::sync::Arc;

/// What is longer is cut off.
const TEXT_BYTES_MAX: usize = 200 * 1024;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("logger-id", Kind::Name).required().literal(),
        AttributeSchema::new("partition-id", Kind::Name).literal(),
        AttributeSchema::new("partition-key", Kind::Text),
    ],
    content: Content::Text,
};

pub(crate) static POLICY: Policy = Policy { name: "log-to-eventhub", schema: &SCHEMA, compile };

#[derive(Debug)]
struct LogToEventHub {
    logger: Arc<str>,
    partition_id: Option<Arc<str>>,
    partition_key: Option<Text>,
    text: Text,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let logger = read::text(element, "logger-id");
    if !(compiler.options.logger_exists)(logger) {
        compiler.refuse(element, "Logger not found");
        return None;
    }
    if element.attribute("partition-id").is_some() && element.attribute("partition-key").is_some() {
        compiler.refuse(element, "Only one of the attributes 'partition-id' and 'partition-key' is accepted");
        return None;
    }
    Parts::leaf(LogToEventHub {
        logger: logger.into(),
        partition_id: element.get("partition-id").map(Into::into),
        partition_key: compiler.optional_text(element, "partition-key"),
        text: compiler.content(element),
    })
}

/// The longest beginning that fits, not cut within a character.
fn cut(text: &str) -> &str {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

impl Step for LogToEventHub {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let key = at.optional_text(self.partition_key.as_ref())?.map(|key| key.to_string());
        let text = at.text(&self.text)?;
        at.note(|| format!("{} bytes logged to '{}'", cut(&text).len(), self.logger));
        let event = HubEvent {
            logger: Arc::clone(&self.logger),
            partition_id: self.partition_id.clone(),
            partition_key: key.filter(|key| !key.is_empty()),
            text: cut(&text).to_owned(),
        };
        Ok(Flow::Await(Output::Log(Box::new(event))))
    }

    fn resume(&self, _: &mut At<'_>, answer: Input) -> Ran {
        Ok(stored(&answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = format!("{}é tail", "x".repeat(TEXT_BYTES_MAX - 1));
        assert_eq!(cut(&long).len(), TEXT_BYTES_MAX - 1);
    }
}
