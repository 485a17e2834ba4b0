//! The message and the context as Liquid templates see them (specification 5.8).

use super::{View, body as body_of};
use crate::context::{Body, Context};
use crate::convert::elements_by_local_name;
use crate::failure::Failure;
use crate::machine::io::{BodyForm, Output, Side};
use crate::machine::step::{At, Halt};
use handfast_core::message::Fields;
use handfast_expression::{BodyState, ContextView, Lookup, Part, Value};
use serde_json::{Map, Value as Json};

/// The largest body that a template sees.
const BODY_BYTES_MAX: usize = 8 << 20;

/// The body of the section's message: an object or a list when it is JSON, nested elements when it is XML, else
/// text.
pub(crate) fn body(at: &mut At<'_>) -> Result<Json, Halt> {
    let side = at.side();
    let source = match side {
        Side::Request => handfast_expression::Side::Request,
        Side::Response => handfast_expression::Side::Response,
    };
    let bytes = match body_of(at.context, source, true) {
        BodyState::Bytes(bytes) => bytes,
        BodyState::Consumed => return Ok(Json::Null),
        BodyState::Failed(text) => return Err(Failure::internal("BodyNotAvailable", text).into()),
        BodyState::Unread if is_without_body(at.context, side) => return Ok(Json::Null),
        BodyState::Unread => {
            let form = BodyForm::AsReceived;
            return Err(Halt::Wait(Output::ReadBody { side, bytes_max: BODY_BYTES_MAX, form }));
        }
    };
    let fields = at.context.fields(side);
    let text = String::from_utf8_lossy(&bytes);
    let parsed = match fields.map(format).unwrap_or_default() {
        Format::Json => serde_json::from_str(&text).ok(),
        Format::Xml => elements_by_local_name(&text).ok(),
        Format::Text => None,
    };
    Ok(parsed.unwrap_or_else(|| Json::String(text.into_owned())))
}

fn is_without_body(context: &Context, side: Side) -> bool {
    match side {
        Side::Request => context.request_body == Body::Keep && !context.request_has_body,
        Side::Response => context.response.is_none(),
    }
}

#[derive(Default)]
enum Format {
    Json,
    Xml,
    #[default]
    Text,
}

fn format(fields: &Fields) -> Format {
    let media = fields.get_str("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let subtype = media.trim().rsplit(['/', '+']).next().unwrap_or_default();
    match subtype.to_ascii_lowercase().as_str() {
        "json" => Format::Json,
        "xml" => Format::Xml,
        _ => Format::Text,
    }
}

/// `context` as nested objects. What a URL is as text stands under `ToString`.
pub(crate) fn context(at: &mut At<'_>) -> Json {
    let view = View::new(at);
    let mut root = Map::new();
    let mut variables = Map::new();
    for (name, value) in view.entries(Lookup::Variables) {
        variables.insert(name, json(&value));
    }
    root.insert("Variables".to_owned(), Json::Object(variables));
    root.insert("RequestId".to_owned(), json(&view.field(Part::Root, "RequestId")));
    let mut request = fields(&view, Part::Request, &["Method", "IpAddress", "HasBody"]);
    request.insert("OriginalMethod".to_owned(), json(&view.field(Part::Request, "Method")));
    request.insert("Url".to_owned(), url(&view, Part::RequestUrl, Lookup::Query));
    request.insert("OriginalUrl".to_owned(), url(&view, Part::OriginalUrl, Lookup::OriginalQuery));
    request.insert("Headers".to_owned(), entries(&view, Lookup::RequestHeaders));
    request.insert("MatchedParameters".to_owned(), entries(&view, Lookup::MatchedParameters));
    root.insert("Request".to_owned(), Json::Object(request));
    if view.present(Part::Response) {
        let mut response = fields(&view, Part::Response, &["StatusCode", "StatusReason"]);
        response.insert("Headers".to_owned(), entries(&view, Lookup::ResponseHeaders));
        root.insert("Response".to_owned(), Json::Object(response));
    }
    for (part, name) in [(Part::Api, "Api"), (Part::Operation, "Operation"), (Part::Product, "Product")] {
        if view.present(part) {
            root.insert(name.to_owned(), Json::Object(fields(&view, part, &["Id", "Name"])));
        }
    }
    Json::Object(root)
}

fn fields(view: &View<'_>, part: Part, names: &[&str]) -> Map<String, Json> {
    names.iter().map(|name| ((*name).to_owned(), json(&view.field(part, name)))).collect()
}

fn url(view: &View<'_>, part: Part, query: Lookup) -> Json {
    let mut url = fields(view, part, &["Scheme", "Host", "Port", "Path", "QueryString"]);
    url.insert("Query".to_owned(), entries(view, query));
    let text = |name: &str| url.get(name).and_then(Json::as_str).unwrap_or_default();
    let port = match (text("Scheme"), url.get("Port").and_then(Json::as_i64)) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let whole = format!("{}://{}{port}{}{}", text("Scheme"), text("Host"), text("Path"), text("QueryString"));
    url.insert("ToUri".to_owned(), Json::String(whole.clone()));
    url.insert("ToString".to_owned(), Json::String(whole));
    Json::Object(url)
}

/// The entries of a dictionary; several values of a name are joined.
fn entries(view: &View<'_>, lookup: Lookup) -> Json {
    view.entries(lookup).into_iter().map(|(name, value)| (name, json(&value))).collect::<Map<_, _>>().into()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(_, number) => Json::from(*number),
        Value::Double(number) => Json::from(*number),
        Value::Json(token) => {
            let text = token.to_json(false);
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
        other => match other.texts() {
            Some(texts) => Json::String(texts.join(",")),
            None => Json::String(other.to_text()),
        },
    }
}
