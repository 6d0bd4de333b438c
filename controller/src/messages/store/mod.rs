//! Messages, their templates and rules in the database.

mod log;
mod queue;
mod standing;
mod templates;

pub(super) use log::*;
pub(super) use queue::*;
pub(super) use standing::*;
pub(super) use templates::*;

pub use log::MessageView;
pub use standing::RuleView;
pub use templates::{TemplateView, VersionView};

const CHECKED: &str = "the column's CHECK lets only these in";
