//! The syntax tree: what was written, with the byte offset of each part.

use crate::value::Value;

/// A type as written.
#[derive(Clone, Debug)]
pub(crate) struct TypeName {
    pub(crate) at: usize,
    pub(crate) shape: TypeShape,
}

#[derive(Clone, Debug)]
pub(crate) enum TypeShape {
    /// Dotted name and type arguments; `var` is a name too.
    Name(String, Vec<TypeName>),
    Array(Box<TypeName>),
    Nullable(Box<TypeName>),
}

#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) at: usize,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct Arg {
    pub(crate) name: Option<String>,
    pub(crate) value: ArgValue,
}

#[derive(Clone, Debug)]
pub(crate) enum ArgValue {
    In(Expr),
    /// `out x`.
    Out(Expr),
    /// `out T x`, `out var x`, `out _`.
    Declare(Option<TypeName>, String, usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Lambda {
    pub(crate) parameters: Vec<(Option<TypeName>, String)>,
    pub(crate) body: LambdaBody,
}

#[derive(Clone, Debug)]
pub(crate) enum LambdaBody {
    Expr(Box<Expr>),
    Block(Vec<Stmt>),
}

/// One element of an initialiser in braces.
#[derive(Clone, Debug)]
pub(crate) enum Init {
    /// `Name = value`.
    Member(String, Expr, usize),
    /// `[key] = value`.
    Index(Vec<Arg>, Expr),
    /// `value` or `{ a, b }`.
    Add(Vec<Expr>, usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Type(TypeName, Option<String>),
    Const(Box<Expr>),
    Var(String),
}

/// A piece of an interpolated string: text, or value, alignment and format.
pub(crate) type Piece = (String, Option<(Expr, Option<Expr>, Option<String>)>);

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Literal(Value),
    Interpolated(Vec<Piece>),
    Name(String, Vec<TypeName>),
    Predefined(TypeName),
    Member(Box<Expr>, String, Vec<TypeName>),
    Index(Box<Expr>, Vec<Arg>),
    Call(Box<Expr>, Vec<Arg>),
    /// `receiver?.rest`: in `rest` the receiver is [`Node::Receiver`].
    Conditional(Box<Expr>, Box<Expr>),
    Receiver,
    Unary(&'static str, Box<Expr>),
    /// `++` or `--`; whether it stands before its operand.
    Step(&'static str, bool, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Assign(&'static str, Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Cast(TypeName, Box<Expr>),
    Is(Box<Expr>, Pattern),
    As(Box<Expr>, TypeName),
    Lambda(Lambda),
    New(Option<TypeName>, Vec<Arg>, Option<Vec<Init>>),
    NewArray(Option<TypeName>, Vec<Expr>, Option<Vec<Expr>>),
    Anonymous(Vec<(String, Expr)>),
    Default(Option<TypeName>),
    NameOf(Box<Expr>),
    TypeOf,
    Checked(bool, Box<Expr>),
    /// Parentheses around a `?.` chain, which end its reach.
    Paren(Box<Expr>),
    Throw(Box<Expr>),
}

#[derive(Clone, Debug)]
pub(crate) struct Stmt {
    pub(crate) at: usize,
    pub(crate) node: StmtNode,
}

#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) labels: Vec<(usize, Option<Pattern>, Option<Expr>)>,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(crate) struct Catch {
    pub(crate) class: Option<TypeName>,
    pub(crate) name: Option<String>,
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(crate) enum StmtNode {
    Empty,
    Block(Vec<Stmt>),
    Declare { class: TypeName, constant: bool, names: Vec<(String, usize, Option<Expr>)> },
    Expr(Expr),
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    While(Expr, Box<Stmt>),
    Do(Box<Stmt>, Expr),
    For(Vec<Stmt>, Option<Expr>, Vec<Expr>, Box<Stmt>),
    ForEach(TypeName, String, Expr, Box<Stmt>),
    Switch(Expr, Vec<Section>),
    Break,
    Continue,
    Return(Option<Expr>),
    Throw(Option<Expr>),
    Try(Vec<Stmt>, Vec<Catch>, Option<Vec<Stmt>>),
    Using(Box<Stmt>, Box<Stmt>),
    Checked(bool, Vec<Stmt>),
    Function { result: TypeName, name: String, lambda: Lambda },
}
