//! Nested deployments with an inline template (`spec/arm.md` §8.4). Each runs as a deployment of its own,
//! driven through its parent: the parent hands its steps out and the answers in.
//!
//! With `inner` scope the nested template has parameters, variables and scope functions of its own. With
//! `outer` scope, the default, it sees those of its parent.

use super::{Attempt, Deployment, NESTING_MAX, State, Step, unsupported};
use crate::evaluate::{Environment, Frame, Phase};
use crate::expand::Instance;
use crate::fault::{Evaluated, Need, Stop, fault};
use crate::parameter::Parameters;
use crate::scope::Scope;
use crate::template::{Template, member};
use handfast_core::Diagnostic;
use serde_json::{Map, Value, json};

/// The parts of a nested deployment that depend on nothing but its parent.
struct Prepared {
    template: Value,
    parameters: Parameters,
    outer: bool,
    location: Option<String>,
}

impl Deployment {
    /// Steps the running child, if there is one; `None` when the parent may go on.
    pub(super) fn step_child(&mut self) -> Option<Step> {
        let (index, child) = self.child.as_mut()?;
        let index = *index;
        match child.step() {
            Step::Done(outcome) => {
                let parameters = child.parameters();
                self.child = None;
                self.written.extend(outcome.resources);
                let id = self.instances.get(index)?.id.clone();
                let document = json!({ "id": id.as_str(), "name": id.name(), "type": id.resource_type(),
                    "properties": { "provisioningState": "Succeeded", "mode": "Incremental",
                        "parameters": parameters, "outputs": outcome.outputs } });
                self.documents.insert(id, Some(document));
                self.set(index, State::Done);
                None
            }
            Step::Failed(diagnostics) => {
                self.child = None;
                self.diagnostics.extend(diagnostics);
                self.set(index, State::Failed);
                None
            }
            other => Some(other),
        }
    }

    /// Starts a nested deployment; a step is returned if its parameters need an answer first.
    pub(super) fn start_child(&mut self, index: usize) -> Option<Step> {
        let prepared = match self.attempt(index, |deployment, instance| deployment.prepare(instance)) {
            Attempt::Ready(prepared) => prepared,
            Attempt::Needs(step) => return Some(step),
            Attempt::Failed => return None,
        };
        match self.child_of(index, prepared) {
            Ok(child) => self.child = Some((index, Box::new(child))),
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                self.set(index, State::Failed);
            }
        }
        None
    }

    fn prepare(&self, instance: &Instance) -> Evaluated<Prepared> {
        if self.depth >= NESTING_MAX {
            return fault(format!("deployments are nested deeper than {NESTING_MAX} levels"));
        }
        let properties = member(&instance.raw, "properties").unwrap_or(&Value::Null);
        if member(properties, "templateLink").is_some() {
            return unsupported("a deployment by \"templateLink\"");
        }
        let Some(template) = member(properties, "template").filter(|template| template.is_object()) else {
            return fault("a nested deployment needs \"template\", an object");
        };
        let runtime = self.runtime();
        let environment = Environment::new(&self.frame, Phase::Run)
            .with_runtime(&runtime)
            .with_loop(instance.copy.as_ref());
        let parameters = match member(properties, "parameters") {
            Some(parameters) => self.revealed_parameters(&environment.value(parameters)?)?,
            None => Parameters::new(),
        };
        let options =
            member(properties, "expressionEvaluationOptions").and_then(|options| member(options, "scope"));
        let scope = match options {
            Some(scope) => environment.string(scope, "\"scope\"")?,
            None => "outer".to_owned(),
        };
        let location =
            member(&instance.raw, "location").map(|l| environment.string(l, "\"location\"")).transpose()?;
        Ok(Prepared {
            template: template.clone(),
            parameters,
            outer: !scope.eq_ignore_ascii_case("inner"),
            location,
        })
    }

    /// Parameters with their vault references resolved.
    fn revealed_parameters(&self, parameters: &Value) -> Evaluated<Parameters> {
        let file = self.frame.template.file();
        let Ok(mut given) = Parameters::from_value(parameters, file) else {
            return fault("the parameters of the nested deployment are malformed");
        };
        let references: Vec<_> =
            given.vault_references().map(|(name, r)| (name.to_owned(), r.clone())).collect();
        for (name, reference) in references {
            match self.secrets.get(&reference) {
                Some(Ok(secret)) => given.resolve(&name, secret.expose().as_str().into()),
                Some(Err(message)) => return fault(format!("secret of parameter \"{name}\": {message}")),
                None => return Err(Stop::Need(Box::new(Need::Secret(reference)))),
            }
        }
        Ok(given)
    }

    fn child_of(&self, index: usize, prepared: Prepared) -> Result<Deployment, Vec<Diagnostic>> {
        let Some(instance) = self.instances.get(index) else { return Err(Vec::new()) };
        let file = self.frame.template.file();
        let inner_file =
            format!("{file}{}{}.template", if file.is_empty() { "" } else { "#" }, instance.path);
        let target = self.nested_scope(instance, prepared.location);
        if !prepared.outer {
            let template = Template::from_value(prepared.template, &inner_file)?;
            let given = prepared.parameters;
            let unknown = given.undeclared(&template);
            if !unknown.is_empty() {
                return Err(unknown);
            }
            return Deployment::of_frame(Frame::new(template, given, target), self.depth + 1);
        }
        let template = Template::outer(self.with_own_names(prepared.template), &inner_file);
        let mut frame = Frame::new(template, self.frame.given.clone(), self.frame.scope.clone());
        frame.target = target;
        frame.inherit(&self.frame);
        frame.loops.extend(instance.copy.clone());
        Deployment::of_frame(frame, self.depth + 1)
    }

    /// The nested template with the parent's parameters, variables and functions in place of its own.
    fn with_own_names(&self, nested: Value) -> Value {
        let mut all: Map<String, Value> = nested.as_object().cloned().unwrap_or_default();
        for name in ["parameters", "variables", "functions", "definitions"] {
            all.retain(|key, _| !key.eq_ignore_ascii_case(name));
            if let Some(own) = member(self.frame.template.document(), name) {
                all.insert(name.to_owned(), own.clone());
            }
        }
        Value::Object(all)
    }

    fn nested_scope(&self, instance: &Instance, location: Option<String>) -> Scope {
        let own = &self.frame.target;
        let group = instance.id.resource_group().map(str::to_owned);
        let same_group = group == own.resource_group;
        Scope {
            subscription_id: instance.id.subscription().map(str::to_owned),
            resource_group: group,
            location: location.unwrap_or_else(|| own.location.clone()),
            group_tags: if same_group { own.group_tags.clone() } else { json!({}) },
            deployment_name: instance.id.name().to_owned(),
            entropy: nested_entropy(own.entropy, instance.id.key()),
            ..own.clone()
        }
    }
}

/// Every nested deployment makes guids of its own.
fn nested_entropy(entropy: [u8; 16], key: &str) -> [u8; 16] {
    use sha1::{Digest, Sha1};
    let digest = Sha1::new().chain_update(entropy).chain_update(key).finalize();
    let mut own = [0; 16];
    own.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    own
}
