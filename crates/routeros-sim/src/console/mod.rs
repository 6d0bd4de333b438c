//! The console: the part of the RouterOS scripting language that our own scripts use, refused clearly beyond that.
//!
//! A console never waits by itself. It is resumed with the device it runs on and says why it stopped: everything is done, a
//! `:delay` wants device time to pass, or the device answered a command with [`Reply::Later`].

mod host;
mod value;

pub use host::{Call, Globals, Host, Menus, Node, Reply, Row, ScriptError};
pub use value::{Element, Value};
