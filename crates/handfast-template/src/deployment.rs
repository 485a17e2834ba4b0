//! A deployment as a step machine without IO (`spec/arm.md` §11).
//!
//! The host calls [`Deployment::step`], does what it says, answers, and steps again:
//!
//! | step | answer |
//! |---|---|
//! | [`Step::Put`]: resources whose dependencies are deployed, in any order or at once | [`Deployment::deployed`] for each |
//! | [`Step::Get`]: the state of a resource outside of the template | [`Deployment::found`] |
//! | [`Step::Action`]: a `list…` action | [`Deployment::acted`] |
//! | [`Step::Secret`]: a vault secret for a nested deployment | [`Deployment::revealed`] |
//! | [`Step::Done`], [`Step::Failed`] | – |
//!
//! An expression that needs an answer is evaluated again when the answer is there; evaluation has no
//! effects, so that costs time only. After a failure, resources that do not depend on it still go out.

use crate::evaluate::{Environment, Frame, Phase};
use crate::expand::{Instance, Targets, expand};
use crate::fault::{Evaluated, Fault, Need, Stop, fault};
use crate::function::bool_of;
use crate::parameter::{Parameters, VaultReference, check, is_secure, object};
use crate::scope::Scope;
use crate::template::{Template, member};
use handfast_core::{Diagnostic, Secret};
use handfast_model::ResourceId;
use serde_json::{Map, Value};
use std::collections::HashMap;

mod host;
mod nested;
mod runtime;

pub use host::{Host, deploy};

/// Nested deployments deeper than this are refused.
const NESTING_MAX: u32 = 16;

/// One resource to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    /// Its id.
    pub id: ResourceId,
    /// The version of the body's shape.
    pub api_version: String,
    /// The evaluated body.
    pub body: Value,
    /// Where in the template it stands.
    pub path: String,
}

/// What the host must do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write these resources; none depends on another.
    Put(Vec<Put>),
    /// Look up the effective document of a resource.
    Get {
        /// Its id.
        id: ResourceId,
        /// As the template names it, or empty.
        api_version: String,
    },
    /// Perform a `list…` action.
    Action {
        /// The resource to ask.
        id: ResourceId,
        /// The action, such as `listSecrets`, as the template spells it.
        name: String,
        /// As the template names it, or empty.
        api_version: String,
        /// The request body, or null.
        body: Value,
    },
    /// Read a secret, with the deployer's right to use the vault for deployments.
    Secret(VaultReference),
    /// Answers to earlier steps are missing.
    Wait,
    /// All resources are deployed.
    Done(Outcome),
    /// Something failed; everything that could be deployed is.
    Failed(Vec<Diagnostic>),
}

/// The result of a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Name → `{ "type", "value" }`.
    pub outputs: Map<String, Value>,
    /// Ids of the resources that were written, in order.
    pub resources: Vec<ResourceId>,
}

/// A resource of the plan, for what-if and progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its id.
    pub id: ResourceId,
    /// The version of the body's shape.
    pub api_version: String,
    /// Ids that must be deployed before.
    pub depends_on: Vec<ResourceId>,
    /// 0 for resources that depend on nothing, else one more than the greatest level depended on.
    pub level: usize,
    /// Whether it is written: its condition holds and it is not `existing`.
    pub written: bool,
    /// Where in the template it stands.
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Sent,
    Done,
    Skipped,
    Failed,
}

/// A running deployment.
pub struct Deployment {
    frame: Frame,
    depth: u32,
    instances: Vec<Instance>,
    targets: Targets,
    states: Vec<State>,
    /// Effective documents by id; `None` for what the host does not have.
    documents: HashMap<ResourceId, Option<Value>>,
    actions: HashMap<String, Result<Value, String>>,
    secrets: HashMap<VaultReference, Result<Secret<String>, String>>,
    child: Option<(usize, Box<Deployment>)>,
    written: Vec<ResourceId>,
    diagnostics: Vec<Diagnostic>,
}

/// What an evaluation attempt of one resource gave.
enum Attempt<T> {
    Ready(T),
    Needs(Step),
    Failed,
}

