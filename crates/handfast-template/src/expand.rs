//! From the resources of a template to instances: nested children flattened, conditions and loop counts
//! evaluated, ids computed, and the dependency graph drawn (`spec/arm.md` §11, steps 3 and 4).

use crate::evaluate::{Environment, Frame, Phase};
use crate::expression::{Expression, Text, parse_text};
use crate::fault::{Evaluated, Fault, Stop, did_you_mean, fault};
use crate::function::{bool_of, interleave};
use crate::template::{DEPLOYMENTS, member};
use handfast_core::Diagnostic;
use handfast_model::ResourceId;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// The most instances of one template.
const RESOURCES_MAX: usize = 800;

/// One resource of the deployment.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// Symbolic name, with `[n]` in a loop; empty in templates without symbolic names.
    pub(crate) symbol: String,
    /// The loop it is an instance of: name and index.
    pub(crate) copy: Option<(String, usize)>,
    pub(crate) id: ResourceId,
    /// `name` as the template spells it: all segments.
    pub(crate) name: String,
    pub(crate) api_version: String,
    pub(crate) condition: bool,
    /// Read, never written.
    pub(crate) existing: bool,
    pub(crate) raw: Value,
    pub(crate) path: String,
    /// Indices of instances that must be deployed before.
    pub(crate) depends_on: BTreeSet<usize>,
}

impl Instance {
    /// What the template calls it: symbolic name, or name.
    pub(crate) fn called(&self) -> &str {
        if self.symbol.is_empty() { &self.name } else { &self.symbol }
    }

    pub(crate) fn is_deployment(&self) -> bool {
        self.id.is_kind(DEPLOYMENTS)
    }
}

/// A resource as written, with the parents it is nested in.
struct Declared<'t> {
    symbol: &'t str,
    raw: &'t Value,
    ancestors: Vec<&'t Value>,
    path: String,
}

/// All instances of a frame's template, dependencies included.
pub(crate) fn expand(frame: &Frame) -> Result<Vec<Instance>, Vec<Diagnostic>> {
    let mut declared = Vec::new();
    let resources = member(frame.template.document(), "resources").unwrap_or(&Value::Null);
    collect(resources, "resources", &[], &mut declared);
    let mut instances: Vec<Instance> = Vec::new();
    let mut diagnostics = Vec::new();
    let file = frame.template.file();
    for resource in &declared {
        match instantiate(frame, resource) {
            Ok(more) => instances.extend(more),
            Err(fault) => diagnostics.push(fault.at(file, &resource.path)),
        }
    }
    if instances.len() > RESOURCES_MAX {
        let message = format!(
            "the template has {} resources; at most {RESOURCES_MAX} would be accepted",
            instances.len()
        );
        diagnostics.push(Fault::new(message).at(file, "resources"));
    }
    let mut seen: HashMap<&ResourceId, &Instance> = HashMap::new();
    for instance in instances.iter().filter(|instance| instance.condition && !instance.existing) {
        if let Some(first) = seen.insert(&instance.id, instance) {
            let message = format!(
                "the resource \"{}\" is defined multiple times in the template, also at {}",
                instance.id, first.path
            );
            diagnostics.push(Fault::new(message).at(file, &instance.path));
        }
    }
    if diagnostics.is_empty() {
        diagnostics.extend(connect(frame, &mut instances));
    }
    if diagnostics.is_empty() { Ok(instances) } else { Err(diagnostics) }
}

fn collect<'t>(resources: &'t Value, path: &str, ancestors: &[&'t Value], out: &mut Vec<Declared<'t>>) {
    let mut one = |symbol: &'t str, raw: &'t Value, path: String| {
        let mut inner = ancestors.to_vec();
        out.push(Declared { symbol, raw, ancestors: inner.clone(), path: path.clone() });
        inner.push(raw);
        if let Some(children) = member(raw, "resources") {
            collect(children, &format!("{path}.resources"), &inner, out);
        }
    };
    match resources {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, raw)| one("", raw, format!("{path}[{index}]")));
        }
        Value::Object(items) => {
            items.iter().for_each(|(symbol, raw)| one(symbol, raw, format!("{path}.{symbol}")))
        }
        _ => {}
    }
}

