//! Statements: scopes, reachability, definite assignment.

use super::convert::constant_truth;
use super::{Binder, Bound, fail};
use crate::surface;
use crate::syntax::{Catch, Expr, Node, Section, Stmt, StmtNode, TypeName, TypeShape};
use crate::tree::{Kind, Step, Test, Typed};
use crate::types::Type;

/// Steps, and whether their end can be reached.
type Flow = (Vec<Step>, bool);

impl Binder {
    pub(super) fn statements(&mut self, body: &[Stmt]) -> Bound<Flow> {
        // Local functions are known in the whole block.
        let mut steps = Vec::new();
        for stmt in body {
            if let StmtNode::Function { result, name, lambda } = &stmt.node {
                let result = self.type_of(result)?;
                let mut parameters = Vec::new();
                for (class, _) in &lambda.parameters {
                    parameters.push(match class {
                        Some(class) => self.type_of(class)?,
                        None => Type::Object,
                    });
                }
                let of = Type::Func(parameters, std::sync::Arc::new(result));
                self.declare(name, of, stmt.at)?;
            }
        }
        // They may be called before they stand: what makes them goes first.
        let mut first = Vec::new();
        let mut reachable = true;
        for stmt in body {
            if let StmtNode::Function { name, lambda, .. } = &stmt.node
                && let Some(variable) = self.find(name).cloned()
            {
                let slot = self.slot_of(&variable);
                let function = self.lambda(lambda, &variable.of, stmt.at)?;
                first.push(Step::Store(slot, function));
                continue;
            }
            let scopes = self.scopes.len();
            match self.statement(stmt) {
                Ok((inner, ends)) => {
                    steps.extend(inner);
                    reachable &= ends;
                }
                // Lambdas are bound to be tried: only outside of them is an error final.
                Err(problem) if self.functions.len() > 1 || self.problems.len() >= super::PROBLEMS_MAX => {
                    return Err(problem);
                }
                Err(problem) => {
                    self.scopes.truncate(scopes);
                    self.problems.push(problem);
                    self.declare_unknown(stmt);
                }
            }
        }
        first.append(&mut steps);
        Ok((first, reachable))
    }

    /// Variables of a declaration that failed, so that their uses are not errors of their own.
    fn declare_unknown(&mut self, stmt: &Stmt) {
        let StmtNode::Declare { names, .. } = &stmt.node else { return };
        for (name, at, _) in names {
            if self.find(name).is_none() {
                let _ = self.declare(name, Type::Unknown, *at);
            }
        }
    }

    fn block(&mut self, body: &[Stmt]) -> Bound<Flow> {
        self.scoped(|binder| binder.statements(body))
    }

    fn embedded(&mut self, stmt: &Stmt) -> Bound<Flow> {
        self.scoped(|binder| binder.statement(stmt))
    }

