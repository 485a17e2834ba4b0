//! Where a deployment runs, and the facts about it that functions return.

use handfast_core::UnixTime;
use handfast_model::ResourceId;
use serde_json::{Value, json};

/// The scope and the ambient facts of a deployment.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The subscription; `None` at tenant level.
    pub subscription_id: Option<String>,
    /// The resource group; `None` above group level.
    pub resource_group: Option<String>,
    /// The tenant.
    pub tenant_id: String,
    /// Location of the group, or of the deployment above group level.
    pub location: String,
    /// Tags of the resource group.
    pub group_tags: Value,
    /// Name of the deployment.
    pub deployment_name: String,
    /// The cloud metadata object that `environment()` returns.
    pub environment: Value,
    /// What `deployer()` returns.
    pub deployer: Value,
    /// The time that `utcNow()` returns.
    pub now: UnixTime,
    /// What `newGuid()` is made from; fresh random bytes for every deployment.
    pub entropy: [u8; 16],
}

impl Scope {
    /// A resource-group scope with neutral facts.
    pub fn group(subscription_id: impl Into<String>, resource_group: impl Into<String>) -> Self {
        Self {
            subscription_id: Some(subscription_id.into()),
            resource_group: Some(resource_group.into()),
            ..Self::tenant()
        }
    }

    /// A subscription scope with neutral facts.
    pub fn subscription(subscription_id: impl Into<String>) -> Self {
        Self { subscription_id: Some(subscription_id.into()), ..Self::tenant() }
    }

    /// The tenant scope with neutral facts.
    pub fn tenant() -> Self {
        Self {
            subscription_id: None,
            resource_group: None,
            tenant_id: "00000000-0000-0000-0000-000000000001".to_owned(),
            location: "local".to_owned(),
            group_tags: json!({}),
            deployment_name: "main".to_owned(),
            environment: json!({
                "name": "AzureCloud",
                "resourceManager": "https://management.azure.com/",
                "authentication": { "loginEndpoint": "https://login.microsoftonline.com/", "tenant": "common",
                    "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"] },
                "suffixes": { "keyVaultDns": ".vault.azure.net", "storage": "core.windows.net" }
            }),
            deployer: json!({ "objectId": "", "tenantId": "", "userPrincipalName": "" }),
            now: UnixTime::default(),
            entropy: [0; 16],
        }
    }

    /// The id of the scope; `None` at tenant level.
    pub fn id(&self) -> Option<ResourceId> {
        match (&self.subscription_id, &self.resource_group) {
            (Some(subscription), Some(group)) => Some(ResourceId::of_group(subscription, group)),
            (Some(subscription), None) => Some(ResourceId::of_subscription(subscription)),
            (None, _) => None,
        }
    }

    /// The id as a prefix: empty at tenant level.
    pub(crate) fn prefix(&self) -> String {
        self.id().map(|id| id.to_string()).unwrap_or_default()
    }
}
