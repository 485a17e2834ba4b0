//! A request through the gateway (specification 3): host, API, operation, subscription key, policies, log.

use crate::answers;
use crate::client_certificate;
use crate::debug::{self, Asked, Asking};
use crate::host::{Finished, Host};
use crate::keys::Subscription;
use crate::log::{self, AccessRecord, Outcome};
use crate::plan::{ApiEntry, ApiService};
use crate::router::{decode, query_value};
use handfast_core::message::{Method, RequestHead};
use handfast_core::{Secret, UnixTime};
use handfast_net::{ConnectionInfo, Core, LocalFuture, Refusal, Request, Response, Service};
use handfast_pki::fill_random;
use handfast_policy::{Context, Entropy, Failure, Input, Machine, Plan, Section};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Paths that probes ask for; answered without key and policy on every gateway host.
const STATUS_PATHS: [&str; 2] = ["/status-0123456789abcdef", "/internal-status-0123456789abcdef"];

/// What answers on one address.
pub(crate) struct FrontendService {
    /// By host name, lower case.
    pub(crate) hosts: HashMap<String, HostTarget>,
}

/// The service of a host name.
pub(crate) struct HostTarget {
    pub(crate) service: Arc<ApiService>,
    /// Whether clients of that name are asked for a certificate.
    pub(crate) asks: bool,
}

impl Service for FrontendService {
    fn call(self: Arc<Self>, core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move { self.serve(core, request).await })
    }

    fn refuse(&self, core: &Core, connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        log::refused(core, connection, answers::refusal(refusal))
    }

    fn fail(&self, connection: &ConnectionInfo, status: u16) -> Response {
        match status {
            // The request is gone with its id; the connection's number finds its log lines.
            500 => answers::internal(&format!(
                "00000000-0000-0000-0000-{:012x}",
                connection.id & 0xffff_ffff_ffff
            )),
            503 => answers::message(503, "Service unavailable"),
            other => answers::message(other, handfast_core::message::standard_reason(other)),
        }
    }
}

impl FrontendService {
    async fn serve(&self, core: Core, request: Request) -> Response {
        let record = AccessRecord::of(&request, &core);
        let Some(target) = self.target(request.head.host()) else {
            return record.finish(answers::not_found(), None);
        };
        if STATUS_PATHS.contains(&request.head.target.path()) {
            record.discard();
            return answers::operational();
        }
        let asked = request.connection.tls.as_ref().map(|tls| tls.host.asks_for_certificate());
        if asked.is_some_and(|asked| asked != target.asks) {
            return record.finish(answers::misdirected(), None);
        }
        let tls = request.connection.tls.as_ref();
        if target.service.demands_certificate && tls.is_none_or(|tls| tls.client_chain.is_empty()) {
            return record.finish(answers::message(403, "Client certificate missing"), None);
        }
        if let Some(trace) = debug::fetched(&target.service, &request.head, core.clock().now_ms()) {
            return record.finish(trace, None);
        }
        Call { core: &core, service: &target.service }.run(request, record).await
    }

    fn target(&self, host: &str) -> Option<&HostTarget> {
        match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => self.hosts.get(&host.to_ascii_lowercase()),
            false => self.hosts.get(host),
        }
    }
}

/// A request of a service.
struct Call<'a> {
    core: &'a Core,
    service: &'a Arc<ApiService>,
}

/// The API and operation of a request.
struct Matched<'a> {
    index: usize,
    entry: &'a ApiEntry,
    operation: Option<usize>,
    parameters: Vec<(String, String)>,
    /// Bytes of the raw path that belong to the API and its version.
    consumed: usize,
}

/// With which plan and input a machine begins.
struct Beginning {
    plan: Arc<Plan>,
    input: Input,
    subscription: Option<Arc<Subscription>>,
}

/// What the subscription key gives.
#[derive(Default)]
struct Access {
    subscription: Option<Arc<Subscription>>,
    product: Option<usize>,
    /// The key itself.
    key: Option<String>,
}

