//! Event hubs of `log-to-eventhub`: the REST endpoint "send batch events" over HTTPS, with a shared access signature or
//! a token of a managed identity.
//!
//! A request puts its event into the logger's queue and goes on. One task per logger sends what has gathered, in
//! batches, while there is anything. The queue is bounded in bytes; what does not fit, and what a hub does not
//! take at the second attempt, is dropped and counted.

use crate::forward::Forwarder;
use crate::identity::encoded;
use crate::plan::ApiService;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use handfast_core::message::{Fields, Method};
use handfast_core::{Secret, UnixTime};
use handfast_net::{Core, within};
use handfast_pki::MacKey;
use handfast_policy::{Body, HubEvent, SendRequest};
use handfast_telemetry::Metric;
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Events that wait in one logger's queue.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// Events of one message; a hub takes 1 MiB, in which each text may grow by escaping.
const BATCH_BYTES_MAX: usize = 256 << 10;
/// What an event costs beside its text.
const EVENT_BYTES: usize = 256;
/// From the message to the end of the answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Attempts to send a batch.
const ATTEMPTS: usize = 2;
/// How long a signature is good for.
const SIGNATURE_LIFE: Duration = Duration::from_secs(600);

/// A logger of a service.
pub(crate) struct EventHub {
    /// `https://namespace/hub`.
    url: String,
    access: Access,
    queue: Mutex<Queue>,
}

/// What opens a hub.
pub(crate) enum Access {
    /// A shared key by its name.
    Key { name: String, key: Secret<String> },
    /// A user-assigned identity by its client id, or the service's own.
    Identity(Option<String>),
}

/// The application that a token for a hub is for.
const RESOURCE: &str = "https://eventhubs.azure.net";

#[derive(Default)]
struct Queue {
    events: VecDeque<HubEvent>,
    bytes: usize,
    /// Whether a task is sending.
    sending: bool,
}

impl EventHub {
    /// A hub by its connection string `Endpoint=sb://...;SharedAccessKeyName=...;SharedAccessKey=...`; the hub's name
    /// may stand in it as `EntityPath`.
    pub(crate) fn parse(connection: &str, name: Option<&str>) -> Result<Self, &'static str> {
        let part = |wanted: &str| {
            let mut parts = connection.split(';').filter_map(|part| part.trim().split_once('='));
            parts.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let endpoint = part("Endpoint").ok_or("it has no \"Endpoint\"")?;
        let (_, authority) = endpoint.split_once("://").ok_or("its \"Endpoint\" is no URL")?;
        let hub = name.or(part("EntityPath")).ok_or("neither \"name\" nor \"EntityPath\" names the hub")?;
        let name = part("SharedAccessKeyName").ok_or("it has no \"SharedAccessKeyName\"")?.to_owned();
        let key = Secret::new(part("SharedAccessKey").ok_or("it has no \"SharedAccessKey\"")?.to_owned());
        Ok(Self::new(authority, hub, Access::Key { name, key }))
    }

    /// A hub of a namespace such as `ns.servicebus.windows.net`.
    pub(crate) fn new(namespace: &str, hub: &str, access: Access) -> Self {
        let url = format!("https://{}/{}", namespace.trim_end_matches('/'), encoded(hub));
        Self { url, access, queue: Mutex::default() }
    }

    /// Whether another is the same hub with the same key, so that its queue can go on.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same_access = match (&self.access, &other.access) {
            (Access::Key { name, key }, Access::Key { name: other_name, key: other_key }) => {
                name == other_name && key.equals(other_key.expose().as_bytes())
            }
            (Access::Identity(id), Access::Identity(other_id)) => id == other_id,
            _ => false,
        };
        self.url == other.url && same_access
    }

    /// Puts an event into the queue; whether there was room, and whether the caller has to start the sender.
    fn push(&self, event: HubEvent) -> (bool, bool) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = event.text.len() + EVENT_BYTES;
        if queue.bytes + bytes > QUEUE_BYTES_MAX {
            return (false, false);
        }
        queue.bytes += bytes;
        queue.events.push_back(event);
        (true, !std::mem::replace(&mut queue.sending, true))
    }

    /// The next batch: events of one partition, in their order. None ends the sender.
    fn batch(&self) -> Option<Vec<HubEvent>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch: Vec<HubEvent> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.events.front() {
            let size = next.text.len() + EVENT_BYTES;
            let differs = batch.first().is_some_and(|first| {
                (&first.partition_id, &first.partition_key) != (&next.partition_id, &next.partition_key)
            });
            if differs || (bytes > 0 && bytes + size > BATCH_BYTES_MAX) {
                break;
            }
            bytes += size;
            batch.extend(queue.events.pop_front());
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
        queue.sending = !batch.is_empty();
        queue.sending.then_some(batch)
    }

    fn message(&self, batch: &[HubEvent], authorization: &Secret<String>) -> (SendRequest, Bytes) {
        let first = batch.first();
        let mut url = self.url.clone();
        if let Some(partition) = first.and_then(|first| first.partition_id.as_deref()) {
            // Writing to a string cannot fail.
            let _ = write!(url, "/partitions/{}", encoded(partition));
        }
        let mut fields = Fields::new();
        let mut set = |name: &[u8], value: &str| _ = fields.set(name, value.as_bytes());
        set(b"Content-Type", "application/vnd.microsoft.servicebus.json");
        set(b"Authorization", authorization.expose());
        if let Some(key) = first.and_then(|first| first.partition_key.as_deref()) {
            set(b"BrokerProperties", &json!({ "PartitionKey": key }).to_string());
        }
        let events: Vec<_> = batch.iter().map(|event| json!({ "Body": event.text })).collect();
        let body = Bytes::from(json!(events).to_string());
        let request = SendRequest {
            backend_id: None,
            url: format!("{url}/messages?api-version=2014-01&timeout=10"),
            method: Method::Post,
            fields,
            body: Body::Replace(body.clone()),
            certificate: None,
            proxy: None,
            timeout: ANSWER_TIME_MAX,
            detached: true,
        };
        (request, body)
    }
}

