//! How expressions see what is deployed: answers that are known are given, others become questions to the
//! host.

use super::Deployment;
use crate::evaluate::Runtime;
use crate::expand::Instance;
use crate::fault::{Evaluated, Fault, Need, Stop, did_you_mean, fault};
use crate::parameter::object;
use handfast_model::ResourceId;
use serde_json::{Map, Value};

/// The state of a deployment as its expressions see it.
pub(super) struct Deployed<'d> {
    deployment: &'d Deployment,
}

impl Deployment {
    pub(super) fn runtime(&self) -> Deployed<'_> {
        Deployed { deployment: self }
    }
}

/// Under which the answer of an action is remembered.
pub(super) fn action_key(id: &ResourceId, name: &str, body: &Value) -> String {
    format!("{}|{}|{body}", id.key(), name.to_lowercase())
}

impl Deployed<'_> {
    /// The instances that a target names; empty if it is an id outside of the template.
    fn instances(&self, target: &str) -> Vec<&Instance> {
        let found = self.deployment.targets.find(target);
        found.iter().filter_map(|index| self.deployment.instances.get(*index)).collect()
    }

    fn one(&self, target: &str) -> Evaluated<(ResourceId, String)> {
        let found = self.instances(target);
        // Alternatives under opposite conditions may share a name or an id: the deployed one is meant.
        let live: Vec<&&Instance> = found.iter().filter(|instance| instance.condition).collect();
        match (live.as_slice(), found.len()) {
            ([instance], _) => Ok((instance.id.clone(), instance.api_version.clone())),
            ([], 0) => match ResourceId::parse(target) {
                Ok(id) => Ok((id, String::new())),
                Err(_) => {
                    let known = self.deployment.instances.iter().map(Instance::called);
                    let message = format!(
                        "the resource \"{target}\" is not defined in the template and is not a resource id"
                    );
                    Err(Fault::new(message).help(did_you_mean(target, known)).into())
                }
            },
            ([], _) => fault(format!("the resource \"{target}\" is not deployed: its condition is false")),
            (many, _) => {
                fault(format!("\"{target}\" names {} resources; give an id or an index", many.len()))
            }
        }
    }

    fn document(&self, id: &ResourceId, api_version: &str) -> Evaluated<Value> {
        match self.deployment.documents.get(id) {
            Some(Some(document)) => Ok(document.clone()),
            Some(None) => fault(format!("the resource \"{id}\" was not found")),
            None => {
                Err(Stop::Need(Box::new(Need::Get { id: id.clone(), api_version: api_version.to_owned() })))
            }
        }
    }

    fn state(&self, id: &ResourceId, api_version: &str, full: bool) -> Evaluated<Value> {
        let document = self.document(id, api_version)?;
        if !full {
            return Ok(document.get("properties").cloned().unwrap_or_else(|| Value::Object(Map::new())));
        }
        let mut all = document.as_object().cloned().unwrap_or_default();
        all.insert("apiVersion".into(), api_version.into());
        all.insert("resourceId".into(), id.as_str().into());
        all.insert("subscriptionId".into(), id.subscription().into());
        all.insert("resourceGroupName".into(), id.resource_group().into());
        Ok(Value::Object(all))
    }
}

impl Runtime for Deployed<'_> {
    fn reference(&self, target: &str, api_version: Option<&str>, full: bool) -> Evaluated<Value> {
        let (id, own_version) = self.one(target)?;
        self.state(&id, api_version.unwrap_or(&own_version), full)
    }

    fn references(&self, target: &str, full: bool) -> Evaluated<Value> {
        let live = self.instances(target).into_iter().filter(|instance| instance.condition);
        let states = live.map(|instance| self.state(&instance.id, &instance.api_version, full));
        states.collect::<Evaluated<_>>().map(Value::Array)
    }

    fn action(&self, name: &str, target: &str, api_version: &str, body: Value) -> Evaluated<Value> {
        let (id, _) = self.one(target)?;
        match self.deployment.actions.get(&action_key(&id, name, &body)) {
            Some(Ok(answer)) => Ok(answer.clone()),
            Some(Err(message)) => fault(format!("\"{name}\" of \"{id}\" failed: {message}")),
            None => {
                let (name, api_version) = (name.to_owned(), api_version.to_owned());
                Err(Stop::Need(Box::new(Need::Action { id, name, api_version, body })))
            }
        }
    }

    fn info(&self, symbol: &str) -> Evaluated<Value> {
        let (id, api_version) = self.one(symbol)?;
        Ok(object([
            ("id", id.as_str().into()),
            ("name", id.names().join("/").into()),
            ("type", id.resource_type().into()),
            ("apiVersion", api_version.into()),
        ]))
    }
}
