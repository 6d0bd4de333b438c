//! What the parser makes of a script: a flat list of steps for a machine with a stack.
//!
//! A list and not a tree, so that a run can stop at any step and go on later, and so that no text, however nested, can
//! exhaust the stack of the thread.

use super::Value;
use super::failure::Position;

/// A parsed script.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) steps: Vec<(Op, Position)>,
}

/// One step. "Takes" means from the top of the stack.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    /// Puts a value on the stack.
    Push(Value),
    /// Drops a value.
    Pop,
    /// Takes a text and prints it, as `print` does when nobody uses its value.
    Show,
    /// Puts a variable's value on the stack; within a condition the row's property of that name hides the variable.
    Load(String),
    /// Puts the property of the row at hand on the stack.
    Property(String),
    /// Takes the value of a new local variable.
    Local(String),
    /// Makes a name mean the global variable; takes its new value if there is one.
    Global { name: String, assigned: bool },
    /// Takes the new value of a variable.
    Set(String),
    /// Replaces a value.
    Unary(Unary),
    /// Takes two values, puts one.
    Binary(Binary),
    /// Takes so many values and joins their texts.
    Join(usize),
    /// Takes as many values as there are keys, puts an array.
    Array(Vec<Option<String>>),
    /// Goes to a step.
    Jump(usize),
    /// Takes a bool and goes to a step when it is false.
    Unless(usize),
    /// Takes a bool and goes to a step when it is true.
    If(usize),
    /// Opens a scope of variables.
    Enter,
    /// Closes it.
    Leave,
    /// An error from here on goes to the step given.
    Try(usize),
    /// Forgets the last `Try`.
    EndTry,
    /// Takes step, end and start and begins to count.
    Range,
    /// Takes an array and begins to walk over it.
    Each,
    /// Opens a scope with the next element; goes to the step given when there is none.
    Next { end: usize, key: Option<String>, name: String },
    /// Asks for the rows of a menu and begins to walk over them; the condition uses these properties and variables.
    Rows { path: String, properties: Vec<String>, variables: Vec<String> },
    /// Goes to the next row; when there is none puts what was kept and goes to the step given.
    NextRow { end: usize, give: Give },
    /// Takes a bool and keeps the row when it is true.
    Keep,
    /// Takes arguments and calls a built-in function.
    Function(Function, usize),
    /// Takes the values of the arguments (and above them the ids, when `filtered`) and runs a command of a menu.
    Menu(Box<MenuCommand>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MenuCommand {
    pub(super) path: String,
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) unset: Vec<String>,
    pub(super) filtered: bool,
}

/// What walking over rows gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Give {
    Ids,
    Count,
    Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Negate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Match,
    Append,
    Concat,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Element,
}

impl Binary {
    /// How tightly it binds. The manual leaves this open; ours follows other languages, so scripts should use parentheses.
    pub(super) const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal | Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual | Self::Match => {
                RELATION
            }
            Self::Append => 4,
            Self::Concat => 5,
            Self::Add | Self::Subtract => 6,
            Self::Multiply | Self::Divide | Self::Modulo => 7,
            Self::Element => 8,
        }
    }
}

/// The strength of comparisons.
pub(super) const RELATION: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Put,
    Log,
    Error,
    Delay,
    Len,
    ToStr,
    ToNum,
    ToArray,
    Pick,
    Find,
    TypeOf,
}

/// The built-in functions with the names of their arguments and how many of those must be given.
pub(super) const FUNCTIONS: [(&str, Function, &[&str], usize); 10] = [
    ("put", Function::Put, &["message"], 1),
    ("error", Function::Error, &["message"], 1),
    ("delay", Function::Delay, &["delay-time"], 1),
    ("len", Function::Len, &["value"], 1),
    ("tostr", Function::ToStr, &["value"], 1),
    ("tonum", Function::ToNum, &["value"], 1),
    ("toarray", Function::ToArray, &["value"], 1),
    ("pick", Function::Pick, &["counter", "begin", "end"], 2),
    ("find", Function::Find, &["value", "key", "from"], 2),
    ("typeof", Function::TypeOf, &["value"], 1),
];

/// What RouterOS has at the root and the simulator does not.
pub(super) const UNSUPPORTED: [&str; 26] = [
    "resolve",
    "parse",
    "return",
    "execute",
    "onerror",
    "exit",
    "continue",
    "break",
    "time",
    "timestamp",
    "environment",
    "beep",
    "terminal",
    "toip",
    "toip6",
    "totime",
    "tobool",
    "toid",
    "tonsec",
    "convert",
    "serialize",
    "deserialize",
    "rndnum",
    "rndstr",
    "retry",
    "grep",
];