/// Before the start nothing can be asked of the host.
fn at_start<T>(result: Evaluated<T>) -> Result<T, Fault> {
    result.map_err(|stop| match stop {
        Stop::Fault(fault) => fault,
        Stop::Need(_) => Fault::new("the state of resources is not known before the deployment starts"),
    })
}

fn instantiate(frame: &Frame, resource: &Declared<'_>) -> Result<Vec<Instance>, Fault> {
    let environment = Environment::new(frame, Phase::Start);
    let Some(copy) = member(resource.raw, "copy") else {
        return at_start(instance(frame, resource, None)).map(|instance| vec![instance]);
    };
    let name = at_start(environment.string(copy.get("name").unwrap_or(&Value::Null), "\"copy.name\""))?;
    let count = at_start(environment.count(copy.get("count").unwrap_or(&Value::Null)))?;
    (0..count).map(|index| at_start(instance(frame, resource, Some((name.clone(), index))))).collect()
}

fn instance(frame: &Frame, resource: &Declared<'_>, copy: Option<(String, usize)>) -> Evaluated<Instance> {
    let environment = Environment::new(frame, Phase::Start).with_loop(copy.as_ref());
    let raw = resource.raw;
    let text = |raw: &Value, key: &str| {
        environment.string(member(raw, key).unwrap_or(&Value::Null), &format!("\"{key}\""))
    };
    let (mut kind, mut name) = (String::new(), String::new());
    for part in resource.ancestors.iter().copied().chain([raw]) {
        let (own_kind, own_name) = (text(part, "type")?, text(part, "name")?);
        // A nested child may repeat its parent's type and name, or give only its own segments.
        let full =
            kind.is_empty() || own_kind.to_lowercase().starts_with(&format!("{}/", kind.to_lowercase()));
        kind = if full { own_kind } else { format!("{kind}/{own_kind}") };
        let repeats = full && own_name.matches('/').count() + 2 == kind.split('/').count();
        name = if name.is_empty() || repeats { own_name } else { format!("{name}/{own_name}") };
    }
    let condition = match member(raw, "condition") {
        Some(condition) => bool_of(&environment.value(condition)?)?,
        None => true,
    };
    let symbol = match (&copy, resource.symbol) {
        (_, "") => String::new(),
        (Some((_, index)), symbol) => format!("{symbol}[{index}]"),
        (None, symbol) => symbol.to_owned(),
    };
    let id = id_of(&environment, raw, &kind, &name)?;
    Ok(Instance {
        symbol,
        copy,
        id,
        name,
        api_version: text(raw, "apiVersion")?,
        condition,
        existing: member(raw, "existing") == Some(&Value::Bool(true)),
        raw: raw.clone(),
        path: resource.path.clone(),
        depends_on: BTreeSet::new(),
    })
}

/// The id of a resource: scope, type and name segments in turn.
fn id_of(environment: &Environment<'_>, raw: &Value, kind: &str, name: &str) -> Evaluated<ResourceId> {
    let scope = &environment.frame.target;
    let names: Vec<&str> = name.split('/').collect();
    let optional = |key: &str| match member(raw, key) {
        Some(value) => environment.string(value, &format!("\"{key}\"")).map(Some),
        None => Ok(None),
    };
    let is_deployment = kind.eq_ignore_ascii_case(DEPLOYMENTS);
    let subscription = if is_deployment { optional("subscriptionId")? } else { None };
    let group = if is_deployment { optional("resourceGroup")? } else { None };
    let prefix = match optional("scope")? {
        Some(tenant) if tenant == "/" => String::new(),
        Some(absolute) if absolute.starts_with('/') => absolute.trim_end_matches('/').to_owned(),
        Some(relative) => relative_scope(&scope.prefix(), &relative)?,
        None => match (subscription.as_ref().or(scope.subscription_id.as_ref()), &group) {
            (Some(subscription), Some(group)) => {
                format!("/subscriptions/{subscription}/resourceGroups/{group}")
            }
            (Some(given), None) if subscription.is_some() => format!("/subscriptions/{given}"),
            _ => scope.prefix(),
        },
    };
    if kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
        return match &scope.subscription_id {
            Some(subscription) => parse_id(&format!("/subscriptions/{subscription}/resourceGroups/{name}")),
            None => fault("a resource group needs a deployment to a subscription"),
        };
    }
    match interleave(kind, &names) {
        Some(path) => parse_id(&format!("{prefix}/providers/{path}")),
        None => {
            let wanted = kind.split('/').count().saturating_sub(1);
            fault(format!(
                "type \"{kind}\" needs a name of {wanted} segments, \"{name}\" has {}",
                names.len()
            ))
        }
    }
}