impl Call<'_> {
    async fn run(&self, request: Request, record: AccessRecord) -> Response {
        let Request { mut head, body, connection, upgrade, .. } = request;
        let mut context = Context::default();
        context.original_url =
            format!("{}://{}{}", head.scheme.as_str(), head.authority, head.target.as_str());
        context.client_ip = Some(connection.client_ip());
        context.request_has_body = !body.is_empty();
        context.original_method = Some(head.method.clone());
        context.request_id = request_id(self.core);
        let now_ms = self.core.clock().now_ms();
        context.received = UnixTime(i64::try_from(now_ms / 1000).unwrap_or(i64::MAX));
        context.received_nanos = u32::try_from(now_ms % 1000).unwrap_or(0) * 1_000_000;
        context.entropy = Some(Box::new(SystemEntropy));
        context.deployment = Some(self.service.deployment.clone());
        let Ok(path) = comparable_path(&mut head) else {
            return record.finish(answers::message(400, "Bad request").closing(), None);
        };
        let asked = Asked::take(&mut head.fields);
        let matched = self.find(&path, &head, upgrade);
        let mut host = Host::new(self.core, self.service, connection.client_ip(), body);
        host.upgrade = upgrade;
        host.head_only = head.method == Method::Head;
        host.api = matched.as_ref().map(|matched| matched.index);
        let begin = self.begin(matched, &head, &mut context);
        let debugging = asked.map(|asked| {
            let subscription = begin.0.subscription.as_deref();
            let asking = Asking { service: self.service, subscription, now: self.core.clock().now() };
            asked.judge(&asking, &head, &mut context)
        });
        if let Some(matched) = &begin.1 {
            let below = head.target.path().get(matched.consumed..).unwrap_or_default().to_owned();
            head.target.set_path(&below);
        }
        let Beginning { plan, input, .. } = begin.0;
        if plan.wants_client_certificate() {
            let now = self.core.clock().now();
            context.certificate = client_certificate::of(&connection, &self.service.client_trust, now);
        }
        context.request = head;
        let Finished { mut response, context, exchange } = host.run(Machine::new(plan, context), input).await;
        if let Some(debugging) = debugging {
            debugging.finish(self.service, &context, &mut response, self.core.clock().now_ms());
        }
        let outcome = Outcome { service: self.service, context: &context, exchange: &exchange };
        record.finish(response, Some(&outcome))
    }

    fn find(&self, path: &str, head: &RequestHead, upgrade: bool) -> Option<Matched<'_>> {
        let found = self.service.apis.router.find(path, head)?;
        let entry = self.service.apis.entries.get(found.target)?;
        let raw = head.target.path();
        let consumed = raw.match_indices('/').nth(found.depth).map_or(raw.len(), |(at, _)| at);
        let rest = raw.get(consumed..).unwrap_or_default();
        let query = head.target.query().unwrap_or_default();
        let matched = match entry.api.websocket {
            true => upgrade.then_some((0, Vec::new())),
            false => entry
                .api
                .matcher
                .find(head.method.as_str(), rest, query)
                .map(|found| (found.operation, found.parameters)),
        };
        let (operation, parameters) = match matched {
            Some((operation, parameters)) => (Some(operation), parameters),
            None => (None, Vec::new()),
        };
        Some(Matched { index: found.target, entry, operation, parameters, consumed })
    }

    /// Fills the identities of the context and decides how the machine begins.
    fn begin<'m>(
        &self,
        matched: Option<Matched<'m>>,
        head: &RequestHead,
        context: &mut Context,
    ) -> (Beginning, Option<Matched<'m>>) {
        let not_found = || Beginning {
            plan: self.service.global.clone(),
            input: Input::Reject(Box::new(Failure::operation_not_found())),
            subscription: None,
        };
        let Some(mut matched) = matched else { return (not_found(), None) };
        let entry = matched.entry;
        let Some(operation) = matched.operation else {
            let beginning = self.preflight(&matched, head).unwrap_or_else(not_found);
            if matches!(beginning.input, Input::Preflight) {
                context.api = Some(entry.api.identity.clone());
                return (beginning, Some(matched));
            }
            return (beginning, None);
        };
        context.api = Some(entry.api.identity.clone());
        if let Some(operation) = entry.api.operations.get(operation) {
            context.operation = Some(operation.identity.clone());
            context.template_query_names.clone_from(&operation.query_names);
        }
        context.matched_parameters = std::mem::take(&mut matched.parameters);
        let beginning = match self.access(&matched, head) {
            Err(failure) => Beginning {
                plan: entry.plan(self.service, Some(operation), None),
                input: Input::Reject(failure),
                subscription: None,
            },
            Ok(access) => {
                let product = access.product.and_then(|product| self.service.products.list.get(product));
                context.product = product.map(|product| product.identity.clone());
                context.subscription_key = access.key.map(Secret::new);
                context.user = access.subscription.as_ref().and_then(|one| one.user.clone());
                let subscription = access.subscription;
                context.subscription = subscription.as_ref().map(|one| one.identity.clone());
                let plan = entry.plan(self.service, Some(operation), access.product);
                Beginning { plan, input: Input::Start, subscription }
            }
        };
        (beginning, Some(matched))
    }

    /// A preflight that no operation takes, when the API has a `cors` policy (specification 3.5).
    fn preflight(&self, matched: &Matched<'_>, head: &RequestHead) -> Option<Beginning> {
        if head.method != Method::Options || !head.fields.contains(b"Origin") {
            return None;
        }
        let wanted = head.fields.get_str("access-control-request-method")?;
        let rest = head.target.path().get(matched.consumed..).unwrap_or_default();
        let query = head.target.query().unwrap_or_default();
        let operation = matched.entry.api.matcher.find(wanted, rest, query).map(|found| found.operation);
        let access = self.access(matched, head).unwrap_or_default();
        let plan = matched.entry.plan(self.service, operation, access.product);
        let has_cors = plan.section(Section::Inbound).iter().any(|node| node.name() == "cors");
        has_cors.then_some(Beginning { plan, input: Input::Preflight, subscription: None })
    }

    /// Specification 3.6.
    fn access(&self, matched: &Matched<'_>, head: &RequestHead) -> Result<Access, Box<Failure>> {
        let entry = matched.entry;
        let api = &entry.api;
        let realm = || {
            let path = head.target.path().get(..matched.consumed).unwrap_or_default();
            format!("{}://{}{}", head.scheme.as_str(), head.authority, path)
        };
        let header = head.fields.get_str(&api.key_header).filter(|key| !key.is_empty());
        let in_query = || {
            let value = query_value(head.target.query()?, &api.key_query)?;
            Some(decode(value).into_owned()).filter(|key| !key.is_empty())
        };
        let key = header.map(str::to_owned).or_else(in_query);
        let Some(key) = key else {
            return match entry.open_product {
                Some(product) => Ok(Access { product: Some(product), ..Access::default() }),
                None if !api.subscription_required => Ok(Access::default()),
                None => Err(Box::new(Failure::subscription_key_missing(&realm(), &api.key_header))),
            };
        };
        let now = self.core.clock().now();
        let found = self.service.keys.index.find(key.as_bytes(), now);
        match found.filter(|subscription| subscription.covers(&entry.family, &entry.products)) {
            Some(subscription) => {
                let (product, subscription) = (subscription.product(), Some(subscription.clone()));
                Ok(Access { product, subscription, key: Some(key) })
            }
            None => Err(Box::new(Failure::subscription_key_invalid(&realm(), &api.key_header))),
        }
    }
}

/// The path that APIs are matched by. Dot segments are resolved in the request too, so that it cannot mean
/// one thing here and another to the backend.
fn comparable_path(head: &mut RequestHead) -> Result<String, ()> {
    let raw = head.target.path();
    let comparable = handfast_route::normalise(raw).map_err(|_| ())?.into_owned();
    if raw.split('/').any(|segment| matches!(&*decode(segment), "." | "..")) {
        head.target.set_path(&comparable);
    }
    Ok(comparable)
}

/// Randomness for expressions.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Keys made of anything else would be worse than no answer; the engine answers 500.
        assert!(fill_random(bytes).is_ok(), "the system gives no randomness");
    }
}

/// A random GUID.
fn request_id(core: &Core) -> String {
    let (a, b) = (core.random(), core.random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        (b >> 48 & 0x3fff) | 0x8000,
        b & 0xffff_ffff_ffff
    )
}
