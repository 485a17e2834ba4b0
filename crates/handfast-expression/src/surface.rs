//! The .NET surface: the only way from an expression to native code.
//!
//! A type is a [`TypeDef`]; each of its members is one [`Row`]: the signature as C# writes it, and the
//! function that evaluates it. Whatever is not in a table does not exist. Rows that begin with `lenient` are
//! refused in the strict profile, which accepts what Azure accepts. Tables lie beside the functions, in
//! [`crate::library`].

mod signature;

use crate::call::Call;
use crate::fault::Fault;
use crate::types::{Prim, Type};
use crate::value::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Evaluates a member. The receiver, if there is one, is argument 0.
pub(crate) type Eval = fn(&mut Call<'_>) -> Result<Value, Fault>;

/// One member, or several overloads with one evaluator.
pub(crate) struct Row(pub(crate) &'static str, pub(crate) Eval);

/// A type of the surface.
pub(crate) struct TypeDef {
    pub(crate) name: &'static str,
    pub(crate) namespace: &'static str,
    /// Names of its type parameters.
    pub(crate) generics: &'static [&'static str],
    /// Only in the lenient profile.
    pub(crate) lenient: bool,
    /// Base class and interfaces, as C# writes them.
    pub(crate) bases: &'static [&'static str],
    pub(crate) rows: &'static [Row],
}

/// The parts of a [`TypeDef`] that few types need.
pub(crate) const PLAIN: TypeDef =
    TypeDef { name: "", namespace: "System", generics: &[], lenient: false, bases: &[], rows: &[] };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberKind {
    Method,
    Property,
    Indexer,
    New,
    SetProperty,
    SetIndexer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    In,
    Out,
    Params,
}

#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) of: Type,
    pub(crate) mode: Mode,
    pub(crate) default: Option<Value>,
}

/// A member, its signature parsed.
pub(crate) struct Member {
    pub(crate) owner: &'static str,
    pub(crate) name: String,
    pub(crate) kind: MemberKind,
    pub(crate) is_static: bool,
    pub(crate) extension: bool,
    pub(crate) lenient: bool,
    /// Evaluated when its result is enumerated, each time anew.
    pub(crate) lazy: bool,
    /// Type parameters of the owner, then of the member.
    pub(crate) owner_generics: usize,
    pub(crate) own_generics: usize,
    pub(crate) result: Type,
    pub(crate) params: Vec<Param>,
    pub(crate) eval: Eval,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.owner, self.name)
    }
}

/// A type with parsed members.
pub(crate) struct Entry {
    pub(crate) def: &'static TypeDef,
    pub(crate) bases: Vec<Type>,
    pub(crate) members: Vec<Member>,
}

struct Registry {
    types: HashMap<&'static str, Entry>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut types = HashMap::new();
    for def in crate::library::types() {
        types.insert(def.name, signature::entry(def));
    }
    Registry { types }
});

/// The table entry of a type name.
pub(crate) fn entry(name: &str) -> Option<&'static Entry> {
    REGISTRY.types.get(name)
}

/// A type of the surface by its short name and type arguments; `None` when there is none of that arity.
pub(crate) fn of_name(short: &str, arguments: Vec<Type>) -> Option<Type> {
    let count = arguments.len();
    if short == "Array" && count == 0 {
        return Some(Type::Class("Array", vec![Type::Object]));
    }
    let of = signature::named(short, arguments);
    let fits = match &of {
        Type::Unknown => false,
        Type::Class(name, _) => entry(name).is_some_and(|entry| entry.def.generics.len() == count),
        Type::Func(..) => true,
        _ => count == 0 || short == "Nullable",
    };
    fits.then_some(of)
}

pub(crate) fn is_struct(name: &str) -> bool {
    STRUCTS.contains(&name)
}

/// Kept apart from the tables, which need it while they are being parsed.
const STRUCTS: &[&str] =
    &["DateTime", "DateTimeOffset", "TimeSpan", "Guid", "KeyValuePair", "HashAlgorithmName"];

/// Namespace and name.
pub(crate) fn full_name(name: &str) -> String {
    entry(name).map_or_else(|| format!("System.{name}"), |entry| format!("{}.{name}", entry.def.namespace))
}

/// The name under which the members of a type are listed.
pub(crate) fn table_of(of: &Type) -> Option<&'static Entry> {
    let name = match of {
        Type::Object => "Object",
        Type::String => "String",
        Type::Prim(prim) => prim.clr(),
        Type::Nullable(_) => "Nullable",
        Type::Array(_) => "Array",
        Type::Class(name, _) => name,
        Type::Enum(_) => "Enum",
        Type::Anonymous(_) => "Object",
        _ => return None,
    };
    entry(name)
}

