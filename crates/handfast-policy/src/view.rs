//! The request as expressions see it (expressions 4): `context` and its objects, read from the
//! [`Context`](crate::Context) when they are asked for.

pub(crate) mod liquid;
pub(crate) mod message;
mod url;

use crate::certificate;
use crate::context::{Body, Context, GroupIdentity};
use crate::machine::io::Side as Message;
use crate::machine::step::At;
use crate::section::{Scope, Section};
use handfast_core::UnixTime;
use handfast_core::message::Fields;
use handfast_expression::value::Date;
use handfast_expression::{BodyState, ContextView, Lookup, Part, Prim, Revocation, Side, Type, Value};
use handfast_pki::path::Trust;
use handfast_pki::{Certificate, Credential};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Ticks of 100 ns from 0001-01-01 to 1970-01-01.
const UNIX_EPOCH_TICKS: i64 = 621_355_968_000_000_000;
const TICKS_PER_SECOND: i64 = 10_000_000;

/// The context while a policy runs.
pub(crate) struct View<'a> {
    context: &'a mut Context,
    place: (&'static str, Section, Option<Scope>, &'a Arc<str>),
}

/// A URL in its parts, as a trace shows it.
pub(crate) fn described_url(url: &str) -> Option<serde_json::Value> {
    Url::parse(url).map(|url| url.described())
}

impl<'a> View<'a> {
    pub(crate) fn new(at: &'a mut At<'_>) -> Self {
        let node = at.node;
        Self { context: &mut *at.context, place: (node.name, at.section, Some(node.scope), &node.path) }
    }

    fn url(&self, part: Part) -> Option<Url> {
        match part {
            Part::RequestUrl => Url::of_request(self.context),
            Part::OriginalUrl => Url::parse(&self.context.original_url),
            Part::ServiceUrl => Url::parse(self.context.api.as_ref()?.service_url.as_ref()?),
            _ => None,
        }
    }

    fn fields(&self, lookup: Lookup) -> Option<&Fields> {
        match lookup {
            Lookup::RequestHeaders => Some(&self.context.request.fields),
            _ => self.context.response.as_ref().map(|response| &response.head.fields),
        }
    }

    fn query(&self, lookup: Lookup) -> Vec<(String, Value)> {
        let part = match lookup {
            Lookup::Query => Part::RequestUrl,
            Lookup::OriginalQuery => Part::OriginalUrl,
            _ => Part::ServiceUrl,
        };
        self.url(part).map(|url| url.query_entries()).unwrap_or_default()
    }
}

