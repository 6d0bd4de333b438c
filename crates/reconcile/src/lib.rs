//! Decides what a router should hold and what has to change for it.
//!
//! [`desired`] turns a [`Site`] into [`Desired`] objects; [`plan`] compares them with what was [`Observed`] and gives a
//! [`ChangeSet`]; [`preflight::preflight`] tells what stands in the way. All of it is pure: no clock, no randomness, no input or output;
//! equal input gives equal output.
//!
//! **Invariants:** rows without our mark are never changed, moved or removed. A plan made from what a router holds after the
//! last plan was applied is empty. Secrets are in no text and in no serialised form.

mod changeset;
mod finding;
pub mod guard;
mod menus;
mod object;
mod observed;
mod plan;
pub mod preflight;
mod recipes;
mod site;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use changeset::{Action, Change, ChangeSet, Kick, Undo};
pub use finding::{Finding, Severity};
pub use menus::observe_list;
pub use object::{Desired, Object, ObjectKey, Position, Risk, SiteError, Value, Values};
pub use observed::{Observed, Print, Row};
pub use plan::{Policy, plan};
pub use recipes::{BLOCKED, EXPIRED, NAME_PREFIX, PAY_HOSTS, desired, keys};
pub use site::*;
