//! Calls of a delegate for each of many items, as the query methods need them. They run as a frame of the
//! machine, so that a slice of fuel can end between two items.

use crate::fault::Fault;
use crate::value::Value;

/// Makes the value of the whole call from the results.
pub(crate) type Finish = Box<dyn FnOnce(Vec<Value>) -> Result<Value, Fault> + Send>;

/// An iteration in progress.
pub(crate) struct Each {
    pub(crate) function: Value,
    /// Arguments of each call.
    pub(crate) calls: std::vec::IntoIter<Vec<Value>>,
    pub(crate) results: Vec<Value>,
    /// Ends early when a call returns this truth.
    pub(crate) stop: Option<bool>,
    /// Whether the last result is the first argument of the next call.
    pub(crate) fold: bool,
    pub(crate) finish: Finish,
}

/// Calls `function` with each list of arguments.
pub(crate) fn calls(
    function: Value,
    calls: Vec<Vec<Value>>,
    finish: impl FnOnce(Vec<Value>) -> Result<Value, Fault> + Send + 'static,
) -> Fault {
    let calls = calls.into_iter();
    Fault::Each(Box::new(Each {
        function,
        calls,
        results: Vec::new(),
        stop: None,
        fold: false,
        finish: Box::new(finish),
    }))
}

/// Calls `function` with each item.
pub(crate) fn map(
    function: &Value,
    items: &[Value],
    finish: impl FnOnce(Vec<Value>) -> Result<Value, Fault> + Send + 'static,
) -> Fault {
    calls(function.clone(), items.iter().map(|item| vec![item.clone()]).collect(), finish)
}

/// As [`map`], until a call returns `stop`; the results end with that one.
pub(crate) fn until(
    stop: bool,
    function: &Value,
    items: &[Value],
    finish: impl FnOnce(Vec<Value>) -> Result<Value, Fault> + Send + 'static,
) -> Fault {
    let mut fault = map(function, items, finish);
    if let Fault::Each(each) = &mut fault {
        each.stop = Some(stop);
    }
    fault
}

/// Folds the items with `function`, starting from `seed`.
pub(crate) fn fold(
    function: &Value,
    seed: Value,
    items: Vec<Value>,
    finish: impl FnOnce(Value) -> Result<Value, Fault> + Send + 'static,
) -> Fault {
    let seed_of_none = seed.clone();
    let arguments = items.into_iter().map(|item| vec![item]).collect();
    let mut fault =
        calls(function.clone(), arguments, move |mut results| finish(results.pop().unwrap_or(seed_of_none)));
    if let Fault::Each(each) = &mut fault {
        each.fold = true;
        each.results.push(seed);
    }
    fault
}

/// Takes collections apart; a query among them is enumerated first.
pub(crate) fn flattened(
    collections: Vec<Value>,
    finish: impl FnOnce(Vec<Vec<Value>>) -> Result<Value, Fault> + Send + 'static,
) -> Result<Value, Fault> {
    let mut all = Vec::with_capacity(collections.len());
    for (at, value) in collections.iter().enumerate() {
        let items = match value {
            Value::Object(object) => crate::call::enumerate(object),
            Value::Json(token) => Some(token.enumerate()?),
            Value::Str(text) => Some(text.encode_utf16().map(Value::Char).collect()),
            _ => None,
        };
        match items {
            Some(items) => all.push(items),
            None => {
                let Value::Object(object) = value else { return Err(crate::fault::null_reference()) };
                if !matches!(**object, crate::value::Object::Deferred(_)) {
                    return Err(crate::fault::null_reference());
                }
                // The items of this query take its place, then the rest is looked at.
                let (query, mut rest) = (value.clone(), collections.clone());
                return Err(Fault::Items(
                    query,
                    Box::new(move |items| {
                        if let Some(place) = rest.get_mut(at) {
                            *place = Value::sequence(items);
                        }
                        flattened(rest, finish)
                    }),
                ));
            }
        }
    }
    finish(all)
}
