//! Who and what a request is about: API, operation, product, subscription, user and service, as expressions see them.

use bytes::Bytes;
use handfast_core::{Secret, UnixTime};
use handfast_openapi::contract::Contract;
use handfast_pki::Credential;
use handfast_pki::path::Trust;
use std::sync::Arc;

/// The API of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Path below the gateway, without slashes around it.
    pub path: String,
    /// Revision number.
    pub revision: String,
    /// Version identifier.
    pub version: Option<String>,
    /// Whether this revision answers without `;rev=`.
    pub is_current: bool,
    /// The backend's base URL.
    pub service_url: Option<String>,
    /// `http`, `https`, `ws`, `wss`.
    pub protocols: Vec<String>,
}

/// The operation of a request.
#[derive(Clone, Debug, Default)]
pub struct OperationIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Method of the operation.
    pub method: String,
    /// URL template of the operation.
    pub url_template: String,
    /// Example responses, for `mock-response`.
    pub examples: Vec<Example>,
    /// What it promises, compiled; for the validating policies and for samples.
    pub contract: Option<Arc<Contract>>,
}

/// An example response of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Status code.
    pub status: u16,
    /// Media type of the representation.
    pub content_type: String,
    /// The example itself.
    pub body: Bytes,
}

/// The product of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Whether subscriptions wait for an administrator.
    pub approval_required: bool,
    /// Whether a key is needed.
    pub subscription_required: bool,
    /// Subscriptions that a user may have.
    pub subscriptions_limit: Option<i32>,
    /// The groups that see it.
    pub groups: Vec<GroupIdentity>,
}

/// A group that a product is visible to or a user is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// The subscription of a request.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionIdentity {
    /// Resource name.
    pub id: String,
    /// Display name.
    pub name: String,
    /// The first key.
    pub primary_key: Option<Secret<String>>,
    /// The second key.
    pub secondary_key: Option<Secret<String>>,
    /// When it was made.
    pub created: UnixTime,
    /// When its keys begin to open something.
    pub starts: Option<UnixTime>,
    /// When they cease to.
    pub ends: Option<UnixTime>,
}

/// The owner of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserIdentity {
    /// Resource name.
    pub id: String,
    /// The address.
    pub email: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// What an administrator noted.
    pub note: String,
    /// When the account was made.
    pub registered: UnixTime,
    /// The groups.
    pub groups: Vec<GroupIdentity>,
    /// Provider and id of each way to sign in.
    pub identities: Vec<(String, String)>,
}

/// The service and the gateway that runs.
#[derive(Clone, Debug, Default)]
pub struct DeploymentIdentity {
    /// Name of the service.
    pub service_name: String,
    /// Its id.
    pub service_id: String,
    /// Display name of the region.
    pub region: String,
    /// `managed`, or the id of a self-hosted gateway.
    pub gateway_id: String,
    /// The instance of it.
    pub instance_id: String,
    /// The certificates of the service with their resource names.
    pub certificates: Vec<(String, Arc<Credential>)>,
    /// The base URLs of its backends by lower-case id; of a pool, its first member's.
    pub backends: Vec<(String, Arc<str>)>,
    /// What `Verify()` of a certificate demands its path to end in.
    pub trust: Option<Arc<Trust>>,
    /// The base URL of the Dapr sidecar, when it is not `http://localhost:3500`.
    pub dapr: Option<Arc<str>>,
}
