//! Template files deployed into an instance.

use crate::instance::Instance;
use crate::output::Failure;
use handfast_core::{Diagnostic, Place, Secret};
use handfast_model::{Command, ResourceId};
use handfast_template::{Host, Outcome, Parameters, Put, Scope, Template, VaultReference, deploy};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The subscription that `up` deploys into.
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// Files larger than this are no templates, parameters or policies.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What to deploy.
pub(crate) struct Source {
    pub(crate) template: PathBuf,
    /// A parameter file that was named; without one, a file beside the template is used if it is there.
    pub(crate) parameters: Option<PathBuf>,
    pub(crate) words: Vec<String>,
    pub(crate) group: String,
}

impl Source {
    /// A template file, or a folder with `main.json` and perhaps `main.parameters.json`.
    pub(crate) fn find(
        path: &Path,
        parameters: Option<PathBuf>,
        words: Vec<String>,
        group: String,
    ) -> Result<Self, Failure> {
        let template = if path.is_dir() { path.join("main.json") } else { path.to_owned() };
        if !template.is_file() {
            let found = template.display();
            return Err(Failure::Message(format!(
                "\"{found}\" does not exist; an ARM JSON template, or a folder with main.json, would be accepted"
            )));
        }
        if template.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("json")) {
            let found = template.display();
            return Err(Failure::Message(format!(
                "\"{found}\" is no ARM JSON template; a file that ends in .json would be accepted"
            )));
        }
        Ok(Self { template, parameters, words, group })
    }
}

/// What a deployment did.
pub(crate) struct Deployed {
    pub(crate) outcome: Outcome,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Files that went into it.
    pub(crate) files: ReadFiles,
}

/// Files and what was in them when they were read; nothing if they could not be.
pub(crate) type ReadFiles = Vec<(PathBuf, Option<Vec<u8>>)>;

/// A deployment that failed, with the files that it read: they are watched all the same.
pub(crate) struct DeployFailure {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) files: ReadFiles,
}

/// Deploys a source. `previous` are the resources of the deployment before: those that the template has no
/// longer are removed.
pub(crate) fn run(
    source: &Source,
    instance: &mut Instance,
    previous: &[ResourceId],
) -> Result<Deployed, DeployFailure> {
    let base = source.template.parent().unwrap_or(Path::new("")).to_owned();
    let mut target = Target { instance, base, files: Vec::new(), diagnostics: Vec::new() };
    let outcome = target.deploy(source);
    let Target { instance, files, mut diagnostics, .. } = target;
    let mut outcome = match outcome {
        Ok(outcome) => outcome,
        Err(found) => {
            diagnostics.extend(found);
            return Err(DeployFailure { diagnostics, files });
        }
    };
    let kept: BTreeSet<&ResourceId> = outcome.resources.iter().collect();
    let gone: Vec<ResourceId> = previous.iter().filter(|id| !kept.contains(id)).cloned().collect();
    let deletes: Vec<Command> = gone.iter().cloned().map(|id| Command::Delete { id }).collect();
    if !deletes.is_empty() {
        match instance.change(Command::Batch(deletes)) {
            Ok(found) => diagnostics.extend(found),
            Err(found) => {
                diagnostics.extend(found);
                // They are still there: the next deployment tries again.
                outcome.resources.extend(gone);
            }
        }
    }
    Ok(Deployed { outcome, diagnostics, files })
}

/// An instance as the host of a deployment.
struct Target<'i> {
    instance: &'i mut Instance,
    base: PathBuf,
    files: ReadFiles,
    diagnostics: Vec<Diagnostic>,
}