impl ContextView for View<'_> {
    fn present(&self, part: Part) -> bool {
        let context = &self.context;
        match part {
            Part::Root | Part::Deployment | Part::Gateway | Part::Request => true,
            Part::RequestUrl | Part::OriginalUrl | Part::ServiceUrl => self.url(part).is_some(),
            Part::Api => context.api.is_some(),
            Part::Backend => context.backend.backend_id.is_some(),
            Part::LastError => context.last_error.is_some(),
            Part::Operation => context.operation.is_some(),
            Part::Product => context.product.is_some(),
            Part::Response => context.response.is_some(),
            Part::Subscription => context.subscription.is_some(),
            Part::User => context.user.is_some(),
            Part::Workspace => false,
        }
    }

    fn field(&self, part: Part, name: &str) -> Value {
        let found = match part {
            Part::Root => root(self.context, name),
            Part::Api => api(self.context, name),
            Part::Backend => backend(self.context, name),
            Part::Deployment | Part::Gateway => deployment(self.context, name),
            Part::LastError => last_error(self.context, name),
            Part::Operation => operation(self.context, name),
            Part::Product => product(self.context, name),
            Part::Request => request(self.context, name),
            Part::Response => response(self.context, name),
            Part::Subscription => subscription(self.context, name),
            Part::User => user(self.context, name),
            Part::RequestUrl | Part::OriginalUrl | Part::ServiceUrl => {
                self.url(part).and_then(|url| url.field(name))
            }
            Part::Workspace => None,
        };
        found.unwrap_or(Value::Null)
    }

    fn lookup(&self, lookup: Lookup, key: &str) -> Option<Value> {
        match lookup {
            Lookup::Variables => self.context.variables.get(key).cloned(),
            Lookup::RequestHeaders | Lookup::ResponseHeaders => {
                let fields = self.fields(lookup)?;
                fields.contains(key.as_bytes()).then(|| message::lines(fields, key.as_bytes()))
            }
            Lookup::Query | Lookup::OriginalQuery | Lookup::ServiceQuery | Lookup::MatchedParameters => self
                .entries(lookup)
                .into_iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value),
            Lookup::Certificates => certificate(self.context, key),
        }
    }

    fn single(&self, lookup: Lookup, key: &str) -> Option<Value> {
        if !matches!(lookup, Lookup::RequestHeaders | Lookup::ResponseHeaders) {
            return None;
        }
        let mut lines = self.fields(lookup)?.get_all(key.as_bytes());
        let line = std::str::from_utf8(lines.next()?).ok()?;
        lines.next().is_none().then(|| Value::str(line))
    }

    fn entries(&self, lookup: Lookup) -> Vec<(String, Value)> {
        match lookup {
            Lookup::Variables => {
                self.context.variables.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
            }
            Lookup::RequestHeaders | Lookup::ResponseHeaders => {
                self.fields(lookup).map(message::header_entries).unwrap_or_default()
            }
            Lookup::Query | Lookup::OriginalQuery | Lookup::ServiceQuery => self.query(lookup),
            Lookup::MatchedParameters => {
                let parameters = self.context.matched_parameters.iter();
                parameters.map(|(name, value)| (name.clone(), Value::str(value))).collect()
            }
            Lookup::Certificates => certificates(self.context),
        }
    }

    fn has_body(&self, side: Side) -> bool {
        match (side, &self.context.request_body) {
            (Side::Response, _) => true,
            (Side::Request, Body::Keep) => self.context.request_has_body,
            (Side::Request, Body::Replace(bytes)) => self.context.request_consumed || !bytes.is_empty(),
        }
    }

    fn body(&mut self, side: Side, preserve: bool) -> BodyState {
        body(self.context, side, preserve)
    }

    fn trust(&self) -> Option<Arc<Trust>> {
        self.context.deployment.as_ref()?.trust.clone()
    }

    fn revocation(&mut self, path: &[Certificate]) -> Revocation {
        let known = self.context.certificate.as_ref().filter(|known| known.chain.first() == path.first());
        match known.map(|known| known.revocation) {
            Some(certificate::Revocation::Good) => Revocation::Good,
            Some(certificate::Revocation::Revoked) => Revocation::Revoked,
            _ => Revocation::Unknown,
        }
    }

    fn trace(&mut self, source: &str, data: &str) {
        let (name, section, scope, path) = self.place;
        self.context.record(name, (section, scope, path), || match source {
            "" => data.to_owned(),
            source => format!("{source}: {data}"),
        });
    }

    fn now_ticks(&self) -> i64 {
        ticks(self.context.received, self.context.received_nanos)
            .saturating_add(span_ticks(self.context.elapsed))
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.context.random(bytes);
    }
}

/// A body, and what reading it does to the message (expressions 4.4): without `preserveContent` nothing is
/// left of it, neither for the next reader nor for the backend or client.
fn body(context: &mut Context, side: Side, preserve: bool) -> BodyState {
    let (message, current, kept, consumed) = match side {
        Side::Request => {
            (Message::Request, Some(&context.request_body), &context.request_bytes, context.request_consumed)
        }
        Side::Response => (
            Message::Response,
            context.response.as_ref().map(|response| &response.body),
            &context.response_bytes,
            context.response_consumed,
        ),
    };
    if consumed {
        return BodyState::Consumed;
    }
    let bytes: Arc<[u8]> = match (current, kept) {
        (Some(Body::Replace(bytes)), _) => Arc::from(&bytes[..]),
        (_, Some(bytes)) => bytes.clone(),
        (_, None) if message == Message::Request && context.request_body_sent => {
            let text = "The request body was streamed to the backend and cannot be read any more.";
            return BodyState::Failed(text.to_owned());
        }
        (_, None) => return BodyState::Unread,
    };
    if !preserve {
        match side {
            Side::Request => {
                context.set_request_body(bytes::Bytes::new());
                context.request_consumed = true;
            }
            Side::Response => {
                context.set_response_body(bytes::Bytes::new());
                context.response_consumed = true;
            }
        }
    }
    BodyState::Bytes(bytes)
}

