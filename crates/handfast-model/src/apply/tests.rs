use super::*;
use serde_json::json;

const GROUP: &str = "/subscriptions/s/resourceGroups/g/providers";

/// A graph with its material, driven by commands, with a counting source of randomness.
#[derive(Default)]
struct World {
    graph: Graph,
    material: Material,
    counter: u8,
}

impl World {
    fn apply(&mut self, command: Command) -> Result<Applied, Vec<Diagnostic>> {
        let settings = Settings::default();
        let mut random = |bytes: &mut [u8]| {
            self.counter = self.counter.wrapping_add(1);
            bytes.fill(self.counter);
        };
        let mut context = Context { settings: &settings, material: &self.material, random: &mut random };
        let applied = apply(&self.graph, command, &mut context)?;
        self.graph = applied.graph.clone();
        applied.dropped_secrets.iter().for_each(|reference| self.material.remove(reference));
        self.material.extend(&applied.secrets);
        Ok(applied)
    }

    fn put(&mut self, id: &str, body: Value) -> Applied {
        self.try_put(id, body).unwrap()
    }

    fn try_put(&mut self, id: &str, body: Value) -> Result<Applied, Vec<Diagnostic>> {
        self.apply(Command::Put { id: self.id(id), api_version: "2024-05-01".into(), body })
    }

    fn delete(&mut self, id: &str) -> Result<Applied, Vec<Diagnostic>> {
        self.apply(Command::Delete { id: self.id(id) })
    }

    fn id(&self, id: &str) -> ResourceId {
        ResourceId::parse(&full(id)).unwrap()
    }

    fn effective(&self, id: &str) -> Value {
        self.graph.get(&self.id(id)).unwrap().effective()
    }
}

fn full(id: &str) -> String {
    if id.starts_with('/') { id.to_owned() } else { format!("{GROUP}/{id}") }
}

fn codes(result: Result<Applied, Vec<Diagnostic>>) -> Vec<&'static str> {
    result.map(|_| Vec::new()).unwrap_or_else(|errors| errors.iter().map(|error| error.code).collect())
}

fn ids<'a>(ids: impl IntoIterator<Item = &'a ResourceId>) -> Vec<String> {
    ids.into_iter().map(|id| id.name().to_owned()).collect()
}

const VNET: &str = "Microsoft.Network/virtualNetworks/v";
const SUBNET: &str = "Microsoft.Network/virtualNetworks/v/subnets/n";
const SERVICE: &str = "Microsoft.ApiManagement/service/x";
const EDGE: &str = "Microsoft.Network/applicationGateways/e";

