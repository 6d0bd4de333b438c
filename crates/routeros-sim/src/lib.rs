//! routeros-sim
pub mod console;
