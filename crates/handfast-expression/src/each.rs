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