impl Target<'_> {
    fn deploy(&mut self, source: &Source) -> Result<Outcome, Vec<Diagnostic>> {
        let template =
            Template::parse(&self.read(&source.template)?, &source.template.display().to_string())?;
        let beside = source.template.with_extension("parameters.json");
        let mut parameters = match source.parameters.as_ref().or_else(|| beside.is_file().then_some(&beside))
        {
            Some(file) => Parameters::parse(&self.read(file)?, &file.display().to_string())?,
            None => {
                // It may appear later.
                self.files.push((beside, None));
                Parameters::new()
            }
        };
        for word in &source.words {
            parameters.add_word(&template, word)?;
        }
        let mut entropy = [0; 16];
        // As for keys: without a random source nothing here is safe to continue.
        aws_lc_rs::rand::fill(&mut entropy).expect("the system has a random source");
        let now = self.instance.clock().now();
        let scope = Scope { now, entropy, ..Scope::group(SUBSCRIPTION, &source.group) };
        deploy(&template, parameters, scope, self)
    }

    fn command(&mut self, put: &Put) -> Result<Command, Vec<Diagnostic>> {
        let mut body = put.body.clone();
        self.read_linked_policy(put, &mut body)?;
        Ok(Command::Put { id: put.id.clone(), api_version: put.api_version.clone(), body })
    }

    /// A policy whose `format` is a link to a file beside the template is read here, as a client would do it.
    fn read_linked_policy(&mut self, put: &Put, body: &mut Value) -> Result<(), Vec<Diagnostic>> {
        let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        let format = match properties.get("format").and_then(Value::as_str) {
            Some("xml-link") => "xml",
            Some("rawxml-link") => "rawxml",
            _ => return Ok(()),
        };
        let Some(link) = properties.get("value").and_then(Value::as_str) else { return Ok(()) };
        if link.contains("://") {
            let message = format!(
                "policy link \"{link}\" is not supported; a path beside the template would be accepted"
            );
            return Err(vec![Diagnostic::error("PolicyLinkNotSupported", message).on(put.id.as_str())]);
        }
        let path = Path::new(link);
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            let message = format!("policy link \"{link}\" leaves the template's folder");
            return Err(vec![Diagnostic::error("PolicyLinkOutsideFolder", message).on(put.id.as_str())]);
        }
        let text = self
            .read(&self.base.join(path))
            .map_err(|found| found.into_iter().map(|d| d.on(put.id.as_str())).collect::<Vec<_>>())?;
        properties.insert("format".to_owned(), format.into());
        properties.insert("value".to_owned(), text.into());
        Ok(())
    }

    /// Reads a file and remembers what was in it.
    fn read(&mut self, file: &Path) -> Result<String, Vec<Diagnostic>> {
        let text = read(file);
        self.files.push((file.to_owned(), text.as_ref().ok().map(|text| text.clone().into_bytes())));
        text
    }

    fn effective(&self, id: &ResourceId) -> Option<Value> {
        self.instance.graph().get(id).map(|resource| resource.effective())
    }
}

impl Host for Target<'_> {
    fn put(&mut self, resources: Vec<Put>) -> Vec<Result<Value, Vec<Diagnostic>>> {
        let commands: Vec<Result<Command, Vec<Diagnostic>>> =
            resources.iter().map(|put| self.command(put)).collect();
        // One level of the template is one change: compiled, stored and published together. When something
        // in it is wrong, one by one, so that what is right is served.
        let whole: Option<Vec<Command>> =
            commands.iter().map(|command| command.as_ref().ok().cloned()).collect();
        if let Some(whole) = whole.filter(|whole| whole.len() > 1)
            && let Ok(found) = self.instance.change(Command::Batch(whole))
        {
            self.diagnostics.extend(found);
            return resources.iter().map(|put| Ok(self.effective(&put.id).unwrap_or_default())).collect();
        }
        let each = resources.iter().zip(commands).map(|(put, command)| {
            let found = self.instance.change(command?).map_err(|found| placed(found, put))?;
            self.diagnostics.extend(found);
            Ok(self.effective(&put.id).unwrap_or_default())
        });
        each.collect()
    }

    fn get(&mut self, id: &ResourceId, _api_version: &str) -> Option<Value> {
        self.effective(id)
    }

    fn secret(&mut self, reference: &VaultReference) -> Result<Secret<String>, Vec<Diagnostic>> {
        let message = format!("vault secret \"{}\" cannot be read: there is no vault yet", reference.secret);
        Err(vec![Diagnostic::error("KeyVaultParameterReferenceNotFound", message)])
    }

    fn action(
        &mut self,
        id: &ResourceId,
        name: &str,
        _api_version: &str,
        _body: &Value,
    ) -> Result<Value, Vec<Diagnostic>> {
        let refused =
            |message: String| vec![Diagnostic::error("ActionNotSupported", message).on(id.as_str())];
        let Some(resource) = self.instance.graph().get(id).cloned() else {
            return Err(refused(format!("\"{}\" does not exist", id.as_str())));
        };
        if !name.eq_ignore_ascii_case("listSecrets")
            || !id.is_kind("Microsoft.ApiManagement/service/subscriptions")
        {
            return Err(refused(format!("action \"{name}\" of \"{}\" is not supported", id.resource_type())));
        }
        let key = |pointer: &str| {
            let secret = self.instance.material().secret_at(&resource, pointer)?;
            String::from_utf8(secret.expose().clone()).ok()
        };
        Ok(
            json!({ "primaryKey": key("/properties/primaryKey"), "secondaryKey": key("/properties/secondaryKey") }),
        )
    }
}

/// Adds where in the template the resource of a diagnostic stands.
fn placed(found: Vec<Diagnostic>, put: &Put) -> Vec<Diagnostic> {
    let add = |diagnostic: Diagnostic| {
        let mut diagnostic = diagnostic;
        diagnostic.resource.get_or_insert_with(|| put.id.as_str().to_owned());
        if diagnostic.place.is_none() {
            diagnostic.place = Some(Place::json(put.path.clone()));
        }
        diagnostic
    };
    found.into_iter().map(add).collect()
}

fn read(file: &Path) -> Result<String, Vec<Diagnostic>> {
    let shown = file.display();
    let unreadable =
        |reason: String| vec![Diagnostic::error("FileNotReadable", format!("\"{shown}\": {reason}"))];
    let size = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(unreadable(format!("{size} bytes; {FILE_BYTES_MAX} are accepted")));
    }
    std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))
}
