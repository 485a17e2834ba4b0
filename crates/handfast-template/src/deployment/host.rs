//! Driving a deployment to its end against a host that answers at once.

use super::{Deployment, Outcome, Put, Step};
use crate::parameter::{Parameters, VaultReference};
use crate::scope::Scope;
use crate::template::Template;
use handfast_core::{Diagnostic, Secret};
use handfast_model::ResourceId;
use serde_json::Value;

/// What a deployment needs of its surroundings when it is driven by [`deploy`].
pub trait Host {
    /// Writes resources that do not depend on each other; one answer for each, in order.
    fn put(&mut self, resources: Vec<Put>) -> Vec<Result<Value, Vec<Diagnostic>>>;
    /// The effective document of a resource.
    fn get(&mut self, id: &ResourceId, api_version: &str) -> Option<Value>;
    /// A secret of a vault.
    fn secret(&mut self, reference: &VaultReference) -> Result<Secret<String>, Vec<Diagnostic>>;
    /// The answer of a `list…` action.
    fn action(
        &mut self,
        id: &ResourceId,
        name: &str,
        api_version: &str,
        body: &Value,
    ) -> Result<Value, Vec<Diagnostic>>;
}

/// Runs a deployment to its end against a host that answers at once.
pub fn deploy(
    template: &Template,
    parameters: Parameters,
    scope: Scope,
    host: &mut dyn Host,
) -> Result<Outcome, Vec<Diagnostic>> {
    let mut parameters = parameters;
    let references: Vec<_> = parameters.vault_references().map(|(n, r)| (n.to_owned(), r.clone())).collect();
    for (name, reference) in references {
        let secret = host.secret(&reference)?;
        parameters.resolve(&name, secret.expose().as_str().into());
    }
    let mut deployment = Deployment::new(template, parameters, scope)?;
    loop {
        match deployment.step() {
            Step::Put(puts) => {
                let ids: Vec<ResourceId> = puts.iter().map(|put| put.id.clone()).collect();
                let mut answers = host.put(puts).into_iter();
                for id in ids {
                    let missing = || {
                        Err(vec![
                            Diagnostic::error("InternalError", "the host gave no answer").on(id.as_str()),
                        ])
                    };
                    let answer = answers.next().unwrap_or_else(missing);
                    deployment.deployed(&id, answer);
                }
            }
            Step::Get { id, api_version } => {
                let document = host.get(&id, &api_version);
                deployment.found(&id, document);
            }
            Step::Action { id, name, api_version, body } => {
                let result = host.action(&id, &name, &api_version, &body);
                deployment.acted(&id, &name, &body, result);
            }
            Step::Secret(reference) => {
                let result = host.secret(&reference);
                deployment.revealed(&reference, result);
            }
            Step::Wait => {
                return Err(vec![Diagnostic::error("InternalError", "a deployment step was not answered")]);
            }
            Step::Done(outcome) => return Ok(outcome),
            Step::Failed(diagnostics) => return Err(diagnostics),
        }
    }
}