/// `Microsoft.X/a/name/b/name` below the deployment's scope.
fn relative_scope(prefix: &str, relative: &str) -> Evaluated<String> {
    let id = format!("{prefix}/providers/{}", relative.trim_matches('/'));
    parse_id(&id).map(|id| id.to_string())
}

fn parse_id(text: &str) -> Evaluated<ResourceId> {
    ResourceId::parse(text).or_else(|error| fault(error.to_string()))
}

/// Finds instances by what `dependsOn` and `reference` call them.
pub(crate) struct Targets {
    /// By symbolic name (a loop's name means all its instances), id, loop name, `type/name`, and name: the
    /// first that has the target decides.
    by: [HashMap<String, Vec<usize>>; 5],
}

impl Targets {
    pub(crate) fn of(instances: &[Instance]) -> Self {
        let mut targets = Self { by: Default::default() };
        for (index, instance) in instances.iter().enumerate() {
            let [symbols, ids, loops, paths, names] = &mut targets.by;
            let add = |map: &mut HashMap<String, Vec<usize>>, key: &str| {
                let found = map.entry(key.to_lowercase()).or_default();
                if found.last() != Some(&index) {
                    found.push(index);
                }
            };
            if !instance.symbol.is_empty() {
                add(symbols, &instance.symbol);
                add(symbols, instance.symbol.split('[').next().unwrap_or_default());
            }
            add(ids, instance.id.key());
            if let Some((name, _)) = &instance.copy {
                add(loops, name);
            }
            add(paths, &format!("{}/{}", instance.id.resource_type(), instance.name));
            if let Some((_, path)) = instance.id.as_str().rsplit_once("/providers/") {
                add(paths, path);
            }
            add(names, &instance.name);
        }
        targets
    }

