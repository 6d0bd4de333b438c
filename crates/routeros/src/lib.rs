//! The RouterOS side of the house: what routers understand, and how one talks to them.
//!
//! [`catalogue`] knows the menus, their arguments and which values mean the same. [`Command`] is built from it. [`codec`]
//! turns sentences into bytes and back, for either side. [`errors`] tells a router's refusals apart. [`rsc`] reads, writes and
//! compares exports. The feature `client` adds the connection, the feature `contract` the comparison with recordings of real
//! routers.

pub mod catalogue;
#[cfg(feature = "client")]
pub mod client;
pub mod codec;
mod command;
#[cfg(feature = "contract")]
pub mod contract;
pub mod errors;
pub mod rsc;

pub use command::{Command, Query};
