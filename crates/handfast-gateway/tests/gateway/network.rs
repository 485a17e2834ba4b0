//! Network modes: an internal service is reached by its private address only.

use crate::world::{SERVICE, World};
use handfast_gateway::FrontendAddress;
use handfast_net::Hop;
use serde_json::json;

const NETWORK: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/net";

fn world(mode: &str) -> World {
    let mut world = World::new(Hop::Wire);
    world.put(
        NETWORK,
        json!({ "location": "local", "properties": { "addressSpace": { "addressPrefixes": ["10.10.0.0/16"] },
            "subnets": [{ "name": "apim", "properties": { "addressPrefix": "10.10.1.0/24" } }] } }),
    );
    world.put(
        "",
        json!({ "location": "local", "properties": { "virtualNetworkType": mode,
            "virtualNetworkConfiguration": { "subnetResourceId": format!("{NETWORK}/subnets/apim") } } }),
    );
    world.compile();
    assert!(world.errors().is_empty(), "{:?}", world.errors());
    world
}

#[test]
fn an_internal_service_answers_its_network_on_its_private_address() {
    let world = world("Internal");
    let [frontend] = world.plan.frontends() else { panic!("one frontend") };
    let private = FrontendAddress::Private {
        network: NETWORK.to_lowercase().into(),
        ip: "10.10.1.4".parse().expect("ip"),
    };
    assert_eq!((&frontend.address, frontend.port), (&private, 443));
    let allows = |ip: &str| frontend.state.filter.allows(ip.parse().expect("ip"));
    assert!(allows("10.10.0.9") && !allows("10.11.0.1") && !allows("127.0.0.1"));
    assert_eq!(world.plan.names(), [("contoso.gateway.localhost".to_owned(), private)]);
}

#[test]
fn an_external_service_has_both_and_services_share_the_front_door() {
    let mut world = world("External");
    world.put(&SERVICE.replace("contoso", "second"), json!({ "location": "local" }));
    world.compile();
    let addresses: Vec<&FrontendAddress> = world.plan.frontends().iter().map(|one| &one.address).collect();
    assert_eq!(addresses.len(), 2);
    assert_eq!(addresses[0], &FrontendAddress::FrontDoor);
    assert!(matches!(addresses[1], FrontendAddress::Private { .. }));
    assert!(world.plan.names().iter().all(|(_, address)| *address == FrontendAddress::FrontDoor));
    let hosts = world.plan.frontends()[0].state.tls.as_ref().map(|table| table.hosts().len());
    assert_eq!(hosts, Some(2));
}