    pub(crate) fn find(&self, target: &str) -> &[usize] {
        let key = match ResourceId::parse(target) {
            Ok(id) => id.key().to_owned(),
            Err(_) => target.to_lowercase(),
        };
        self.by.iter().find_map(|map| map.get(&key)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Draws the edges, explicit and implicit ones, and refuses circles.
fn connect(frame: &Frame, instances: &mut [Instance]) -> Vec<Diagnostic> {
    let file = frame.template.file();
    let mut diagnostics = Vec::new();
    let mut edges = Vec::new();
    let targets = Targets::of(instances);
    for instance in &*instances {
        let mut own = BTreeSet::new();
        if let Err(fault) = explicit(frame, instances, instance, &targets, &mut own) {
            diagnostics.push(fault.at(file, &format!("{}.dependsOn", instance.path)));
        }
        let environment = Environment::new(frame, Phase::Start).with_loop(instance.copy.as_ref());
        implicit(&environment, &instance.raw, &targets, &mut own);
        edges.push(own);
    }
    for (index, (instance, own)) in instances.iter_mut().zip(edges).enumerate() {
        instance.depends_on = own;
        instance.depends_on.remove(&index);
    }
    if diagnostics.is_empty()
        && let Some(at) = circle(instances)
        && let Some(instance) = instances.get(at)
    {
        let message = format!("circular dependency detected on resource: \"{}\"", instance.id);
        diagnostics.push(Fault::new(message).at(file, &instance.path));
    }
    diagnostics
}

fn explicit(
    frame: &Frame,
    instances: &[Instance],
    instance: &Instance,
    targets: &Targets,
    own: &mut BTreeSet<usize>,
) -> Result<(), Fault> {
    let environment = Environment::new(frame, Phase::Start).with_loop(instance.copy.as_ref());
    let Some(entries) = member(&instance.raw, "dependsOn") else { return Ok(()) };
    let entries = at_start(environment.value(entries))?;
    let Some(entries) = entries.as_array() else { return Err(Fault::new("\"dependsOn\" must be an array")) };
    for entry in entries {
        let Some(target) = entry.as_str() else { return Err(Fault::new("\"dependsOn\" must hold strings")) };
        let found = targets.find(target);
        if found.is_empty() && !names_empty_loop(frame, target) {
            let known = instances.iter().map(Instance::called);
            let help = did_you_mean(target, known);
            return Err(
                Fault::new(format!("the resource \"{target}\" is not defined in the template")).help(help)
            );
        }
        own.extend(found);
    }
    Ok(())
}

/// A loop with count 0 has no instances but is there to depend on.
fn names_empty_loop(frame: &Frame, target: &str) -> bool {
    let resources = member(frame.template.document(), "resources").unwrap_or(&Value::Null);
    let mut declared = Vec::new();
    collect(resources, "", &[], &mut declared);
    declared.iter().any(|resource| {
        let copy = member(resource.raw, "copy");
        let name = copy.and_then(|copy| copy.get("name")).and_then(Value::as_str).unwrap_or_default();
        copy.is_some() && (resource.symbol.eq_ignore_ascii_case(target) || name.eq_ignore_ascii_case(target))
    })
}

/// Adds the targets of `reference`, `references`, `resourceInfo` and `list*` in a value. An argument that
/// cannot be evaluated yet leads to no edge: its own inner references do.
fn implicit(environment: &Environment<'_>, value: &Value, targets: &Targets, own: &mut BTreeSet<usize>) {
    match value {
        Value::String(text) => {
            if let Ok(Text::Expression(term)) = parse_text(text) {
                implicit_term(environment, &term, targets, own);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| implicit(environment, item, targets, own)),
        Value::Object(map) => {
            // An inner template has references of its own, to its own resources.
            for (key, inner) in map.iter().filter(|(key, _)| *key != "template" && *key != "resources") {
                implicit(environment, &Value::String(key.clone()), targets, own);
                implicit(environment, inner, targets, own);
            }
        }
        _ => {}
    }
}

fn implicit_term(
    environment: &Environment<'_>,
    term: &Expression,
    targets: &Targets,
    own: &mut BTreeSet<usize>,
) {
    match term {
        Expression::Text(_) | Expression::Number(_) => {}
        Expression::Property { of, .. } => implicit_term(environment, of, targets, own),
        Expression::Index { of, index } => {
            implicit_term(environment, of, targets, own);
            implicit_term(environment, index, targets, own);
        }
        Expression::Call { name, arguments } => {
            arguments.iter().for_each(|argument| implicit_term(environment, argument, targets, own));
            let name = name.to_lowercase();
            let asks = matches!(name.as_str(), "reference" | "references" | "resourceinfo")
                || name.starts_with("list");
            if let Some(first) = arguments.first().filter(|_| asks)
                && let Ok(Value::String(target)) = environment.term(first)
            {
                own.extend(targets.find(&target));
            }
        }
    }
}

/// An instance on a circle, if there is one.
fn circle(instances: &[Instance]) -> Option<usize> {
    let mut waiting: Vec<usize> = (0..instances.len()).collect();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    loop {
        let (ready, rest): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|index| {
            instances.get(**index).is_none_or(|i| i.depends_on.iter().all(|d| done.contains(d)))
        });
        if ready.is_empty() {
            return rest.first().copied();
        }
        done.extend(ready);
        waiting = rest;
    }
}