/// A shared access signature for a resource.
fn signature(url: &str, (name, key): (&str, &Secret<String>), expires: UnixTime) -> Secret<String> {
    let resource = encoded(&url.to_ascii_lowercase());
    let code = MacKey::shared(key.expose().as_bytes()).sign(format!("{resource}\n{}", expires.0).as_bytes());
    let code = encoded(&STANDARD.encode(code));
    let name = encoded(name);
    Secret::new(format!("SharedAccessSignature sr={resource}&sig={code}&se={}&skn={name}", expires.0))
}

/// Hands an event to its logger.
pub(crate) fn log(core: &Core, service: &Arc<ApiService>, event: HubEvent) {
    let Some(hub) = service.loggers.get(&event.logger.to_lowercase()).cloned() else {
        return core.metrics().count(Metric::HubEventsDropped);
    };
    let (taken, starts) = hub.push(event);
    if !taken {
        core.metrics().count(Metric::HubEventsDropped);
    }
    if starts {
        let (core, service) = (core.clone(), service.clone());
        core.clone().spawn(async move { send_all(&core, &service, &hub).await });
    }
}

async fn send_all(core: &Core, service: &Arc<ApiService>, hub: &EventHub) {
    let client_ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let forwarder = Forwarder { core, service, api: None, client_ip };
    while let Some(batch) = hub.batch() {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let Some(authorization) = authorization(&forwarder, hub).await else { continue };
            let (request, body) = hub.message(&batch, &authorization);
            let answer = within(ANSWER_TIME_MAX, forwarder.send_own(&request, body)).await;
            sent = matches!(answer, Some(Ok(answer)) if answer.head.status < 300);
            if sent {
                break;
            }
        }
        if !sent {
            batch.iter().for_each(|_| core.metrics().count(Metric::HubEventsDropped));
        }
    }
}

/// The value of `Authorization`; none while an identity gets no token.
async fn authorization(forwarder: &Forwarder<'_>, hub: &EventHub) -> Option<Secret<String>> {
    match &hub.access {
        Access::Key { name, key } => {
            let expires = forwarder.core.clock().now().plus(SIGNATURE_LIFE);
            Some(signature(&hub.url, (name, key), expires))
        }
        Access::Identity(client_id) => {
            let token = forwarder.token(RESOURCE, client_id.as_deref()).await.ok()?;
            Some(Secret::new(format!("Bearer {}", token.expose())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTION: &str =
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0=";

    fn event(text: &str, key: Option<&str>) -> HubEvent {
        let partition_key = key.map(str::to_owned);
        HubEvent { logger: "l".into(), partition_id: None, partition_key, text: text.to_owned() }
    }

    #[test]
    fn connection_strings_are_read_whole() {
        let hub = EventHub::parse(CONNECTION, Some("hub")).map_err(str::to_owned).expect("a hub");
        assert_eq!(hub.url, "https://ns.servicebus.windows.net/hub");
        assert!(matches!(&hub.access, Access::Key { key, .. } if key.expose() == "c2VjcmV0="));
        let entity = EventHub::parse(&format!("{CONNECTION};EntityPath=other"), None);
        assert!(entity.is_ok_and(|hub| hub.url.ends_with("/other")));
        assert!(EventHub::parse(CONNECTION, None).is_err());
        assert!(EventHub::parse("Endpoint=sb://a/", Some("h")).is_err());
    }

    #[test]
    fn signatures_follow_from_resource_key_and_time() {
        let key = Secret::new("key".to_owned());
        let token = signature("https://ns.test/Hub", ("send", &key), UnixTime(1_700_000_000));
        let resource = "https%3A%2F%2Fns.test%2Fhub";
        let code = STANDARD.encode(MacKey::shared(b"key").sign(format!("{resource}\n1700000000").as_bytes()));
        let code = encoded(&code);
        let expected = format!("SharedAccessSignature sr={resource}&sig={code}&se=1700000000&skn=send");
        assert_eq!(token.expose(), &expected);
    }

    #[test]
    fn batches_have_one_partition_and_a_bound_and_the_queue_is_bounded() {
        let hub = EventHub::parse(CONNECTION, Some("hub")).map_err(str::to_owned).expect("a hub");
        assert_eq!(hub.push(event("1", None)), (true, true));
        for (text, key) in [("2", None), ("3", Some("k")), ("4", None)] {
            assert_eq!(hub.push(event(text, key)), (true, false));
        }
        let texts = |batch: Option<Vec<HubEvent>>| {
            batch.map(|all| all.into_iter().map(|event| event.text).collect::<Vec<_>>().join(","))
        };
        for expected in [Some("1,2"), Some("3"), Some("4"), None] {
            assert_eq!(texts(hub.batch()).as_deref(), expected);
        }
        let large = "x".repeat(200 * 1024);
        let taken = (0..1000).take_while(|_| hub.push(event(&large, None)).0).count();
        assert_eq!(taken, QUEUE_BYTES_MAX / (large.len() + EVENT_BYTES));
        assert_eq!(hub.batch().map(|batch| batch.len()), Some(1));
    }
}
