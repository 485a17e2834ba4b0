//! Reads the sections of a case file.

use super::{Block, Case, CaseError, Delayed, Document, Exchange, Expectation, Reply};
use crate::reader::Format;
use crate::section::Scope;
use handfast_openapi::contract::Compiled;
use handfast_openapi::description::Document as SchemaSource;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn parse(text: &str) -> Result<Case, CaseError> {
    let mut case = Case::default();
    let mut section: Option<(String, Block)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(header) = line.strip_prefix("== ") {
            if let Some((header, block)) = section.take() {
                add(&mut case, &header, block)?;
            }
            section = Some((header.trim().to_owned(), Block { line: number, text: String::new() }));
        } else if let Some((_, block)) = &mut section {
            block.text.push_str(line);
            block.text.push('\n');
        } else if let Some(comment) = line.strip_prefix('#') {
            if case.title.is_empty() {
                case.title = comment.trim().to_owned();
            }
        } else if !line.trim().is_empty() {
            return Err(CaseError::new(number, "expected a comment '# ...' or a section '== ...'"));
        }
    }
    if let Some((header, block)) = section {
        add(&mut case, &header, block)?;
    }
    if case.title.is_empty() {
        return Err(CaseError::new(1, "the first line must be the title, '# ...'"));
    }
    if case.documents.is_empty() {
        return Err(CaseError::new(1, "a case needs at least one '== policy SCOPE'"));
    }
    if case.exchanges.is_empty() && case.diagnostics.is_none() {
        return Err(CaseError::new(1, "a case needs a '== request' or '== expect diagnostics'"));
    }
    Ok(case)
}

fn add(case: &mut Case, header: &str, mut block: Block) -> Result<(), CaseError> {
    block.text.truncate(block.text.trim_end_matches('\n').len());
    let line = block.line;
    let (word, rest) = header.split_once(' ').unwrap_or((header, ""));
    let rest = rest.trim();
    match word {
        "policy" => case.documents.push(document(rest, block)?),
        "fragment" => {
            case.fragments.insert(rest.to_owned(), block.text);
        }
        "named-value" => {
            case.named_values.insert(rest.to_owned(), block.text);
        }
        "backends" => {
            let lines = block.text.lines().map(|line| line.split_once(": ").unwrap_or((line, "")));
            let named = lines.map(|(id, url)| (id.trim().to_owned(), url.trim()));
            case.facts.backends(named.clone());
            case.backends = Some(named.map(|(id, _)| id).collect());
        }
        "loggers" => {
            case.loggers = Some(block.text.lines().map(|line| line.trim().to_owned()).collect());
        }
        "certificates" => {
            for (index, text) in block.text.lines().enumerate() {
                let Some((id, thumbprint)) = text.split_once(':') else {
                    return Err(unknown(line + 1 + index, text, "ID: THUMBPRINT"));
                };
                case.certificates.insert(id.trim().to_owned(), thumbprint.trim().to_owned());
            }
        }
        "issuer" => {
            case.issuers[0].insert(rest.to_owned(), block);
        }
        "newer-issuer" => {
            case.issuers[1].insert(rest.to_owned(), block);
        }
        "context" => case.facts.context(&block)?,
        "certificate" => case.facts.certificate(&block)?,
        "example" => case.facts.example(rest, &block)?,
        "openapi" => case.facts.openapi(&block)?,
        "schema" => {
            case.schemas.insert(rest.to_owned(), Arc::new(schema(&block)?));
        }
        "request" => {
            let after = seconds(rest, line)?;
            case.exchanges.push(Exchange { line, after, request: block, ..Exchange::default() });
        }
        "backend" => {
            let (delay, rest) = match rest.strip_prefix("after ") {
                Some(_) => (seconds(rest, line)?, ""),
                None => (Duration::ZERO, rest),
            };
            let reply = match rest.split_once(' ').unwrap_or((rest, "")) {
                ("", _) => Reply::Response(block),
                ("timeout", _) => Reply::Timeout,
                ("refused", text) => Reply::Refused(text.to_owned()),
                _ => {
                    return Err(unknown(
                        line,
                        header,
                        "'backend', 'backend after N s', 'backend timeout' or 'backend refused TEXT'",
                    ));
                }
            };
            last(case, line)?.replies.push(Delayed { after: delay, reply });
        }
        "expect" => expectation(case, rest, block)?,
        _ => {
            let accepted = "policy, fragment, named-value, backends, loggers, certificates, issuer, newer-issuer, context, certificate, example, openapi, schema, request, backend or expect";
            return Err(unknown(line, header, accepted));
        }
    }
    Ok(())
}

/// A schema of the service: XML when it begins with an element, else JSON.
fn schema(block: &Block) -> Result<Compiled, CaseError> {
    let document = match block.text.trim_start().starts_with('<') {
        true => SchemaSource::Xml(vec![block.text.clone()]),
        false => SchemaSource::Json(json(block)?),
    };
    Ok(Compiled::of(&document, &crate::patterns::compile))
}

/// A block that is JSON.
pub(super) fn json(block: &Block) -> Result<serde_json::Value, CaseError> {
    serde_json::from_str(&block.text)
        .map_err(|error| CaseError::new(block.line + error.line(), error.to_string()))
}

fn document(rest: &str, block: Block) -> Result<Document, CaseError> {
    let (scope, format) = rest.split_once(' ').unwrap_or((rest, "rawxml"));
    let parsed = Scope::parse(scope).zip(Format::parse(format.trim()));
    let Some((scope, format)) = parsed else {
        return Err(unknown(
            block.line,
            rest,
            "SCOPE [xml|rawxml], scope one of global, workspace, product, api, operation",
        ));
    };
    Ok(Document { scope, format, text: block.text })
}

fn expectation(case: &mut Case, name: &str, block: Block) -> Result<(), CaseError> {
    let expectation = match name {
        "diagnostics" => {
            case.diagnostics = Some(block);
            return Ok(());
        }
        "forward" => Expectation::Forward,
        "no forward" => Expectation::NoForward,
        "send" => Expectation::Sent,
        "response" => Expectation::Response,
        "trace" => Expectation::Trace,
        "variables" => Expectation::Variables,
        "last-error" => Expectation::LastError,
        "waits" => Expectation::Waits,
        "metrics" => Expectation::Metrics,
        "logged" => Expectation::Logged,
        _ => {
            let accepted = "forward, no forward, send, response, trace, variables, last-error, waits, metrics, logged or diagnostics";
            return Err(unknown(block.line, name, accepted));
        }
    };
    last(case, block.line)?.expectations.push((expectation, block));
    Ok(())
}

fn last(case: &mut Case, line: usize) -> Result<&mut Exchange, CaseError> {
    case.exchanges.last_mut().ok_or_else(|| CaseError::new(line, "this section belongs after a '== request'"))
}

/// `after 5 s`, or nothing.
fn seconds(text: &str, line: usize) -> Result<Duration, CaseError> {
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    let number = text.strip_prefix("after ").and_then(|rest| rest.strip_suffix(" s")).map(str::trim);
    match number.and_then(|number| number.parse().ok()) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(unknown(line, text, "nothing or 'after N s'")),
    }
}

fn unknown(line: usize, found: &str, accepted: &str) -> CaseError {
    CaseError::new(line, format!("unknown '{found}'; expected {accepted}"))
}
