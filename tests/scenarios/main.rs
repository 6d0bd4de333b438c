//! The roads that an ISP and its customers take, and the bad luck on them, each in a file of its own.

mod contract;
mod expiry;
mod fixed;
mod fuses;
mod hotspot;
mod librouteros;
mod pppoe;
mod tenants;
mod wireguard_go;
