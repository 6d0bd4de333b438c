//! The roads that an ISP and its customers take, and the bad luck on them, each in a file of its own.

mod bad_luck;
mod configurations;
mod contract;
mod dhcp;
mod expiry;
mod fairness;
mod fasttrack;
mod faults;
mod first_contact;
mod fixed;
mod fuses;
mod hands;
mod hotspot;
mod leaving;
mod librouteros;
mod moving;
mod pppoe;
mod push;
mod reverting;
mod tenants;
mod walls;
mod watched;
mod wireguard_go;
