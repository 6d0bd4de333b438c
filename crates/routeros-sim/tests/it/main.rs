//! The virtual router from outside: what its menus take and refuse, what its customers live through, what goes over the wire.

mod api;
mod customers;
mod dhcp;
mod export;
mod hostile;
mod hotspot;
mod menus;
mod program;
mod simulator;
mod support;
mod system;
mod tunnel;
