//! The console: the part of the RouterOS scripting language that our own scripts use, refused clearly beyond that.
//!
//! A [`Console`] never waits by itself. It is resumed with the device it runs on and says why it stopped: everything is done,
//! a `:delay` wants device time to pass, or the device answered a command with [`Reply::Later`].

mod expression;
mod failure;
mod functions;
mod host;
mod lexer;
mod machine;
mod parser;
mod pattern;
mod program;
mod session;
mod value;

pub use failure::{Failure, FailureKind, Position};
pub use host::{Call, Globals, Host, Menus, Node, Reply, Row, ScriptError};
pub use session::{Console, Step};
pub use value::{Element, Value};