    fn statement(&mut self, stmt: &Stmt) -> Bound<Flow> {
        let at = stmt.at;
        match &stmt.node {
            StmtNode::Empty | StmtNode::Function { .. } => Ok((Vec::new(), true)),
            StmtNode::Block(body) => self.block(body),
            StmtNode::Checked(checked, body) => {
                let before = std::mem::replace(&mut self.checked, *checked);
                self.unchecked_depth += usize::from(!*checked);
                let result = self.block(body);
                self.unchecked_depth -= usize::from(!*checked);
                self.checked = before;
                result
            }
            StmtNode::Declare { class, constant, names } => {
                Ok((self.declaration(class, *constant, names)?, true))
            }
            StmtNode::Expr(expr) => {
                if !is_statement(expr) {
                    return fail(
                        "CS0201",
                        "Only assignment, call, increment, decrement, await, and new object expressions can be used as a statement",
                        expr.at,
                    );
                }
                Ok((vec![Step::Eval(self.expr(expr)?)], true))
            }
            StmtNode::If(condition, yes, no) => {
                let condition = self.condition(condition)?;
                let before = self.unassigned.clone();
                let (yes, yes_ends) = self.embedded(yes)?;
                let after_yes = std::mem::replace(&mut self.unassigned, before);
                let (no, no_ends) = match no {
                    Some(no) => self.embedded(no)?,
                    None => (Vec::new(), true),
                };
                match (yes_ends, no_ends) {
                    (true, true) => self.unassigned.extend(after_yes),
                    (true, false) => self.unassigned = after_yes,
                    _ => {}
                }
                Ok((vec![Step::If(condition, yes, no)], yes_ends || no_ends))
            }
            StmtNode::While(condition, body) => self.while_loop(condition, body),
            StmtNode::Do(body, condition) => {
                let (body, _, breaks) = self.loop_body(body)?;
                let condition = self.condition(condition)?;
                let forever = constant_truth(&condition) == Some(true);
                Ok((
                    vec![Step::Loop { condition: Some(condition), body, after: Vec::new(), first: false }],
                    !forever || breaks,
                ))
            }
            StmtNode::For(first, condition, after, body) => {
                self.scoped(|binder| binder.for_loop(first, condition.as_ref(), after, body))
            }
            StmtNode::ForEach(class, name, source, body) => {
                self.scoped(|binder| binder.foreach(class, name, source, body, at))
            }
            StmtNode::Switch(subject, sections) => self.scoped(|binder| binder.switch(subject, sections, at)),
            StmtNode::Break | StmtNode::Continue => {
                let wanted = matches!(stmt.node, StmtNode::Continue);
                let ok = if wanted { self.loops.contains(&true) } else { !self.loops.is_empty() };
                if !ok {
                    return fail("CS0139", "No enclosing loop out of which to break or continue", at);
                }
                Ok((vec![if wanted { Step::Continue } else { Step::Break }], false))
            }
            StmtNode::Return(value) => Ok((vec![self.return_step(value.as_ref(), at)?], false)),
            StmtNode::Throw(value) => {
                let value = value.as_ref().map(|value| self.expr(value)).transpose()?;
                Ok((vec![Step::Throw(value)], false))
            }
            StmtNode::Try(body, catches, last) => self.try_statement(body, catches, last.as_deref()),
            StmtNode::Using(resource, body) => self.scoped(|binder| {
                let (mut steps, _) = match &resource.node {
                    StmtNode::Expr(expr) => (vec![Step::Eval(binder.expr(expr)?)], true),
                    _ => binder.statement(resource)?,
                };
                let (body, ends) = binder.embedded(body)?;
                steps.extend(body);
                Ok((steps, ends))
            }),
        }
    }

    fn return_step(&mut self, value: Option<&Expr>, at: usize) -> Bound<Step> {
        let result = self.functions.last().and_then(|function| function.result.clone());
        let Some(expr) = value else {
            return match result {
                Some(Type::Void) | None => Ok(Step::Return(Typed {
                    of: Type::Void,
                    at,
                    kind: Kind::Const(crate::value::Value::Null),
                })),
                Some(of) => {
                    fail("CS0126", format!("An object of a type convertible to '{of}' is required"), at)
                }
            };
        };
        let value = match &result {
            Some(of) => self.argument(expr, of)?,
            None => self.expr(expr)?,
        };
        match result {
            Some(of) => Ok(Step::Return(self.returned(value, &of)?)),
            None => {
                if let Some(function) = self.functions.last_mut() {
                    function.returned.push(value.clone());
                }
                Ok(Step::Return(value))
            }
        }
    }

    fn declaration(
        &mut self,
        class: &TypeName,
        constant: bool,
        names: &[(String, usize, Option<Expr>)],
    ) -> Bound<Vec<Step>> {
        let inferred =
            matches!(&class.shape, TypeShape::Name(name, arguments) if name == "var" && arguments.is_empty());
        let declared = if inferred { None } else { Some(self.type_of(class)?) };
        let mut steps = Vec::new();
        for (name, at, value) in names {
            let value = match (value, &declared) {
                (None, None) => return fail("CS0818", "Implicitly-typed variables must be initialized", *at),
                (None, Some(of)) => {
                    let slot = self.declare(name, of.clone(), *at)?;
                    self.unassigned.insert((self.functions.len() - 1, slot.index));
                    continue;
                }
                (Some(expr), Some(of)) => {
                    let value = self.argument(expr, of)?;
                    self.convert(value, of)?
                }
                (Some(expr), None) => {
                    let value = self.expr(expr)?;
                    if matches!(value.of, Type::Null | Type::Void) {
                        return fail(
                            "CS0815",
                            format!("Cannot assign {} to an implicitly-typed variable", value.of),
                            *at,
                        );
                    }
                    value
                }
            };
            let slot = self.declare(name, value.of.clone(), *at)?;
            if constant {
                let Some(known) = Self::constant(&value) else {
                    return fail(
                        "CS0133",
                        format!("The expression being assigned to '{name}' must be constant"),
                        *at,
                    );
                };
                if let Some(variable) = self.scopes.last_mut().and_then(|scope| scope.last_mut()) {
                    variable.constant = Some(known);
                }
            }
            steps.push(Step::Store(slot, value));
        }
        Ok(steps)
    }