impl Deployment {
    /// Checks parameters, evaluates conditions, loops and ids, and draws the dependency graph. Vault
    /// references among the parameters must be resolved before.
    pub fn new(template: &Template, parameters: Parameters, scope: Scope) -> Result<Self, Vec<Diagnostic>> {
        let unknown = parameters.undeclared(template);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if let Some((name, reference)) = parameters.vault_references().next() {
            let message = format!(
                "parameter \"{name}\" refers to secret \"{}\", which is not resolved yet",
                reference.secret
            );
            return Err(vec![Diagnostic::error("KeyVaultParameterReferenceNotFound", message)]);
        }
        Self::of_frame(Frame::new(template.clone(), parameters, scope), 0)
    }

    fn of_frame(frame: Frame, depth: u32) -> Result<Self, Vec<Diagnostic>> {
        let diagnostics = check_parameters(&frame);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let instances = expand(&frame)?;
        let state = |instance: &Instance| match (instance.condition, instance.existing) {
            (false, _) => State::Skipped,
            (true, true) => State::Done,
            (true, false) => State::Waiting,
        };
        let states = instances.iter().map(state).collect();
        let targets = Targets::of(&instances);
        Ok(Self {
            frame,
            depth,
            instances,
            targets,
            states,
            documents: HashMap::new(),
            actions: HashMap::new(),
            secrets: HashMap::new(),
            child: None,
            written: Vec::new(),
            diagnostics: Vec::new(),
        })
    }

    /// The resources of the template, in template order.
    pub fn plan(&self) -> Vec<Planned> {
        let levels = self.levels();
        let id_of = |index: &usize| self.instances.get(*index).map(|instance| instance.id.clone());
        let planned = |(instance, level): (&Instance, usize)| Planned {
            id: instance.id.clone(),
            api_version: instance.api_version.clone(),
            depends_on: instance.depends_on.iter().filter_map(id_of).collect(),
            level,
            written: instance.condition && !instance.existing,
            path: instance.path.clone(),
        };
        self.instances.iter().zip(levels).map(planned).collect()
    }

