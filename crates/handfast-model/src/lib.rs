//! The resource graph. Everything that a user declares, by ARM REST, template, vault API, portal or
//! file, becomes a [`Command`]; [`apply`] turns a graph and a command into the next graph and a
//! [`ChangeSet`], and the role compilers read that graph through [`View`]s.
//!
//! Documents are kept losslessly as they were PUT, but for write-only values, which leave them as
//! [`SecretRef`]s; read-only values that the graph itself owns (addresses, generated names) lie beside the
//! document and are merged by [`Resource::effective`].
//!
//! *Not* here: storage, wire shapes, access decisions, waiting, and knowledge about what a resource does
//! when it runs. Nothing in this crate performs IO or reads a clock.

mod address;
mod apply;
mod change;
mod computed;
mod graph;
mod id;
mod inline;
mod material;
mod pattern;
mod reference;
mod resource;
mod secret;
mod view;

pub use apply::{Applied, Command, Context, Settings, apply};
pub use change::ChangeSet;
pub use graph::Graph;
pub use id::{ID_BYTES_MAX, InvalidResourceId, ResourceId};
pub use material::Material;
pub use resource::Resource;
pub use secret::{SecretRef, SecretRule, secret_rules};
pub use view::{Report, View};

/// Resource types that more than one crate names.
pub mod kind {
    /// The edge.
    pub const APPLICATION_GATEWAY: &str = "Microsoft.Network/applicationGateways";
    /// A virtual network.
    pub const VIRTUAL_NETWORK: &str = "Microsoft.Network/virtualNetworks";
    /// A subnet; also an inline child of its network.
    pub const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
    /// A public address.
    pub const PUBLIC_IP_ADDRESS: &str = "Microsoft.Network/publicIPAddresses";
    /// A network security group.
    pub const NETWORK_SECURITY_GROUP: &str = "Microsoft.Network/networkSecurityGroups";
    /// An API Management service.
    pub const SERVICE: &str = "Microsoft.ApiManagement/service";
    /// A named value.
    pub const NAMED_VALUE: &str = "Microsoft.ApiManagement/service/namedValues";
    /// A key vault.
    pub const VAULT: &str = "Microsoft.KeyVault/vaults";
    /// A user-assigned identity.
    pub const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
}