    /// Body of a loop: steps, whether its end is reached, whether it breaks.
    fn loop_body(&mut self, body: &Stmt) -> Bound<(Vec<Step>, bool, bool)> {
        self.loops.push(true);
        let before = self.unassigned.clone();
        let result = self.embedded(body);
        self.unassigned = before;
        self.loops.pop();
        let (steps, ends) = result?;
        let breaks = breaks(&steps);
        Ok((steps, ends, breaks))
    }

    fn while_loop(&mut self, condition: &Expr, body: &Stmt) -> Bound<Flow> {
        let condition = self.condition(condition)?;
        let forever = constant_truth(&condition) == Some(true);
        let (body, _, breaks) = self.loop_body(body)?;
        Ok((
            vec![Step::Loop { condition: Some(condition), body, after: Vec::new(), first: true }],
            !forever || breaks,
        ))
    }

    fn for_loop(
        &mut self,
        first: &[Stmt],
        condition: Option<&Expr>,
        after: &[Expr],
        body: &Stmt,
    ) -> Bound<Flow> {
        let mut steps = Vec::new();
        for stmt in first {
            steps.extend(self.statement(stmt)?.0);
        }
        let condition = condition.map(|condition| self.condition(condition)).transpose()?;
        let forever = condition.as_ref().is_none_or(|condition| constant_truth(condition) == Some(true));
        let (body, _, breaks) = self.loop_body(body)?;
        let after = after.iter().map(|expr| Ok(Step::Eval(self.expr(expr)?))).collect::<Bound<_>>()?;
        steps.push(Step::Loop { condition, body, after, first: true });
        Ok((steps, !forever || breaks))
    }

    fn foreach(
        &mut self,
        class: &TypeName,
        name: &str,
        source: &Expr,
        body: &Stmt,
        at: usize,
    ) -> Bound<Flow> {
        let source = self.expr(source)?;
        let element = match &source.of {
            of if of.is("JObject") => Type::Class("KeyValuePair", vec![Type::String, Type::class("JToken")]),
            Type::Array(inner) => (**inner).clone(),
            of => match surface::as_base(of, "IEnumerable") {
                Some(Type::Class(_, arguments)) if arguments.len() == 1 => arguments[0].clone(),
                Some(_) => Type::Object,
                None => {
                    let text = format!(
                        "foreach statement cannot operate on variables of type '{of}' because '{of}' does not contain a public instance or extension definition for 'GetEnumerator'"
                    );
                    return fail("CS1579", text, at);
                }
            },
        };
        let inferred = matches!(&class.shape, TypeShape::Name(name, _) if name == "var");
        let of = if inferred { element.clone() } else { self.type_of(class)? };
        let mut convert = None;
        if of != element {
            match super::convert::explicit(&element, &of) {
                Some(conversions) => convert = conversions.into_iter().next(),
                None => return fail("CS0030", format!("Cannot convert type '{element}' to '{of}'"), at),
            }
        }
        let state = self.temporary();
        let item = self.declare(name, of, at)?;
        if let Some(variable) = self.scopes.last_mut().and_then(|scope| scope.last_mut()) {
            variable.read_only = true;
        }
        let (body, ..) = self.loop_body(body)?;
        Ok((vec![Step::ForEach { source, state, item, convert, body }], true))
    }

