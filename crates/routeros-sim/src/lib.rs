//! A virtual MikroTik: the binary API, the console, a WireGuard tunnel of real packets, and customers who dial in.
//!
//! [`device::Device`] is the router's state as a pure machine: a command and a time go in, an answer comes out.

pub mod api;
pub mod console;
pub mod control;
pub mod device;
pub mod router;
pub mod shell;
pub mod simulator;
pub mod tunnel;