    fn levels(&self) -> Vec<usize> {
        let mut levels: Vec<Option<usize>> = vec![None; self.instances.len()];
        // The graph has no circles, so every round settles at least one instance.
        for _ in 0..self.instances.len() {
            for (index, instance) in self.instances.iter().enumerate() {
                let below = instance.depends_on.iter().map(|d| levels.get(*d).copied().flatten());
                let level = below
                    .collect::<Option<Vec<usize>>>()
                    .map(|below| below.iter().max().map_or(0, |l| l + 1));
                if let Some(slot) = levels.get_mut(index) {
                    *slot = level;
                }
            }
            if levels.iter().all(Option::is_some) {
                break;
            }
        }
        levels.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// All parameters with their types and, unless secure, their effective values.
    pub fn parameters(&self) -> Map<String, Value> {
        let environment = Environment::new(&self.frame, Phase::Start);
        let template = &self.frame.template;
        let entry = |(name, declaration): (&str, &Value)| {
            let kind = member(template.resolve(declaration), "type").cloned().unwrap_or_default();
            let shown = environment.parameter(name).ok().filter(|_| !is_secure(template, declaration));
            let mut map = Map::new();
            map.insert("type".into(), kind);
            map.extend(shown.map(|value| ("value".to_owned(), value)));
            (name.to_owned(), Value::Object(map))
        };
        template.parameters().map(entry).collect()
    }

    /// Says what is to be done next.
    pub fn step(&mut self) -> Step {
        loop {
            if let Some(step) = self.step_child() {
                return step;
            }
            if self.states.contains(&State::Sent) {
                return Step::Wait;
            }
            let (mut puts, mut need, mut nested) = (Vec::new(), None, None);
            for index in self.ready() {
                if self.instances.get(index).is_some_and(Instance::is_deployment) {
                    nested.get_or_insert(index);
                    continue;
                }
                match self.attempt(index, |deployment, instance| deployment.body(instance)) {
                    Attempt::Ready(put) => {
                        self.set(index, State::Sent);
                        puts.push(put);
                    }
                    Attempt::Needs(step) => need = Some(step),
                    Attempt::Failed => {}
                }
            }
            if !puts.is_empty() {
                return Step::Put(puts);
            }
            if let Some(need) = need {
                return need;
            }
            match nested.map(|index| self.start_child(index)) {
                Some(Some(need)) => return need,
                Some(None) => {}
                None if self.ready().is_empty() => return self.finish(),
                None => {}
            }
        }
    }

    /// Instances that wait for nothing any more.
    fn ready(&self) -> Vec<usize> {
        let settled = |index: &usize| matches!(self.states.get(*index), Some(State::Done | State::Skipped));
        let open = self.states.iter().enumerate().filter(|(_, state)| **state == State::Waiting);
        let ready = open.filter(|(index, _)| {
            self.instances.get(*index).is_some_and(|i| i.depends_on.iter().all(settled))
        });
        ready.map(|(index, _)| index).collect()
    }

    fn set(&mut self, index: usize, state: State) {
        if let Some(slot) = self.states.get_mut(index) {
            *slot = state;
        }
    }

    /// Evaluates something of one instance; a fault fails the instance.
    fn attempt<T>(
        &mut self,
        index: usize,
        evaluate: impl Fn(&Self, &Instance) -> Evaluated<T>,
    ) -> Attempt<T> {
        let Some(instance) = self.instances.get(index) else { return Attempt::Failed };
        match evaluate(self, instance) {
            Ok(value) => Attempt::Ready(value),
            Err(Stop::Need(need)) => Attempt::Needs(step_of(*need)),
            Err(Stop::Fault(fault)) => {
                let diagnostic =
                    fault.at(self.frame.template.file(), &instance.path).on(instance.id.as_str());
                self.diagnostics.push(diagnostic);
                self.set(index, State::Failed);
                Attempt::Failed
            }
        }
    }

    fn body(&self, instance: &Instance) -> Evaluated<Put> {
        let runtime = self.runtime();
        let environment = Environment::new(&self.frame, Phase::Run)
            .with_runtime(&runtime)
            .with_loop(instance.copy.as_ref());
        let members = instance.raw.as_object().into_iter().flatten();
        let own =
            members.filter(|(key, _)| !ENGINE_MEMBERS.iter().any(|known| known.eq_ignore_ascii_case(key)));
        let mut body = Map::new();
        for (key, value) in own {
            let value = environment.value(value).map_err(|stop| in_member(stop, key))?;
            // A member that evaluates to null is one that the template leaves out.
            if !value.is_null() {
                body.insert(key.clone(), value);
            }
        }
        Ok(Put {
            id: instance.id.clone(),
            api_version: instance.api_version.clone(),
            body: Value::Object(body),
            path: instance.path.clone(),
        })
    }

    /// Answers one resource of [`Step::Put`] with its effective document, or with why it was refused.
    pub fn deployed(&mut self, id: &ResourceId, result: Result<Value, Vec<Diagnostic>>) {
        if let Some((_, child)) = &mut self.child {
            return child.deployed(id, result);
        }
        let sent = |(instance, state): (&Instance, &State)| *state == State::Sent && instance.id == *id;
        let Some(index) = self.instances.iter().zip(&self.states).position(sent) else { return };
        match result {
            Ok(document) => {
                self.documents.insert(id.clone(), Some(document));
                self.written.push(id.clone());
                self.set(index, State::Done);
            }
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                self.set(index, State::Failed);
            }
        }
    }

    /// Answers [`Step::Get`]: the effective document, or `None` if there is no such resource.
    pub fn found(&mut self, id: &ResourceId, document: Option<Value>) {
        if let Some((_, child)) = &mut self.child {
            return child.found(id, document);
        }
        self.documents.insert(id.clone(), document);
    }

    /// Answers [`Step::Action`].
    pub fn acted(
        &mut self,
        id: &ResourceId,
        name: &str,
        body: &Value,
        result: Result<Value, Vec<Diagnostic>>,
    ) {
        if let Some((_, child)) = &mut self.child {
            return child.acted(id, name, body, result);
        }
        let result =
            result.map_err(|all| all.first().map_or_else(String::new, |first| first.message.clone()));
        self.actions.insert(runtime::action_key(id, name, body), result);
    }

