//! What the interpreter asks of the device it runs on.

use std::collections::BTreeMap;

use super::Value;

/// What a word is below a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A menu: `address` below `/ip`.
    Menu,
    /// A command: `add` below `/ip/address`.
    Command,
}

/// The names a device knows. RouterOS checks them before a script runs, so they are asked while parsing.
///
/// A path is written `/ip/address`; the root is `/`.
pub trait Menus {
    /// What `word` is below `path`, `None` when nothing. `find`, `get` and `print` are commands of a menu as `add` is.
    fn node(&self, path: &str, word: &str) -> Option<Node>;

    /// Whether `command` of `path` takes the argument `name`. Asked of what is written `name=` or `!name`, and, to learn what an
    /// argument without a name stands for, of `numbers`, `value-name`, `destination`, `number`, `file-name`, `address` and
    /// `name` in this order: a menu with one row only has no `numbers`. Not asked of `find` and `print`.
    fn accepts(&self, path: &str, command: &str, name: &str) -> bool;
}

/// One row of a menu for a condition: property by name, with the row's number under `.id`.
pub type Row = BTreeMap<String, Value>;

/// The variables that outlive a script (`/system/script/environment`).
pub type Globals = BTreeMap<String, Value>;

/// One command of a menu, its arguments evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The menu, such as `/ip/address`.
    pub path: &'a str,
    /// The command, such as `add`. Never `find`: the interpreter answers it from [`Host::rows`].
    pub command: &'a str,
    /// The arguments in the order written. Text that stood without quotes comes as [`Value::Str`], so `yes` may be a name;
    /// [`Value::argument`] writes the others. One given without a name comes under the name it stands for, such as `numbers`: an
    /// id, an array of ids (nothing happens when it is empty), or text that names a row. A variable without a value comes as
    /// [`Value::Nothing`].
    pub args: &'a [(String, Value)],
    /// The properties to clear, written `!name`.
    pub unset: &'a [String],
    /// For `print`: the ids of the rows to show, `None` for all. The switches it was given stand in `args` as [`Value::Bool`].
    pub only: Option<&'a [String]>,
}

impl Call<'_> {
    /// The argument called `name`, if it was given.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// How a device takes a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done: `add` gives the new id, `get` the value (of the type that `:typeof` shall see), `print` its text, most others
    /// [`Value::Nothing`].
    Done(Value),
    /// It takes a while (`/tool/fetch`): the host keeps what it needs of the call and answers with
    /// [`Console::answer`](super::Console::answer).
    Later,
    /// It runs another script (`/import`, `/system/script/run`) and is done when that has ended; the text is given.
    Script(String),
}

/// An error at run time, which `on-error` catches. Its text is the trap's, such as `no such item`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(pub String);

impl From<&str> for ScriptError {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for ScriptError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The device a script runs on.
pub trait Host: Menus {
    /// Runs one command of a menu.
    ///
    /// # Errors
    /// The text of the trap that the device answers.
    fn command(&mut self, call: Call<'_>) -> Result<Reply, ScriptError>;

    /// The rows of a menu in the menu's order, for `find`, `print where`, `print count-only` and `print as-value`. Booleans
    /// come as [`Value::Bool`], for no text is ever equal to a bool; the rest may be text. A row may lack a property.
    ///
    /// # Errors
    /// The text of the trap, such as that of a missing permission.
    fn rows(&mut self, path: &str) -> Result<Vec<Row>, ScriptError>;

    /// Writes a row of `/log`; the topic is `info`, `warning`, `error` or `debug`.
    fn log(&mut self, topic: &str, message: &str);

    /// Prints one line on the terminal.
    fn put(&mut self, line: &str);

    /// The variables that outlive a script.
    fn globals(&mut self) -> &mut Globals;
}