fn vnet() -> Value {
    json!({ "properties": { "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        "subnets": [{ "name": "n", "properties": { "addressPrefix": "10.0.1.0/28" } }] } })
}

fn internal_service(subnet: &str) -> Value {
    json!({ "location": "norwayeast", "properties": { "virtualNetworkType": "Internal",
        "virtualNetworkConfiguration": { "subnetResourceId": full(subnet) } } })
}

#[test]
fn graphs_and_material_may_cross_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Graph>();
    shared::<Material>();
}

#[test]
fn documents_are_kept_losslessly_and_an_equal_put_changes_nothing() {
    let mut world = World::default();
    let body =
        json!({ "z": 1.5, "a": [null, { "deep": true }], "properties": { "unknown": "kept", "id": 7 } });
    let first = world.put("A.B/c/d", body.clone());
    assert_eq!(world.graph.get(&world.id("a.b/C/D")).unwrap().document, body);
    assert_eq!(
        (first.base_revision, first.changes.revision, ids(&first.changes.changed)),
        (0, 1, vec!["d".into()])
    );
    let second = world.put("A.B/c/d", body);
    assert!(second.changes.is_empty());
    assert_eq!(world.graph.revision(), 1);
}

#[test]
fn a_batch_is_applied_whole_or_not_at_all() {
    let mut world = World::default();
    let put =
        |id: &str| Command::Put { id: full(id).parse().unwrap(), api_version: "v".into(), body: json!({}) };
    let refused = world.apply(Command::Batch(vec![put("A.B/c/d"), put("A.B/missing/m/child/k")]));
    assert_eq!(codes(refused), ["ParentResourceNotFound"]);
    assert!(world.graph.is_empty());
    let applied = world.apply(Command::Batch(vec![put("A.B/c/d"), put("A.B/c/d/child/k")])).unwrap();
    assert_eq!(ids(&applied.changes.changed), ["d", "k"]);
    let gone = world.delete("A.B/c/d").unwrap();
    assert_eq!(ids(&gone.changes.removed), ["d", "k"]);
    assert!(world.delete("A.B/c/d").unwrap().changes.is_empty());
}

#[test]
fn old_graphs_stay_as_they_were() {
    let mut world = World::default();
    world.put("A.B/c/d", json!({ "v": 1 }));
    let old = world.graph.clone();
    world.put("A.B/c/d", json!({ "v": 2 }));
    assert_eq!(old.get(&world.id("A.B/c/d")).unwrap().document, json!({ "v": 1 }));
}

#[test]
fn secrets_leave_the_document_and_keep_their_version_while_unchanged() {
    let mut world = World::default();
    let body = json!({ "properties": { "sslCertificates": [
        { "name": "c", "properties": { "data": "UEZY", "password": "pw" } }] } });
    let first = world.put(EDGE, body.clone());
    assert_eq!(first.secrets.len(), 2);
    let edge = world.graph.get(&world.id(EDGE)).unwrap().clone();
    assert!(!edge.document.to_string().contains("UEZY"));
    assert!(!edge.effective().to_string().contains("$secret"));
    let data = world.material.secret_at(&edge, "/properties/sslCertificates/0/properties/data").unwrap();
    assert!(data.equals(b"UEZY"));
    assert!(world.put(EDGE, body).changes.is_empty());
    // Clients PUT back what they GET: the stored pair stays.
    let back = world.effective(EDGE);
    assert!(world.put(EDGE, back).secrets.is_empty());
    let changed =
        json!({ "properties": { "sslCertificates": [{ "name": "c", "properties": { "data": "bmV3" } }] } });
    let third = world.put(EDGE, changed);
    assert_eq!(third.secrets.len(), 1);
    assert_eq!(third.dropped_secrets.len(), 1);
    assert_eq!(third.secrets[0].0.name(), third.dropped_secrets[0].name());
    assert_eq!(world.delete(EDGE).unwrap().dropped_secrets.len(), 2);
    assert!(world.material.is_empty());
}

#[test]
fn a_placeholder_from_outside_is_never_honoured() {
    let mut world = World::default();
    world.put(SERVICE, json!({}));
    let named = "Microsoft.ApiManagement/service/x/namedValues/a";
    let applied = world.put(named, json!({ "properties": { "secret": true, "value": "s3cret" } }));
    let stolen = json!({ "$secret": applied.secrets[0].0.to_string() });
    world.put(
        "Microsoft.ApiManagement/service/x/namedValues/b",
        json!({ "properties": { "secret": true, "value": stolen } }),
    );
    let thief = world.graph.get(&world.id("Microsoft.ApiManagement/service/x/namedValues/b")).unwrap();
    assert_eq!(thief.document["properties"], json!({ "secret": true }));
}

#[test]
fn a_plain_named_value_that_becomes_secret_keeps_its_value() {
    let mut world = World::default();
    world.put(SERVICE, json!({}));
    let id = "Microsoft.ApiManagement/service/x/namedValues/a";
    assert!(world.put(id, json!({ "properties": { "value": "v" } })).secrets.is_empty());
    let applied = world.put(id, json!({ "properties": { "secret": true } }));
    assert!(applied.secrets[0].1.equals(b"v"));
    let vaulted = world.put(
        id,
        json!({ "properties": { "secret": true, "keyVault": { "secretIdentifier": "https://v" } } }),
    );
    assert_eq!(vaulted.dropped_secrets.len(), 1);
}

#[test]
fn subscriptions_get_keys_and_keep_them() {
    let mut world = World::default();
    world.put(SERVICE, json!({}));
    let id = "Microsoft.ApiManagement/service/x/subscriptions/k";
    let made = world.put(id, json!({ "properties": { "scope": "/apis" } }));
    assert_eq!(made.secrets.len(), 2);
    assert_eq!(made.secrets[0].1.expose().len(), 32);
    assert!(world.put(id, json!({ "properties": { "scope": "/apis" } })).changes.is_empty());
}

#[test]
fn backend_credentials_are_secret_per_value() {
    let mut world = World::default();
    world.put(SERVICE, json!({}));
    let id = "Microsoft.ApiManagement/service/x/backends/b";
    let body = json!({ "properties": { "credentials": { "header": { "X-Key": ["one", "two"] },
        "authorization": { "scheme": "Basic", "parameter": "cGFzcw==" } } } });
    assert_eq!(world.put(id, body).secrets.len(), 3);
    let backend = world.graph.get(&world.id(id)).unwrap();
    let second = world.material.secret_at(backend, "/properties/credentials/header/X-Key/1");
    assert!(second.unwrap().equals(b"two"));
}

#[test]
fn an_internal_service_gets_a_stable_address_of_its_subnet() {
    let mut world = World::default();
    world.put(VNET, vnet());
    world.put(SERVICE, internal_service(SUBNET));
    assert_eq!(world.effective(SERVICE)["properties"]["privateIPAddresses"], json!(["10.0.1.4"]));
    world.put("Microsoft.ApiManagement/service/y", internal_service(SUBNET));
    assert_eq!(
        world.effective("Microsoft.ApiManagement/service/y")["properties"]["privateIPAddresses"],
        json!(["10.0.1.5"])
    );
    world.delete(SERVICE).unwrap();
    world.put("Microsoft.ApiManagement/service/y", internal_service(SUBNET));
    assert_eq!(
        world.effective("Microsoft.ApiManagement/service/y")["properties"]["privateIPAddresses"],
        json!(["10.0.1.5"])
    );
    let missing =
        world.try_put(SERVICE, internal_service("Microsoft.Network/virtualNetworks/v/subnets/none"));
    assert_eq!(codes(missing), ["InvalidResourceReference"]);
}

#[test]
fn a_moved_subnet_moves_the_addresses_in_it() {
    let mut world = World::default();
    world.put(VNET, vnet());
    world.put(SERVICE, internal_service(SUBNET));
    let mut moved = vnet();
    moved["properties"]["subnets"][0]["properties"]["addressPrefix"] = "10.0.2.0/28".into();
    let applied = world.put(VNET, moved);
    assert_eq!(world.effective(SERVICE)["properties"]["privateIPAddresses"], json!(["10.0.2.4"]));
    assert_eq!(ids(&applied.changes.changed), ["x", "v", "n"]);
}

#[test]
fn private_frontends_are_static_or_dynamic() {
    let mut world = World::default();
    world.put(VNET, vnet());
    let frontend = |address: Value| {
        json!({ "properties": { "frontendIPConfigurations": [{ "name": "f", "properties": {
            "subnet": { "id": full(SUBNET) }, "privateIPAddress": address } }] } })
    };
    let seen = |world: &World| {
        world.effective(EDGE)["properties"]["frontendIPConfigurations"][0]["properties"]["privateIPAddress"]
            .clone()
    };
    world.put(EDGE, frontend(Value::Null));
    assert_eq!(seen(&world), "10.0.1.4");
    world.put(EDGE, frontend("10.0.1.9".into()));
    assert_eq!(seen(&world), "10.0.1.9");
    world.put(EDGE, frontend(Value::Null));
    assert_eq!(seen(&world), "10.0.1.9");
    assert_eq!(codes(world.try_put(EDGE, frontend("10.0.1.2".into()))), ["PrivateIPAddressNotInSubnet"]);
    let other = world.try_put("Microsoft.Network/applicationGateways/f", frontend("10.0.1.9".into()));
    assert_eq!(codes(other), ["PrivateIPAddressInUse"]);
}

#[test]
fn public_addresses_come_from_the_tag_or_the_pool() {
    let mut world = World::default();
    let body =
        json!({ "location": "West Europe", "properties": { "dnsSettings": { "domainNameLabel": "Shop" } } });
    world.put("Microsoft.Network/publicIPAddresses/a", body.clone());
    world
        .put("Microsoft.Network/publicIPAddresses/b", json!({ "tags": { "handfast:address": "192.0.2.1" } }));
    world.put("Microsoft.Network/publicIPAddresses/c", json!({}));
    let address = |name: &str| {
        world.effective(&format!("Microsoft.Network/publicIPAddresses/{name}"))["properties"].clone()
    };
    assert_eq!(address("a")["ipAddress"], "127.20.0.1");
    assert_eq!(address("a")["dnsSettings"]["fqdn"], "shop.westeurope.cloudapp.handfast.localhost");
    assert_eq!(address("b")["ipAddress"], "192.0.2.1");
    assert_eq!(address("c")["ipAddress"], "127.20.0.2");
    world.delete("Microsoft.Network/publicIPAddresses/a").unwrap();
    world.put("Microsoft.Network/publicIPAddresses/c", json!({ "tags": {} }));
    assert_eq!(
        world.effective("Microsoft.Network/publicIPAddresses/c")["properties"]["ipAddress"],
        "127.20.0.2"
    );
}

#[test]
fn subnets_are_children_and_inline() {
    let mut world = World::default();
    world.put(VNET, vnet());
    world.put(
        "Microsoft.Network/virtualNetworks/v/subnets/m",
        json!({ "properties": { "addressPrefix": "10.0.9.0/24" } }),
    );
    let names = |world: &World| -> Vec<String> {
        let subnets = world.effective(VNET)["properties"]["subnets"].as_array().cloned().unwrap_or_default();
        subnets.iter().map(|subnet| subnet["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&world), ["n", "m"]);
    // A PUT without the property keeps them; a list without them removes them.
    world.put(VNET, json!({ "properties": { "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] } } }));
    assert_eq!(names(&world), ["n", "m"]);
    world.put(VNET, vnet());
    assert_eq!(names(&world), ["n"]);
    assert_eq!(world.graph.children(&world.id(VNET), "Subnets").count(), 1);
    world.delete(SUBNET).unwrap();
    assert!(names(&world).is_empty());
}

#[test]
fn address_plans_are_checked() {
    for (prefix, code) in [
        ("10.0.1.1/28", "InvalidCIDRNotation"),
        ("ten", "InvalidCIDRNotation"),
        ("10.1.0.0/24", "NetcfgInvalidSubnet"),
    ] {
        let mut body = vnet();
        body["properties"]["subnets"][0]["properties"]["addressPrefix"] = prefix.into();
        assert_eq!(codes(World::default().try_put(VNET, body)), [code], "{prefix}");
    }
    let mut world = World::default();
    world.put(VNET, vnet());
    let overlap = json!({ "properties": { "addressPrefix": "10.0.1.0/24" } });
    let refused = world.try_put("Microsoft.Network/virtualNetworks/v/subnets/m", overlap);
    assert_eq!(codes(refused), ["NetcfgSubnetRangesOverlap"]);
}

#[test]
fn a_subnet_in_use_is_not_removed_but_goes_with_its_users() {
    let mut world = World::default();
    world.put(VNET, vnet());
    world.put(SERVICE, internal_service(SUBNET));
    let refused = world.delete(VNET).unwrap_err();
    assert!(refused.iter().any(|error| error.code == "InUseSubnetCannotBeDeleted"));
    world.delete("/subscriptions/s/resourceGroups/g").unwrap();
    assert!(world.graph.is_empty());
}

#[test]
fn changes_name_dependents_through_other_resources() {
    let mut world = World::default();
    world.put(SERVICE, json!({}));
    world.put(
        "Microsoft.ApiManagement/service/x/namedValues/id1",
        json!({ "properties": { "displayName": "limit", "value": "1" } }),
    );
    world.put(
        "Microsoft.ApiManagement/service/x/backends/b",
        json!({ "properties": { "url": "https://{{limit}}.test" } }),
    );
    world.put(
        "Microsoft.ApiManagement/service/x/policies/policy",
        json!({ "properties": {
        "value": "<set-backend-service backend-id=\"b\"/>" } }),
    );
    let applied = world.put(
        "Microsoft.ApiManagement/service/x/namedValues/id1",
        json!({ "properties": { "displayName": "limit", "value": "2" } }),
    );
    assert_eq!(ids(&applied.changes.changed), ["id1"]);
    assert_eq!(ids(&applied.changes.dependents), ["b", "policy"]);
    assert!(applied.changes.touches(&world.id(SERVICE)));
    let gone = world.delete("Microsoft.ApiManagement/service/x/namedValues/id1").unwrap();
    assert_eq!(ids(&gone.changes.dependents), ["b", "policy"]);
}

#[test]
fn identities_get_principals_that_stay() {
    let mut world = World::default();
    let body = json!({ "identity": { "type": "SystemAssigned" } });
    world.put(SERVICE, body.clone());
    let principal = world.effective(SERVICE)["identity"]["principalId"].clone();
    assert_eq!(principal.as_str().unwrap().len(), 36);
    world.put(SERVICE, json!({ "identity": { "type": "SystemAssigned, UserAssigned" }, "tags": {} }));
    assert_eq!(world.effective(SERVICE)["identity"]["principalId"], principal);
}

#[test]
fn a_rebuilt_graph_equals_the_one_that_was_built_by_commands() {
    // A seeded walk over a small id space, so that replaces, deletes and references all occur.
    let mut seed = 7_u64;
    let mut next = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut world = World::default();
    for _ in 0..300 {
        let (name, other) = (next(12), next(12));
        let id = format!("A.B/c/{name}");
        if next(4) == 0 {
            world.delete(&id).unwrap();
        } else {
            let body =
                json!({ "properties": { "ref": { "id": full(&format!("A.B/c/{other}")) }, "n": next(3) } });
            world.put(&id, body);
        }
        let stored: Vec<Resource> = world.graph.iter().map(|resource| (**resource).clone()).collect();
        let rebuilt = Graph::from_resources(world.graph.revision(), stored);
        assert_eq!(rebuilt, world.graph);
        for name in 0..12 {
            let id = world.id(&format!("A.B/c/{name}"));
            assert_eq!(rebuilt.named_by(&id), world.graph.named_by(&id));
        }
        assert_eq!(rebuilt.of_kind("a.b/C").count(), world.graph.len());
    }
}

#[test]
fn putting_back_what_a_read_shows_changes_nothing() {
    let mut world = World::default();
    world.put(VNET, vnet());
    let mut service = internal_service(SUBNET);
    service["identity"] = json!({ "type": "SystemAssigned" });
    world.put(SERVICE, service);
    world
        .put("Microsoft.Network/publicIPAddresses/a", json!({ "properties": { "idleTimeoutInMinutes": 4 } }));
    for id in [VNET, SUBNET, SERVICE, "Microsoft.Network/publicIPAddresses/a"] {
        let shown = world.effective(id);
        let applied = world.put(id, shown);
        assert!(applied.changes.is_empty(), "{id}: {:?}", applied.changes);
    }
}

#[test]
fn a_service_has_a_built_in_subscription_with_keys() {
    let mut world = World::default();
    world.put(SERVICE, json!({ "location": "local" }));
    let id = world.id(&format!("{SERVICE}/subscriptions/master"));
    let master = world.graph.get(&id).unwrap().clone();
    assert_eq!(master.properties()["scope"], format!("{}/", full(SERVICE)));
    assert_eq!(master.properties()["state"], "active");
    let keys = ["/properties/primaryKey", "/properties/secondaryKey"];
    let read =
        |world: &World| keys.map(|key| world.material.secret_at(&master, key).unwrap().expose().clone());
    let before = read(&world);
    assert_eq!(before[0].len(), 32);
    assert_ne!(before[0], before[1]);
    world.put(SERVICE, json!({ "location": "elsewhere" }));
    assert_eq!(world.graph.get(&id), Some(&master), "another PUT of the service leaves it alone");
    assert_eq!(read(&world), before);
    assert_eq!(codes(world.delete(&format!("{SERVICE}/subscriptions/master"))), ["ValidationError"]);
    world.delete(SERVICE).unwrap();
    assert!(world.graph.is_empty());
}
