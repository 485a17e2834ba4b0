//! `handfast up`: deploy, serve, follow changes of the files, drain at the end.

use crate::addresses::AddressMap;
use crate::cli::{HopMode, UpOptions};
use crate::deploy::{self, Source};
use crate::instance::{Endpoint, Instance, InstanceOptions, dialable};
use crate::memory;
use crate::output::{self, Failure};
use crate::watch::{self, Watch};
use handfast_model::ResourceId;
use handfast_net::Hop;
use handfast_pki::pem;
use handfast_telemetry::{LogSink, Metrics};
use handfast_template::Outcome;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs until a signal ends it.
pub(crate) fn run(options: UpOptions, started: Instant) -> Result<(), Failure> {
    let source = Source::find(
        &options.path,
        options.parameters.clone(),
        options.param.clone(),
        options.group.clone(),
    )?;
    let temporary = match options.state {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("handfast-").tempdir().map_err(Failure::new)?),
    };
    let state = match (&options.state, &temporary) {
        (Some(state), _) => state.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => return Err(Failure::new("no state folder")),
    };
    let metrics = Arc::new(Metrics::default());
    let log = open_log(&options, &metrics)?;
    let mut instance = open(&options, &state, log.clone(), metrics)?;
    let ca_file = write_ca(&instance, &state)?;
    let deployed = match deploy::run(&source, &mut instance, &[]) {
        Ok(deployed) => deployed,
        Err(failure) if options.no_watch => return Err(failure.diagnostics.into()),
        Err(failure) => {
            // What could be deployed serves; the files are watched, so mending them is enough.
            output::diagnostics(&failure.diagnostics);
            output::note("not everything could be deployed; waiting for the files to change");
            deploy::Deployed { outcome: Outcome::default(), diagnostics: Vec::new(), files: failure.files }
        }
    };
    output::diagnostics(&deployed.diagnostics);
    output::diagnostics(&instance.unopened());
    let ready =
        Ready { instance: &instance, outcome: &deployed.outcome, ca_file: &ca_file, took: started.elapsed() };
    // The file comes first: whoever reads the ready line finds it.
    if let Some(file) = &options.ready_file {
        write_atomically(file, &ready.json().to_string())?;
    }
    output::print(&if options.json { ready.json().to_string() } else { ready.text() });
    let mut follower = Follower { source, watch: Watch::default(), resources: deployed.outcome.resources };
    follower.watch.set(deployed.files);
    serve(&mut instance, follower, !options.no_watch)?;
    output::note("draining; another Ctrl-C ends at once");
    end_on_signal(temporary.as_ref().map(|folder| folder.path().to_owned()))?;
    if !instance.drain(Duration::from_secs(options.grace)) {
        output::note("some connections did not end in time and were closed");
    }
    // The cores hand over their last lines when they end.
    drop(instance);
    if let Some(log) = &log {
        log.flush();
    }
    Ok(())
}

fn open_log(options: &UpOptions, metrics: &Arc<Metrics>) -> Result<Option<LogSink>, Failure> {
    let Some(file) = &options.log else { return Ok(None) };
    let failed =
        |error: std::io::Error| Failure::Message(format!("log file \"{}\": {error}", file.display()));
    let writer: Box<dyn std::io::Write + Send> = if file.as_os_str() == "-" {
        Box::new(std::io::stdout())
    } else {
        Box::new(OpenOptions::new().create(true).append(true).open(file).map_err(failed)?)
    };
    Ok(Some(LogSink::start(writer, metrics.clone()).map_err(Failure::new)?.0))
}

fn open(
    options: &UpOptions,
    state: &Path,
    log: Option<LogSink>,
    metrics: Arc<Metrics>,
) -> Result<Instance, Failure> {
    let cores = options.cores.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    Instance::open(
        state,
        InstanceOptions {
            hop: match options.hop {
                HopMode::Fused => Hop::Fused,
                HopMode::Wire => Hop::Wire,
            },
            cores,
            front_door: options.front_door,
            addresses: AddressMap::parse(&options.addresses).map_err(Failure::Usage)?,
            log,
            metrics,
            memory_bytes_max: options
                .memory_max
                .map_or_else(memory::default_limit, |mib| mib.saturating_mul(1 << 20)),
        },
    )
}

/// Follows signals and file changes on this thread; requests are served by the others.
fn serve(instance: &mut Instance, mut follower: Follower, follow: bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::new)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::new)?;
        let mut tick = tokio::time::interval(watch::INTERVAL);
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = tick.tick() => {
                    instance.report_memory(memory::used());
                    if follow {
                        follower.look(instance);
                    }
                }
            }
        }
    })
}