    fn switch(&mut self, subject: &Expr, sections: &[Section], at: usize) -> Bound<Flow> {
        let subject = self.expr(subject)?;
        let slot = self.temporary();
        let of = subject.of.clone();
        let mut steps = vec![Step::Store(slot, subject)];
        let (mut bound, mut ends, mut has_default) = (Vec::new(), false, false);
        let before = self.unassigned.clone();
        let mut after = Vec::new();
        for section in sections {
            self.unassigned = before.clone();
            let (tests, body, section_ends) = self.scoped(|binder| {
                let mut tests = Vec::new();
                for (at, pattern, filter) in &section.labels {
                    let Some(pattern) = pattern else {
                        tests.push(None);
                        continue;
                    };
                    let value = Typed { of: of.clone(), at: *at, kind: Kind::Slot(slot) };
                    let mut test = binder.pattern(pattern, &of, *at)?;
                    if let Test::Equals(constant) = &mut test {
                        let converted = binder.convert((**constant).clone(), of.stripped());
                        if of != Type::Object {
                            **constant = converted?;
                        }
                    }
                    let mut test = Typed { of: Type::BOOL, at: *at, kind: Kind::Is(Box::new(value), test) };
                    if let Some(filter) = filter {
                        let filter = binder.condition(filter)?;
                        test = Typed {
                            of: Type::BOOL,
                            at: *at,
                            kind: Kind::Logic(true, Box::new(test), Box::new(filter)),
                        };
                    }
                    tests.push(Some(test));
                }
                binder.loops.push(false);
                let body = binder.statements(&section.body);
                binder.loops.pop();
                let (body, section_ends) = body?;
                Ok((tests, body, section_ends))
            })?;
            has_default |= tests.iter().any(Option::is_none);
            if section_ends {
                let text = "Control cannot fall through from one case label to another";
                return fail("CS0163", text, section.labels.first().map_or(at, |label| label.0));
            }
            if breaks(&body) {
                ends = true;
                after.extend(self.unassigned.iter().copied());
            }
            bound.push((tests, body));
        }
        self.unassigned = if has_default { after.into_iter().collect() } else { before };
        steps.push(Step::Switch { sections: bound });
        Ok((steps, ends || !has_default))
    }

    fn try_statement(&mut self, body: &[Stmt], catches: &[Catch], last: Option<&[Stmt]>) -> Bound<Flow> {
        let before = self.unassigned.clone();
        let (body, mut ends) = self.block(body)?;
        let mut after = std::mem::replace(&mut self.unassigned, before.clone());
        if !ends {
            after.clear();
        }
        let error = self.temporary();
        let mut bound = Vec::new();
        for catch in catches {
            self.unassigned = before.clone();
            let of = catch.class.as_ref().map(|class| self.type_of(class)).transpose()?;
            let (filter, steps, catch_ends) = self.scoped(|binder| {
                let mut steps = Vec::new();
                let mut name_slot = None;
                if let Some(name) = &catch.name {
                    let of = of.clone().unwrap_or(Type::class("Exception"));
                    let slot = binder.declare(name, of.clone(), 0)?;
                    name_slot = Some((slot, of));
                }
                let filter = catch.filter.as_ref().map(|filter| binder.condition(filter)).transpose()?;
                if let Some((slot, of)) = name_slot {
                    steps.push(Step::Store(slot, Typed { of, at: 0, kind: Kind::Slot(error) }));
                }
                let (body, ends) = binder.statements(&catch.body)?;
                // The filter runs before the variable is stored in the body, so both store it.
                let filter = filter.map(|filter| match steps.first() {
                    Some(Step::Store(slot, value)) => Typed {
                        of: Type::BOOL,
                        at: 0,
                        kind: Kind::Conditional(*slot, Box::new(value.clone()), Box::new(filter)),
                    },
                    _ => filter,
                });
                steps.extend(body);
                Ok((filter, steps, ends))
            })?;
            if catch_ends {
                after.extend(self.unassigned.iter().copied());
            }
            ends |= catch_ends;
            bound.push((of, filter, steps));
        }
        self.unassigned = after;
        let (last, last_ends) = match last {
            Some(last) => self.block(last)?,
            None => (Vec::new(), true),
        };
        Ok((vec![Step::Try { body, error, catches: bound, last }], ends && last_ends))
    }
}

/// Whether a `break` leaves these steps.
fn breaks(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Break => true,
        Step::If(_, yes, no) => breaks(yes) || breaks(no),
        Step::Try { body, catches, last, .. } => {
            breaks(body) || breaks(last) || catches.iter().any(|c| breaks(&c.2))
        }
        _ => false,
    })
}

fn is_statement(expr: &Expr) -> bool {
    match &expr.node {
        Node::Assign(..) | Node::Call(..) | Node::Step(..) | Node::New(..) => true,
        Node::Conditional(_, rest) => is_statement(rest),
        Node::Paren(inner) => is_statement(inner),
        _ => false,
    }
}
