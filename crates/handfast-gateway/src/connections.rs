//! Connections of the credential manager (vault specification 2.13): who may use one, and its access token, which is
//! asked of the provider with the connection's client credentials and kept until shortly before it ends.
//!
//! Nobody gets a token whom no access policy names: for `managed` that is the service's system-assigned identity, for
//! `jwt` the object id of a token that the caller's tenant has signed for the authorization manager.

use crate::forward::Forwarder;
use crate::identity::Asked;
use crate::key_sets;
use bytes::Bytes;
use handfast_core::Secret;
use handfast_core::message::{Fields, Method};
use handfast_pki::jose::rules::{Rules, authenticate};
use handfast_pki::jose::token::{Parts, parts};
use handfast_pki::jose::{Claims, TokenKey};
use handfast_policy::{ConnectionRequest, SendRequest, TokenFailure, tenant_issuers, tenant_metadata};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whom the token of a caller must be for.
const AUDIENCE: &str = "https://azure-api.net/authorization-manager";

/// By `provider/authorization`, lower case.
pub(crate) type Connections = BTreeMap<String, Connection>;

/// A connection.
pub(crate) struct Connection {
    pub(crate) grant: Grant,
    pub(crate) policies: Vec<AccessPolicy>,
    /// Of the documents that it was read from: a changed one has other tokens.
    pub(crate) revision: u64,
}

/// What the provider is sent (RFC 6749 §4.4).
pub(crate) struct Grant {
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret<String>,
    /// Separated by spaces.
    pub(crate) scopes: Option<String>,
    pub(crate) resource: Option<String>,
}

/// Who may use a connection; lower case.
pub(crate) struct AccessPolicy {
    pub(crate) tenant: String,
    pub(crate) object: String,
}

impl Grant {
    fn question(&self) -> SendRequest {
        let mut form = String::from("grant_type=client_credentials");
        let mut add = |name: &str, value: &str| {
            form.push_str(&format!("&{name}={}", crate::identity::encoded(value)));
        };
        add("client_id", &self.client_id);
        add("client_secret", self.client_secret.expose());
        if let Some(scopes) = &self.scopes {
            add("scope", scopes);
        }
        if let Some(resource) = &self.resource {
            add("resource", resource);
        }
        let mut fields = Fields::new();
        for (name, value) in
            [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        {
            // Both are literals that a header can hold.
            let _ = fields.set(name.as_bytes(), value.as_bytes());
        }
        SendRequest { method: Method::Post, fields, ..SendRequest::get(&self.token_url, Bytes::from(form)) }
    }
}

impl Forwarder<'_> {
    /// The access token of a connection, for someone who may have it.
    pub(crate) async fn authorization(
        &self,
        request: &ConnectionRequest,
    ) -> Result<Secret<String>, TokenFailure> {
        let name = format!("{}/{}", request.provider, request.authorization);
        let failure = |message: String| TokenFailure { message };
        let key = name.to_lowercase();
        let Some(connection) = self.service.connections.get(&key) else {
            return Err(failure(format!(
                "authorization '{}' of provider '{}' does not exist or cannot be used",
                request.authorization, request.provider
            )));
        };
        let allowed = match &request.caller {
            None => self.service.principal.as_deref().is_some_and(|own| connection.names(own)),
            Some(token) => self.is_named(connection, token).await.map_err(failure)?,
        };
        if !allowed {
            return Err(failure(format!("no access policy of authorization '{name}' names the caller")));
        }
        let asked = Asked {
            key: format!("connection {} {key} {}", self.service.log_id, connection.revision),
            question: connection.grant.question(),
            who: format!("the provider of authorization '{name}'"),
            what: String::new(),
        };
        self.kept_token(asked).await
    }

    /// Whether an access policy names the object id of a caller's token, which its tenant must have signed.
    async fn is_named(&self, connection: &Connection, token: &Secret<String>) -> Result<bool, String> {
        let token = token.expose();
        // Only to know whose keys to ask for; nothing is believed yet.
        let told = match parts(token) {
            Some(Parts::Signed(signed)) => Claims::parse(&signed.payload),
            _ => None,
        };
        let told = told.ok_or("the caller's token is no signed JWT")?;
        let tenant = told.text("tid").unwrap_or_default().to_lowercase();
        if !connection.policies.iter().any(|policy| policy.tenant == tenant) {
            return Ok(false);
        }
        let url: Arc<str> = tenant_metadata(&self.service.token_authority, &tenant).into();
        let urls = [url];
        for newer in [false, true] {
            let found = key_sets::find(self.core, self.service, self.client_ip, &urls, newer).await;
            let found = found.map_err(|why| why.0)?;
            let keys: Vec<&TokenKey> = found.issuers.iter().flat_map(|issuer| &issuer.keys.keys).collect();
            let jwt = match authenticate(token, &keys, &[], true) {
                Ok(jwt) => jwt,
                // A key that is not known may be a new one.
                Err(handfast_pki::jose::TokenFailure::KeyNotFound(_)) if !newer => continue,
                Err(why) => return Err(format!("the caller's token is not believed: {why}")),
            };
            let issuers: Vec<String> =
                found.issuers.iter().flat_map(|issuer| tenant_issuers(&issuer.issuer)).collect();
            let rules = Rules {
                require_expiration: true,
                require_signed: true,
                clock_skew_s: 0,
                issuers: &issuers,
                audiences: &[AUDIENCE.to_owned()],
                required_claims: &[],
            };
            rules
                .check(&jwt.claims, self.core.clock().now())
                .map_err(|why| format!("the caller's token is not believed: {why}"))?;
            let object = jwt.claims.text("oid").unwrap_or_default().to_lowercase();
            let names = |policy: &AccessPolicy| policy.tenant == tenant && policy.object == object;
            return Ok(!object.is_empty() && connection.policies.iter().any(names));
        }
        Ok(false)
    }
}

impl Connection {
    fn names(&self, object: &str) -> bool {
        self.policies.iter().any(|policy| policy.object.eq_ignore_ascii_case(object))
    }
}