/// From now on a signal ends the process at once, for those who do not want to wait for the drain.
/// State that was not to be kept is removed: it has keys in it.
fn end_on_signal(temporary: Option<PathBuf>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let signals = {
        let _inside = runtime.enter();
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind: SignalKind| signal(kind).map_err(Failure::new);
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?)
    };
    let wait = move || {
        let (mut terminate, mut interrupt) = signals;
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        output::note("ended before all requests were answered");
        if let Some(folder) = &temporary {
            let _ = std::fs::remove_dir_all(folder);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the main thread waits for the drain that is given up"
        )]
        std::process::exit(1);
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(Failure::new)?;
    Ok(())
}

/// Deploys again when a file has changed.
struct Follower {
    source: Source,
    watch: Watch,
    resources: Vec<ResourceId>,
}

impl Follower {
    fn look(&mut self, instance: &mut Instance) {
        if !self.watch.changed() {
            return;
        }
        let started = Instant::now();
        match deploy::run(&self.source, instance, &self.resources) {
            Ok(deployed) => {
                output::diagnostics(&deployed.diagnostics);
                output::diagnostics(&instance.unopened());
                output::note(&format!("changed files are live after {} ms", started.elapsed().as_millis()));
                self.resources = deployed.outcome.resources;
                self.watch.set(deployed.files);
            }
            Err(failure) => {
                output::diagnostics(&failure.diagnostics);
                output::note("the change was refused; what was served before still is");
                self.watch.set(failure.files);
            }
        }
    }
}

/// What there is to say when everything answers.
struct Ready<'a> {
    instance: &'a Instance,
    outcome: &'a Outcome,
    ca_file: &'a Path,
    took: Duration,
}

impl Ready<'_> {
    fn json(&self) -> Value {
        let endpoint = |endpoint: &Endpoint| {
            json!({
                "name": output::short(&endpoint.name),
                "address": endpoint.declared.to_string(),
                "bound": endpoint.bound.map(|bound| dialable(bound).to_string()),
                "error": endpoint.error,
            })
        };
        let all = self.instance.endpoints();
        let ready = all.iter().all(|endpoint| endpoint.error.is_none());
        let endpoints: Vec<Value> = all.iter().map(endpoint).collect();
        let value = |(name, output): (&String, &Value)| (name.clone(), output["value"].clone());
        let outputs: serde_json::Map<String, Value> = self.outcome.outputs.iter().map(value).collect();
        json!({
            "ready": ready,
            "milliseconds": self.took.as_millis() as u64,
            "endpoints": endpoints,
            "caFile": self.ca_file.display().to_string(),
            "outputs": outputs,
        })
    }

    fn text(&self) -> String {
        let endpoints = self.instance.endpoints();
        let address = |endpoint: &Endpoint| match (endpoint.bound, &endpoint.error) {
            (Some(bound), _) => dialable(bound).to_string(),
            (None, Some(_)) => "not open".to_owned(),
            (None, None) => "inside only".to_owned(),
        };
        let mut rows: Vec<(String, String)> = Vec::new();
        for endpoint in &endpoints {
            let name = output::short(&endpoint.name);
            let note = match endpoint.bound {
                Some(bound) if bound == endpoint.declared => String::new(),
                _ if name.contains(&endpoint.declared.to_string()) => String::new(),
                _ => format!("  ({})", endpoint.declared),
            };
            rows.push((address(endpoint), format!("{name}{note}")));
        }
        for (name, output) in &self.outcome.outputs {
            let value = match &output["value"] {
                Value::String(value) => value.clone(),
                other => other.to_string(),
            };
            rows.push((name.clone(), value));
        }
        rows.push(("instance CA".to_owned(), self.ca_file.display().to_string()));
        let mut text = String::new();
        let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or_default();
        for (left, right) in &rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {left:<width$}  {right}");
        }
        let closed = endpoints.iter().filter(|endpoint| endpoint.error.is_some()).count();
        let took = self.took.as_millis();
        let _ = match closed {
            0 => write!(text, "{} in {took} ms", output::paint_good("ready")),
            1 => write!(text, "started in {took} ms, 1 listener is not open"),
            _ => write!(text, "started in {took} ms, {closed} listeners are not open"),
        };
        text
    }
}

fn write_ca(instance: &Instance, state: &Path) -> Result<PathBuf, Failure> {
    let file = state.join("ca.pem");
    write_atomically(&file, &pem::certificate_pem(instance.ca().root()))?;
    Ok(file)
}

/// Written beside and renamed, so that a reader never sees half of it.
fn write_atomically(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", file.display()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut temporary, text.as_bytes()).map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}
