//! A template of the whole chain, deployed into a graph: what a user of `up` gets, without the binary.

use handfast_core::{Diagnostic, Secret};
use handfast_model::{Command, Context, Graph, Material, ResourceId, Settings, apply};
use handfast_template::{Host, Parameters, Put, Scope, Template, VaultReference, deploy};
use serde_json::{Value, json};

/// The graph as a host of deployments.
#[derive(Default)]
struct Model {
    graph: Graph,
    material: Material,
    counter: u8,
    levels: Vec<usize>,
}

impl Model {
    fn apply(&mut self, put: Put) -> Result<Value, Vec<Diagnostic>> {
        let settings = Settings::default();
        let mut random = |bytes: &mut [u8]| {
            self.counter = self.counter.wrapping_add(1);
            bytes.fill(self.counter);
        };
        let mut context = Context { settings: &settings, material: &self.material, random: &mut random };
        let command = Command::Put { id: put.id.clone(), api_version: put.api_version, body: put.body };
        let applied = apply(&self.graph, command, &mut context)?;
        self.graph = applied.graph;
        self.material.extend(&applied.secrets);
        Ok(self.graph.get(&put.id).map(|resource| resource.effective()).unwrap_or_default())
    }
}

impl Host for Model {
    fn put(&mut self, resources: Vec<Put>) -> Vec<Result<Value, Vec<Diagnostic>>> {
        self.levels.push(resources.len());
        resources.into_iter().map(|put| self.apply(put)).collect()
    }

    fn get(&mut self, id: &ResourceId, _: &str) -> Option<Value> {
        self.graph.get(id).map(|resource| resource.effective())
    }

    fn secret(&mut self, reference: &VaultReference) -> Result<Secret<String>, Vec<Diagnostic>> {
        panic!("the template names no vault secret, but \"{}\" was asked for", reference.secret)
    }

    fn action(&mut self, id: &ResourceId, name: &str, _: &str, _: &Value) -> Result<Value, Vec<Diagnostic>> {
        assert_eq!(name, "listSecrets");
        let resource = self.graph.get(id).expect("resource was deployed");
        let key = self.material.secret_at(resource, "/properties/primaryKey").expect("key was made");
        Ok(json!({ "primaryKey": String::from_utf8(key.expose().clone()).expect("key is text") }))
    }
}

fn run(model: &mut Model) -> handfast_template::Outcome {
    let template =
        Template::parse(include_str!("data/chain.json"), "chain.json").expect("template is well formed");
    let parameters = Parameters::new().with("edgeCertificate", "UEZY").with("baseName", "shop");
    deploy(&template, parameters, Scope::group("s", "g"), model).expect("template deploys")
}

#[test]
fn a_template_of_the_whole_chain_deploys_and_sees_allocated_addresses() {
    let mut model = Model::default();
    let outcome = run(&mut model);
    let output = |name: &str| outcome.outputs[name]["value"].clone();
    assert_eq!(output("address"), "127.20.0.1");
    assert_eq!(output("gatewayUrl"), "https://apim-shop.azure-api.net");
    assert_eq!(output("apiPaths"), json!(["orders", "billing"]));
    assert_eq!(output("key").as_str().map(str::len), Some(32));
    assert_eq!(output("principal").as_str().map(str::len), Some(36));
    let edge = ResourceId::parse(output("edgeId").as_str().expect("id is text")).expect("id is well formed");
    let edge = model.graph.get(&edge).expect("edge was deployed");
    let seen = edge.effective();
    assert_eq!(
        seen["properties"]["backendAddressPools"][0]["properties"]["backendAddresses"][0]["ipAddress"],
        "10.10.1.4"
    );
    assert_eq!(
        seen["properties"]["frontendIPConfigurations"][1]["properties"]["privateIPAddress"],
        "10.10.0.4"
    );
    assert!(!edge.document.to_string().contains("UEZY"));
    // vnet and address; service; its children; policies; the edge in its module.
    assert_eq!(model.levels, [2, 1, 4, 2, 1]);
}

#[test]
fn deploying_an_unchanged_template_again_changes_nothing() {
    let mut model = Model::default();
    let first = run(&mut model);
    let before = model.graph.clone();
    let second = run(&mut model);
    assert_eq!(model.graph, before);
    assert_eq!(first.outputs, second.outputs);
}
