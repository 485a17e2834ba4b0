//! Flags. Their names are a contract (DESIGN §8).

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// API management with mutual TLS on every hop.
#[derive(Parser)]
#[command(name = "handfast", version, about, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Deploy a template and serve it, until Ctrl-C
    Up(UpOptions),
    /// Check policy documents and run case files, without a server
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Inspect, verify and issue certificates
    #[command(subcommand)]
    Cert(CertCommand),
}

#[derive(Args)]
pub(crate) struct UpOptions {
    /// ARM JSON template, or a folder with main.json (and main.parameters.json)
    #[arg(value_name = "PATH", required = true)]
    pub(crate) path: PathBuf,
    /// Parameter file
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// One parameter; wins over the file
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Resource group of the deployment
    #[arg(long, default_value = "handfast")]
    pub(crate) group: String,
    /// Keep state in this folder; without it, state is gone at the end
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Write the ready line, as JSON, to this file once everything answers
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Print the ready line as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not watch the template, parameters and policy files for changes
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// How hops between parts of this process are made
    #[arg(long, value_enum, default_value_t = HopMode::Fused)]
    pub(crate) hop: HopMode,
    /// Front-door address for gateways that are not internal
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub(crate) front_door: SocketAddr,
    /// Give an address of a template a real one, for instance 10.0.1.4:443=127.0.0.1:9443
    #[arg(long = "address", value_name = "FROM=TO")]
    pub(crate) addresses: Vec<String>,
    /// Data-plane threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) cores: Option<usize>,
    /// Memory of the process, MiB: near it new connections and requests are refused [default: 90 % of what there is]
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_max: Option<u64>,
    /// Where request logs go: "-" is standard output [default: no log]
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Seconds that requests in flight get at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) grace: u64,
}

/// How hops between parts of one process are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HopMode {
    /// A call, with the checks of a wire
    Fused,
    /// TLS over an in-memory pipe
    Wire,
}

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say what is wrong with policy documents: exit code 1 if one would be refused
    Check {
        /// Policy files, or folders with *.xml
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Where the documents are to stand
        #[arg(long, value_enum, default_value_t = PolicyScope::Api)]
        scope: PolicyScope,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Print SARIF 2.1.0, for code scanning services
        #[arg(long, conflicts_with = "json")]
        sarif: bool,
    },
    /// Run one request through a document, or the requests of a case file, and show every step
    Trace(TraceOptions),
    /// Print a token that makes a running server trace requests to an API: send it as Apim-Debug-Authorization
    DebugToken(DebugTokenOptions),
    /// Run case files: policies, requests, and what must come of them (see cases/README.md)
    Test {
        /// Case files, or folders with *.case
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Write what came into the expectations of cases that failed
        #[arg(long)]
        update: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Write a JUnit XML report to this file
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct TraceOptions {
    /// A policy document, or a *.case file
    pub(crate) file: PathBuf,
    /// Path and query of the request, below the API's path
    #[arg(default_value = "/")]
    pub(crate) target: String,
    /// Method of the request
    #[arg(short = 'X', long, default_value = "GET")]
    pub(crate) method: String,
    /// A header line of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// The body of the request
    #[arg(short, long)]
    pub(crate) data: Option<String>,
    /// What the backend answers: status, header lines, an empty line, the body [default: an empty 200]
    #[arg(long, value_name = "FILE")]
    pub(crate) backend: Option<PathBuf>,
    /// Where the document stands
    #[arg(long, value_enum, default_value_t = PolicyScope::Api)]
    pub(crate) scope: PolicyScope,
    /// Print the JSON document that the gateway gives for traced requests
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct DebugTokenOptions {
    /// State folder of the server
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// The API, by name or resource id
    pub(crate) api: String,
    /// Its service, when the server has several
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// How long the token holds
    #[arg(long, value_name = "DURATION", default_value = "PT1H")]
    pub(crate) expire_after: String,
}

/// Where a policy document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyScope {
    /// All APIs
    Global,
    /// A workspace
    Workspace,
    /// A product
    Product,
    /// An API
    Api,
    /// An operation
    Operation,
}

impl PolicyScope {
    pub(crate) fn scope(self) -> handfast_policy::Scope {
        match self {
            Self::Global => handfast_policy::Scope::Global,
            Self::Workspace => handfast_policy::Scope::Workspace,
            Self::Product => handfast_policy::Scope::Product,
            Self::Api => handfast_policy::Scope::Api,
            Self::Operation => handfast_policy::Scope::Operation,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum CertCommand {
    /// Print what a PFX, PEM or DER file holds
    Inspect {
        /// The file
        file: PathBuf,
        /// Password of a PFX or encrypted key
        #[arg(long, default_value = "")]
        password: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Judge a chain: exit code 0 if it is trusted now
    Verify {
        /// The certificate (leaf first; further certificates of the file help to build the path)
        file: PathBuf,
        /// Trust anchors; without it, the system's
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        /// Check a server certificate for this host name or address; without it, a client certificate is judged
        #[arg(long, value_name = "HOST")]
        host: Option<String>,
        /// Password of a PFX
        #[arg(long, default_value = "")]
        password: String,
    },
    /// Print the certificate of this instance's CA
    Ca {
        /// State folder of the instance
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// Issue a certificate from this instance's CA
    Issue {
        /// State folder of the instance
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// Host name for a server, common name for a client
        name: String,
        /// What it is for
        #[arg(long, value_enum, default_value_t = CertUsage::Server)]
        usage: CertUsage,
        /// Days of validity
        #[arg(long, default_value_t = 90)]
        days: u64,
        /// Write a PFX with this password instead of PEM
        #[arg(long, value_name = "PASSWORD")]
        pfx: Option<String>,
        /// Output file; must not exist
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CertUsage {
    /// serverAuth
    Server,
    /// clientAuth
    Client,
    /// Both
    Workload,
}