fn ticks(time: UnixTime, nanos: u32) -> i64 {
    let seconds = time.0.saturating_mul(TICKS_PER_SECOND);
    UNIX_EPOCH_TICKS.saturating_add(seconds).saturating_add(i64::from(nanos / 100))
}

fn span_ticks(span: Duration) -> i64 {
    i64::try_from(span.as_nanos() / 100).unwrap_or(i64::MAX)
}

fn date(time: UnixTime) -> Value {
    Value::Date(Date { ticks: ticks(time, 0), kind: 1 })
}

fn text(text: &str) -> Option<Value> {
    Some(Value::str(text))
}

fn optional(text: Option<&str>) -> Option<Value> {
    text.map(Value::str)
}

fn groups(groups: &[GroupIdentity]) -> Value {
    let record = |group: &GroupIdentity| {
        Value::record("IGroup", vec![("Id", Value::str(&group.id)), ("Name", Value::str(&group.name))])
    };
    Value::array(Type::class("IGroup"), groups.iter().map(record).collect())
}

fn root(context: &Context, name: &str) -> Option<Value> {
    match name {
        "Elapsed" => Some(Value::Span(span_ticks(context.elapsed))),
        "RequestId" => Some(Value::Guid(guid(&context.request_id))),
        "Timestamp" => {
            let ticks = ticks(context.received, context.received_nanos);
            Some(Value::Date(Date { ticks, kind: 1 }))
        }
        "Tracing" => Some(Value::Bool(context.trace)),
        _ => None,
    }
}

/// The number that the hex digits of a GUID spell.
fn guid(text: &str) -> u128 {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0)
}

fn api(context: &Context, name: &str) -> Option<Value> {
    let api = context.api.as_ref()?;
    match name {
        "Id" => text(&api.id),
        "Name" => text(&api.name),
        "Path" => text(&api.path),
        "Revision" => text(&api.revision),
        "Version" => optional(api.version.as_deref()),
        "IsCurrentRevision" => Some(Value::Bool(api.is_current)),
        "Protocols" => Some(Value::strings(&api.protocols)),
        _ => None,
    }
}

fn backend(context: &Context, name: &str) -> Option<Value> {
    match name {
        "Id" => optional(context.backend.backend_id.as_deref()),
        _ => None,
    }
}

fn deployment(context: &Context, name: &str) -> Option<Value> {
    let deployment = context.deployment.as_ref()?;
    match name {
        "ServiceName" => text(&deployment.service_name),
        "ServiceId" => text(&deployment.service_id),
        "Region" => text(&deployment.region),
        "GatewayId" | "Id" => text(&deployment.gateway_id),
        "InstanceId" => text(&deployment.instance_id),
        "IsManaged" => Some(Value::Bool(deployment.gateway_id == "managed")),
        _ => None,
    }
}

fn last_error(context: &Context, name: &str) -> Option<Value> {
    let error = context.last_error.as_ref()?;
    match name {
        "Source" => text(error.source),
        "Reason" => text(error.reason),
        "Message" => text(&error.message),
        "Scope" => optional(error.scope.map(Scope::as_str)),
        "Section" => optional(error.section.map(Section::as_str)),
        "Path" => optional(error.path.as_deref()),
        "PolicyId" => optional(error.policy_id.as_deref()),
        _ => None,
    }
}

fn operation(context: &Context, name: &str) -> Option<Value> {
    let operation = context.operation.as_ref()?;
    match name {
        "Id" => text(&operation.id),
        "Method" => text(&operation.method),
        "Name" => text(&operation.name),
        "UrlTemplate" => text(&operation.url_template),
        _ => None,
    }
}

