//! `context` and what hangs from it; the gateway's own extension methods.

use crate::call::Call;
use crate::context::{Body, BodyState, Lookup, Part, Side};
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Type};
use crate::value::{Object, Value, lock};

/// A named field of a record; null when it has none.
pub(super) fn named(record: &Value, name: &str) -> Value {
    match record {
        Value::Object(object) => match &**object {
            Object::Record(_, fields) => {
                fields.iter().find(|field| field.0 == name).map_or(Value::Null, |field| field.1.clone())
            }
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

pub(crate) fn lookup_of(part: Part, name: &str) -> Option<Lookup> {
    Some(match (part, name) {
        (Part::Root, "Variables") => Lookup::Variables,
        (Part::Request, "Headers") => Lookup::RequestHeaders,
        (Part::Response, "Headers") => Lookup::ResponseHeaders,
        (Part::Request, "MatchedParameters") => Lookup::MatchedParameters,
        (Part::RequestUrl, "Query") => Lookup::Query,
        (Part::OriginalUrl, "Query") => Lookup::OriginalQuery,
        (Part::ServiceUrl, "Query") => Lookup::ServiceQuery,
        (Part::Deployment, "Certificates") => Lookup::Certificates,
        _ => return None,
    })
}

/// A property of a part of the context or of a record: the name says which.
pub(super) fn field(call: &mut Call<'_>) -> Result<Value, Fault> {
    let object = call.object(0)?;
    let name = call.member.name.as_str();
    let Object::Part(part) = *object else { return Ok(named(call.arg(0), name)) };
    if let Some(child) = part.child(name) {
        return Ok(if call.host.present(child) { Value::object(Object::Part(child)) } else { Value::Null });
    }
    if let Some(lookup) = lookup_of(part, name) {
        return Ok(Value::object(Object::Lookup(lookup)));
    }
    let side = match (part, name) {
        (Part::Request, "Body") => Side::Request,
        (Part::Response, "Body") => Side::Response,
        _ => return Ok(call.host.field(part, name)),
    };
    Ok(if call.host.has_body(side) { Value::object(Object::Body(Body::Live(side))) } else { Value::Null })
}

fn trace(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (source, data) = match call.count() {
        2 => (String::new(), call.arg(1).to_text()),
        _ => (call.arg(1).to_text(), call.arg(2).to_text()),
    };
    call.host.trace(&source, &data);
    Ok(Value::Null)
}

/// The entry of a dictionary of any kind.
pub(super) fn entry(call: &Call<'_>) -> Result<Option<Value>, Fault> {
    let object = call.object(0)?;
    let key = call.arg(1);
    match &*object {
        Object::Lookup(lookup) => Ok(call.host.lookup(*lookup, &call.text(1)?)),
        Object::Dictionary(_, map) if !key.is_null() => Ok(lock(map).get(key).cloned()),
        Object::Dictionary(..) => Err(crate::fault::argument_null("key")),
        _ => Ok(None),
    }
}

fn default_value(call: &Call<'_>) -> Value {
    if call.count() > 2 {
        call.arg(2).clone()
    } else {
        call.types.last().map_or(Value::Null, crate::arith::default_of)
    }
}

fn value_or_default(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(entry(call)?.unwrap_or_else(|| default_value(call)))
}

/// `GetValueOrDefault<T>` of the variables: the stored value must be a `T`.
fn variable_or_default(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.types.last().cloned().unwrap_or(Type::Object);
    match entry(call)? {
        None => Ok(default_value(call)),
        Some(Value::Null) => Ok(crate::arith::default_of(&of)),
        Some(value) if crate::arith::is_instance(&value, &of) => Ok(value),
        Some(value) => {
            let text = format!(
                "Unable to convert context variable `{}` of type `{}` to the type of `{}`.",
                call.text(1)?,
                value.type_of().clr(),
                of.clr()
            );
            Err(throw("UserVariableCastException", text))
        }
    }
}

/// The only item of an array of strings, which is what most headers are.
fn single(object: &Object) -> Option<Value> {
    match object {
        Object::Array(Type::String, items) => match &lock(items)[..] {
            [only @ Value::Str(_)] => Some(only.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn joined_or_default(call: &mut Call<'_>) -> Result<Value, Fault> {
    if let (Value::Object(object), Value::Str(name)) = (call.arg(0), call.arg(1))
        && let Object::Lookup(lookup) = &**object
        && let Some(line) = call.host.single(*lookup, name)
    {
        return Ok(line);
    }
    match entry(call)? {
        None | Some(Value::Null) => Ok(call.arg(2).clone()),
        Some(Value::Object(object)) if single(&object).is_some() => {
            Ok(single(&object).unwrap_or(Value::Null))
        }
        Some(values) => {
            let items = call.items_of(&values)?.unwrap_or_default();
            Ok(Value::str(items.iter().map(crate::text::display).collect::<Vec<_>>().join(",")))
        }
    }
}

fn body_as(call: &mut Call<'_>) -> Result<Value, Fault> {
    let preserve = call.truth(1);
    let object = call.object(0)?;
    let bytes = match &*object {
        Object::Body(Body::Stored(bytes)) => bytes.clone(),
        Object::Body(Body::Live(side)) => match call.host.body(*side, preserve) {
            BodyState::Bytes(bytes) => bytes,
            BodyState::Unread => return Err(Fault::Need(side.need())),
            BodyState::Failed(message) => return Err(throw("Exception", message)),
            BodyState::Consumed => {
                let text = "The message body has already been read. Use preserveContent: true to read it more than once.";
                return Err(throw("InvalidOperationException", text));
            }
        },
        _ => return Err(call.missing(0)),
    };
    call.allocate(bytes.len().saturating_mul(4))?;
    let form = call.member.name == "AsFormUrlEncodedContent";
    let of = call.types.last().cloned().unwrap_or(Type::Object);
    let text = || String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_owned();
    match &of {
        _ if form => Ok(super::gateway::form(&text())),
        Type::String => Ok(Value::str(text())),
        Type::Array(_) => Ok(Value::bytes(bytes.to_vec())),
        Type::Class(class @ ("JObject" | "JArray" | "JToken"), _) => match crate::json::parse(&text(), class)
        {
            Ok(token) => Ok(Value::Json(token)),
            Err(Fault::Throw(inner)) => {
                Err(throw("Exception", format!("The message body is not a valid JSON. {}", inner.message)))
            }
            Err(other) => Err(other),
        },
        Type::Class(class @ ("XDocument" | "XElement" | "XNode"), _) => {
            let class = if *class == "XDocument" { class } else { "XElement" };
            match super::xml::parse_text(call, &text(), class, false) {
                Err(Fault::Throw(inner)) => {
                    Err(throw("Exception", format!("The message body is not a valid XML. {}", inner.message)))
                }
                other => other,
            }
        }
        other => Err(throw(
            "NotSupportedException",
            format!("The message body cannot be read as '{}'.", other.clr()),
        )),
    }
}

fn url_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    match &*call.object(0)? {
        Object::Part(part) => Ok(call.host.field(*part, "Text")),
        _ => Ok(named(call.arg(0), "Text")),
    }
}

fn to_uri(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = url_text(call)?.to_text();
    crate::uri::Uri::parse(&text)
        .map(super::uri::value)
        .map_err(|problem| throw("UriFormatException", problem.text()))
}

pub(super) static PRODUCT_STATE: EnumDef = EnumDef {
    name: "ProductState",
    namespace: "System",
    flags: false,
    members: &[("NotPublished", 0), ("Published", 1)],
};

pub(super) static BACKEND_TYPE: EnumDef = EnumDef {
    name: "BackendType",
    namespace: "System",
    flags: false,
    members: &[("Single", 0), ("Pool", 1)],
};

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "IProxyRequestContext",
        rows: &[
            Row(
                "IApi Api; IBackend Backend; IDeployment Deployment; TimeSpan Elapsed; ProxyError LastError; IOperation Operation; IProduct Product; IRequest Request; Guid RequestId; IResponse Response; ISubscription Subscription; DateTime Timestamp; bool Tracing; IUser User; IReadOnlyDictionary<string, object> Variables; IWorkspace Workspace",
                field,
            ),
            Row("void Trace(string message); void Trace(string source, object data)", trace),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "IApi",
        rows: &[Row(
            "string Id; string Name; string Path; string Revision; string Version; bool IsCurrentRevision; IUrl ServiceUrl; IEnumerable<string> Protocols; ISubscriptionKeyParameterNames SubscriptionKeyParameterNames",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IBackend",
        rows: &[Row("string Id; string AzureRegion; BackendType Type", field)],
        ..PLAIN
    },
    TypeDef {
        name: "IDeployment",
        rows: &[Row(
            "string ServiceName; string ServiceId; string Region; string GatewayId; IGateway Gateway; string Sku; int Units; IReadOnlyDictionary<string, X509Certificate2> Certificates; ISustainabilityInfo SustainabilityInfo",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IGateway",
        rows: &[Row("string Id; string InstanceId; bool IsManaged", field)],
        ..PLAIN
    },
    TypeDef {
        name: "ProxyError",
        rows: &[Row(
            "string Source; string Reason; string Message; string Scope; string Section; string Path; string PolicyId; int Elapsed; int TransportErrorCode; int HttpErrorCode",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IOperation",
        rows: &[Row("string Id; string Method; string Name; string UrlTemplate", field)],
        ..PLAIN
    },
    TypeDef {
        name: "IPrivateEndpointConnection",
        rows: &[Row("string Name; string GroupId; string MemberName", field)],
        ..PLAIN
    },
    TypeDef { name: "IFoundry", rows: &[Row("string Deployment", field)], ..PLAIN },
    TypeDef { name: "ISustainabilityInfo", rows: &[Row("object CurrentCarbonIntensity", field)], ..PLAIN },
    TypeDef {
        name: "ISubscriptionKeyParameterNames",
        rows: &[Row("string Header; string Query", field)],
        ..PLAIN
    },
    TypeDef { name: "IGroup", rows: &[Row("string Id; string Name", field)], ..PLAIN },
    TypeDef { name: "IUserIdentity", rows: &[Row("string Id; string Provider", field)], ..PLAIN },
    TypeDef { name: "IWorkspace", rows: &[Row("string Id; string Name", field)], ..PLAIN },
    TypeDef {
        name: "IProduct",
        rows: &[Row(
            "string Id; string Name; bool ApprovalRequired; bool SubscriptionRequired; int? SubscriptionsLimit; int? SubscriptionLimit; ProductState State; IEnumerable<IGroup> Groups; IEnumerable<IApi> Apis",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "ISubscription",
        rows: &[Row(
            "string Id; string Name; string Key; string PrimaryKey; string SecondaryKey; DateTime CreatedDate; DateTime? StartDate; DateTime? EndDate",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IUser",
        rows: &[Row(
            "string Id; string Email; string FirstName; string LastName; string Note; DateTime RegistrationDate; IEnumerable<IGroup> Groups; IEnumerable<IUserIdentity> Identities",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IRequest",
        rows: &[Row(
            "string Method; string IpAddress; IReadOnlyDictionary<string, string[]> Headers; IMessageBody Body; bool HasBody; IUrl Url; IUrl OriginalUrl; IReadOnlyDictionary<string, string> MatchedParameters; string OriginalMethod; X509Certificate2 Certificate; IEnumerable<X509Certificate2> ClientCertificates; IPrivateEndpointConnection PrivateEndpointConnection; IFoundry Foundry",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IResponse",
        rows: &[Row(
            "int StatusCode; string StatusReason; IReadOnlyDictionary<string, string[]> Headers; IMessageBody Body",
            field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "IUrl",
        rows: &[
            Row(
                "string Scheme; string Host; int Port; string Path; string QueryString; IReadOnlyDictionary<string, string[]> Query",
                field,
            ),
            Row("string ToString()", url_text),
            Row("Uri ToUri()", to_uri),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "IMessageBody",
        rows: &[Row(
            "T As<T>(bool preserveContent = false); IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent = false)",
            body_as,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "ContextExtensions",
        rows: &[
            Row(
                "static TValue GetValueOrDefault<TKey, TValue>(this IReadOnlyDictionary<TKey, TValue> dictionary, TKey key); static TValue GetValueOrDefault<TKey, TValue>(this IReadOnlyDictionary<TKey, TValue> dictionary, TKey key, TValue defaultValue)",
                value_or_default,
            ),
            Row(
                "static T GetValueOrDefault<T>(this IReadOnlyDictionary<string, object> dictionary, string key); static T GetValueOrDefault<T>(this IReadOnlyDictionary<string, object> dictionary, string key, T defaultValue)",
                variable_or_default,
            ),
            Row(
                "static string GetValueOrDefault(this IReadOnlyDictionary<string, string[]> dictionary, string name); static string GetValueOrDefault(this IReadOnlyDictionary<string, string[]> dictionary, string name, string defaultValue)",
                joined_or_default,
            ),
        ],
        ..PLAIN
    },
];