/// Base class and interfaces of a type, type arguments filled in.
pub(crate) fn bases(of: &Type) -> Vec<Type> {
    let filled = |name: &str, arguments: &[Type]| -> Vec<Type> {
        let arguments: Vec<_> = arguments.iter().cloned().map(Some).collect();
        entry(name).map_or_else(Vec::new, |entry| {
            entry.bases.iter().map(|base| base.substitute(&arguments)).collect()
        })
    };
    match of {
        Type::Class(name, arguments) => filled(name, arguments),
        Type::String => filled("String", &[]),
        Type::Array(inner) => filled("Array", &[(**inner).clone()]),
        Type::Prim(Prim::Bool | Prim::Char | Prim::Int) => Vec::new(),
        _ => Vec::new(),
    }
}

/// The type seen as one of its base classes or interfaces, with that one's arguments.
pub(crate) fn as_base(of: &Type, name: &str) -> Option<Type> {
    if of.is(name) {
        return Some(of.clone());
    }
    bases(of).iter().find_map(|base| as_base(base, name))
}

/// All extension methods of a name.
pub(crate) fn extensions(name: &str) -> Vec<&'static Member> {
    static INDEX: LazyLock<HashMap<&'static str, Vec<&'static Member>>> = LazyLock::new(|| {
        let mut index: HashMap<_, Vec<_>> = HashMap::new();
        let mut names: Vec<_> = REGISTRY.types.keys().copied().collect();
        names.sort_unstable();
        for member in names.iter().filter_map(|name| entry(name)).flat_map(|entry| &entry.members) {
            if member.extension {
                index.entry(member.name.as_str()).or_default().push(member);
            }
        }
        index
    });
    INDEX.get(name).cloned().unwrap_or_default()
}

/// Members of a name that a type itself declares.
pub(crate) fn declared(entry: &'static Entry, name: &str) -> Vec<&'static Member> {
    entry.members.iter().filter(|member| member.name == name && !member.extension).collect()
}

/// Every member of the surface with its declaring type, for reference documentation and the parity ledger:
/// full type name, member name, whether the strict profile has it.
pub fn members() -> Vec<(String, String, bool)> {
    let mut out: Vec<_> = REGISTRY
        .types
        .values()
        .flat_map(|entry| entry.members.iter().map(move |member| (entry, member)))
        .map(|(entry, member)| {
            (full_name(entry.def.name), member.name.clone(), !member.lenient && !entry.def.lenient)
        })
        .collect();
    out.sort();
    out.dedup();
    out
}

/// Whether a dotted name is a namespace that the tables know.
pub(crate) fn is_namespace(name: &str) -> bool {
    let under = |namespace: &str| {
        namespace == name || namespace.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    };
    REGISTRY.types.values().any(|entry| under(entry.def.namespace))
        || crate::library::enums().any(|def| under(def.namespace))
        || REFUSED.iter().any(|(namespace, _)| under(namespace))
}

/// Types that exist in .NET, are tried, and stay out of reach.
const REFUSED: &[(&str, &str)] = &[
    ("System", "Activator AppDomain Console Environment GC Type Delegate Buffer"),
    (
        "System.IO",
        "File Directory Path FileInfo DirectoryInfo Stream FileStream MemoryStream StreamReader StreamWriter",
    ),
    ("System.Net", "Dns WebClient WebRequest HttpWebRequest"),
    ("System.Net.Http", "HttpClient HttpRequestMessage"),
    ("System.Diagnostics", "Process Stopwatch Debug Trace"),
    ("System.Reflection", "Assembly MethodInfo"),
    ("System.Runtime.InteropServices", "Marshal"),
    ("System.Threading", "Thread Monitor Timer Interlocked"),
    ("System.Threading.Tasks", "Task Parallel"),
];

/// The namespaces that `using` directives bring in.
const IMPORTED: &[&str] = &["System", "System.IO", "System.Threading", "System.Threading.Tasks"];

/// The full name of a refused type, written short or qualified.
pub(crate) fn refused(namespace: Option<&str>, name: &str) -> Option<String> {
    let row = REFUSED.iter().find(|(space, names)| {
        namespace.map_or_else(|| IMPORTED.contains(space), |wanted| wanted == *space)
            && names.split(' ').any(|known| known == name)
    })?;
    Some(format!("{}.{name}", row.0))
}
