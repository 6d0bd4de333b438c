//! The RouterOS side of the house: what routers understand, and how one talks to them.
//!
//! [`catalogue`] knows the menus, their arguments and which values mean the same.

pub mod catalogue;