    /// Answers [`Step::Secret`].
    pub fn revealed(&mut self, reference: &VaultReference, result: Result<Secret<String>, Vec<Diagnostic>>) {
        if let Some((_, child)) = &mut self.child {
            return child.revealed(reference, result);
        }
        self.secrets.insert(reference.clone(), result.map_err(first_message));
    }

    fn finish(&mut self) -> Step {
        if !self.diagnostics.is_empty() {
            return Step::Failed(self.diagnostics.clone());
        }
        let (mut outputs, mut diagnostics) = (Map::new(), Vec::new());
        for (name, declaration) in self.frame.template.outputs() {
            match self.output(name, declaration) {
                Ok(None) => {}
                Ok(Some(output)) => {
                    outputs.insert(name.to_owned(), output);
                }
                Err(Stop::Need(need)) => return step_of(*need),
                Err(Stop::Fault(fault)) => {
                    diagnostics.push(fault.at(self.frame.template.file(), &format!("outputs.{name}")));
                }
            }
        }
        if diagnostics.is_empty() {
            return Step::Done(Outcome { outputs, resources: self.written.clone() });
        }
        self.diagnostics = diagnostics;
        Step::Failed(self.diagnostics.clone())
    }

    fn output(&self, name: &str, declaration: &Value) -> Evaluated<Option<Value>> {
        let runtime = self.runtime();
        let environment = Environment::new(&self.frame, Phase::Run).with_runtime(&runtime);
        if let Some(condition) = member(declaration, "condition")
            && !bool_of(&environment.value(condition)?)?
        {
            return Ok(None);
        }
        let value = match member(declaration, "copy") {
            Some(copy) => Value::Array(environment.copied(copy)?),
            None => environment.value(member(declaration, "value").unwrap_or(&Value::Null))?,
        };
        check(&self.frame.template, name, declaration, &value)?;
        let kind = member(self.frame.template.resolve(declaration), "type").cloned().unwrap_or_default();
        Ok(Some(if value.is_null() {
            object([("type", kind)])
        } else {
            object([("type", kind), ("value", value)])
        }))
    }
}

/// Members of a resource that are for the engine, not for the provider.
const ENGINE_MEMBERS: &[&str] = &[
    "type",
    "apiVersion",
    "name",
    "condition",
    "copy",
    "dependsOn",
    "scope",
    "existing",
    "resources",
    "comments",
    "metadata",
    "subscriptionId",
    "resourceGroup",
    "import",
    "extension",
    "@options",
    "asserts",
];

fn in_member(stop: Stop, member: &str) -> Stop {
    match stop {
        Stop::Fault(fault) => {
            Stop::Fault(Fault { message: format!("{} (in \"{member}\")", fault.message), ..fault })
        }
        other => other,
    }
}

fn step_of(need: Need) -> Step {
    match need {
        Need::Get { id, api_version } => Step::Get { id, api_version },
        Need::Secret(reference) => Step::Secret(reference),
        Need::Action { id, name, api_version, body } => Step::Action { id, name, api_version, body },
    }
}

fn first_message(diagnostics: Vec<Diagnostic>) -> String {
    diagnostics.into_iter().next().map_or_else(String::new, |first| first.message)
}

fn check_parameters(frame: &Frame) -> Vec<Diagnostic> {
    let environment = Environment::new(frame, Phase::Start);
    let template = &frame.template;
    let mut diagnostics = Vec::new();
    for (name, declaration) in template.parameters() {
        let checked =
            environment.parameter(name).and_then(|value| match check(template, name, declaration, &value) {
                Ok(()) => Ok(()),
                Err(found) => Err(found.into()),
            });
        if let Err(Stop::Fault(found)) = checked {
            diagnostics.push(found.at(template.file(), &format!("parameters.{name}")));
        }
    }
    diagnostics
}

/// A fault for a nested deployment that this engine does not run.
fn unsupported<T>(what: &str) -> Evaluated<T> {
    fault(format!("{what} is not supported; an inline \"template\" would be accepted"))
}

#[cfg(test)]
mod tests;
