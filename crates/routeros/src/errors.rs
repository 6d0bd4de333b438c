//! A router's refusals, told apart by their texts: the API has no error codes, and trap categories are often absent.

use crate::codec::Trap;

/// The texts of RouterOS, as recorded from routers or matched on by software in the field.
pub mod text {
    /// A row with this id is not there.
    pub const NO_SUCH_ITEM: &str = "no such item";
    /// A menu is not there.
    pub const NO_SUCH_COMMAND_PREFIX: &str = "no such command prefix";
    /// A command is not there.
    pub const NO_SUCH_COMMAND: &str = "no such command";
    /// An argument is not there; its name follows.
    pub const UNKNOWN_PARAMETER: &str = "unknown parameter ";
    /// A reference to a row that is not there; the argument's name follows.
    pub const NO_MATCH: &str = "input does not match any value of ";
    /// A value is not of the argument's kind; the argument's name follows.
    pub const INVALID_VALUE: &str = "invalid value for argument ";
    /// The same, from other menus.
    pub const INVALID_VALUE_OF: &str = "invalid value of ";
    /// An address was cleared with an empty text instead of `unset`.
    pub const AMBIGUOUS: &str = "ambiguous value of pool";
    /// Arguments that `add` needs are not there; their names follow.
    pub const MISSING_VALUES: &str = "missing value(s) of argument(s) ";
    /// The account's group lacks a policy.
    pub const NOT_ENOUGH_PERMISSIONS: &str = "not enough permissions (9)";
    /// The device mode forbids it.
    pub const DEVICE_MODE: &str = "failure: not allowed by device-mode";
    /// The name or the password is wrong.
    pub const BAD_LOGIN: &str = "invalid user name or password (6)";
    /// A command came before the login.
    pub const NOT_LOGGED_IN: &str = "not logged in";
    /// The command was cancelled.
    pub const INTERRUPTED: &str = "interrupted";
    /// A file's contents are longer than 60,416 bytes.
    pub const CONTENTS_TOO_LONG: &str = "failure: contents too long";
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapKind {
    /// There is such a row already.
    AlreadyExists,
    /// The row is not there any more.
    NoSuchItem,
    /// The device mode forbids it: a button has to be pressed.
    DeviceMode,
    /// The account may not do this.
    Permission,
    /// The name or the password is wrong.
    BadLogin,
    /// This router has no such menu or command.
    NoSuchCommand,
    /// This router's command has no such argument.
    UnknownParameter,
    /// A value is wrong, out of range, missing, or names something that is not there.
    InvalidValue,
    /// The command was cancelled.
    Interrupted,
    /// Anything else.
    Other,
}

impl TrapKind {
    /// Tells what a refusal means.
    #[must_use]
    pub fn classify(trap: &Trap) -> Self {
        let message = trap.message.trim();
        let begins = |prefix: &str| message.starts_with(prefix);
        let has = |part: &str| message.contains(part);
        if has("already exists") || has("already have") {
            Self::AlreadyExists
        } else if begins(text::NO_SUCH_ITEM) {
            Self::NoSuchItem
        } else if has("not allowed by device-mode") {
            Self::DeviceMode
        } else if begins("not enough permissions") || begins(text::NOT_LOGGED_IN) {
            Self::Permission
        } else if begins("invalid user name or password") || begins("cannot log in") {
            Self::BadLogin
        } else if begins(text::NO_SUCH_COMMAND) {
            Self::NoSuchCommand
        } else if begins("unknown parameter") {
            Self::UnknownParameter
        } else if begins(text::INTERRUPTED) || trap.category == Some(2) {
            Self::Interrupted
        } else if trap.category == Some(1)
            || begins("invalid value")
            || begins("input does not match")
            || is_about_a_value(message)
        {
            Self::InvalidValue
        } else {
            Self::Other
        }
    }
}

fn is_about_a_value(message: &str) -> bool {
    message.contains("out of range")
        || message.starts_with("ambiguous value")
        || message.starts_with("missing value(s)")
        || message == text::CONTENTS_TOO_LONG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_texts() {
        let table = [
            ("failure: secret with the same name already exists", TrapKind::AlreadyExists),
            ("failure: already have user with this name for this server", TrapKind::AlreadyExists),
            ("failure: already have such entry", TrapKind::AlreadyExists),
            (text::NO_SUCH_ITEM, TrapKind::NoSuchItem),
            ("no such item (4)", TrapKind::NoSuchItem),
            (text::DEVICE_MODE, TrapKind::DeviceMode),
            (text::NOT_ENOUGH_PERMISSIONS, TrapKind::Permission),
            (text::NOT_LOGGED_IN, TrapKind::Permission),
            (text::BAD_LOGIN, TrapKind::BadLogin),
            (text::NO_SUCH_COMMAND, TrapKind::NoSuchCommand),
            (text::NO_SUCH_COMMAND_PREFIX, TrapKind::NoSuchCommand),
            ("unknown parameter hw-offload", TrapKind::UnknownParameter),
            ("input does not match any value of interface", TrapKind::InvalidValue),
            ("invalid value for argument address", TrapKind::InvalidValue),
            ("invalid value of port", TrapKind::InvalidValue),
            ("value of activation-timeout is out of range (00:00:10 .. 1d00:00:00)", TrapKind::InvalidValue),
            (text::AMBIGUOUS, TrapKind::InvalidValue),
            ("missing value(s) of argument(s) name group", TrapKind::InvalidValue),
            (text::CONTENTS_TOO_LONG, TrapKind::InvalidValue),
            (text::INTERRUPTED, TrapKind::Interrupted),
            ("std failure: timeout (13)", TrapKind::Other),
        ];
        for (message, kind) in table {
            let trap = Trap { category: None, message: message.to_owned() };
            assert_eq!(TrapKind::classify(&trap), kind, "{message}");
        }
    }
}