fn product(context: &Context, name: &str) -> Option<Value> {
    let product = context.product.as_ref()?;
    match name {
        "Id" => text(&product.id),
        "Name" => text(&product.name),
        "ApprovalRequired" => Some(Value::Bool(product.approval_required)),
        "SubscriptionRequired" => Some(Value::Bool(product.subscription_required)),
        "SubscriptionsLimit" => product.subscriptions_limit.map(Value::int),
        "Groups" => Some(groups(&product.groups)),
        _ => None,
    }
}

fn request(context: &Context, name: &str) -> Option<Value> {
    match name {
        "Method" => text(context.request.method.as_str()),
        "OriginalMethod" => context.original_method.as_ref().map(|method| Value::str(method.as_str())),
        "Certificate" => client_certificate(context),
        "ClientCertificates" => {
            let own = client_certificate(context);
            Some(Value::array(Type::class("X509Certificate2"), own.into_iter().collect()))
        }
        "IpAddress" => context.client_ip.map(|address| Value::str(address.to_canonical().to_string())),
        "HasBody" => Some(Value::Bool(match &context.request_body {
            Body::Keep => context.request_has_body,
            Body::Replace(bytes) => !bytes.is_empty(),
        })),
        _ => None,
    }
}

/// The client certificate as an `X509Certificate2`, without a key.
fn client_certificate(context: &Context) -> Option<Value> {
    let chain = &context.certificate.as_ref()?.chain;
    Some(Value::certificate(chain.first()?.clone(), None, chain.clone()))
}

/// A certificate of the service by thumbprint or resource name.
fn certificate(context: &Context, key: &str) -> Option<Value> {
    let mut all = context.deployment.as_ref()?.certificates.iter();
    let is = |(id, one): &&(String, Arc<Credential>)| {
        id.eq_ignore_ascii_case(key) || one.leaf().thumbprint().eq_ignore_ascii_case(key)
    };
    all.find(is).map(|(_, credential)| credential_value(credential))
}

/// The certificates of the service by thumbprint.
fn certificates(context: &Context) -> Vec<(String, Value)> {
    let Some(deployment) = &context.deployment else { return Vec::new() };
    let entry = |(_, one): &(String, Arc<Credential>)| (one.leaf().thumbprint(), credential_value(one));
    deployment.certificates.iter().map(entry).collect()
}

fn credential_value(credential: &Credential) -> Value {
    let chain = credential.chain().to_vec();
    Value::certificate(credential.leaf().clone(), Some(credential.key().clone()), chain)
}

fn response(context: &Context, name: &str) -> Option<Value> {
    let head = &context.response.as_ref()?.head;
    match name {
        "StatusCode" => Some(Value::Int(Prim::Int, head.status.into())),
        "StatusReason" => text(&head.reason),
        _ => None,
    }
}

fn subscription(context: &Context, name: &str) -> Option<Value> {
    let subscription = context.subscription.as_ref()?;
    let key = |key: &Option<handfast_core::Secret<String>>| key.as_ref().and_then(|key| text(key.expose()));
    match name {
        "Id" => text(&subscription.id),
        "Name" => text(&subscription.name),
        "Key" => key(&context.subscription_key),
        "PrimaryKey" => key(&subscription.primary_key),
        "SecondaryKey" => key(&subscription.secondary_key),
        "CreatedDate" => Some(date(subscription.created)),
        "StartDate" => subscription.starts.map(date),
        "EndDate" => subscription.ends.map(date),
        _ => None,
    }
}

fn user(context: &Context, name: &str) -> Option<Value> {
    let user = context.user.as_ref()?;
    let identity = |(provider, id): &(String, String)| {
        Value::record("IUserIdentity", vec![("Id", Value::str(id)), ("Provider", Value::str(provider))])
    };
    match name {
        "Id" => text(&user.id),
        "Email" => text(&user.email),
        "FirstName" => text(&user.first_name),
        "LastName" => text(&user.last_name),
        "Note" => text(&user.note),
        "RegistrationDate" => Some(date(user.registered)),
        "Groups" => Some(groups(&user.groups)),
        "Identities" => {
            let identities = user.identities.iter().map(identity).collect();
            Some(Value::array(Type::class("IUserIdentity"), identities))
        }
        _ => None,
    }
}
