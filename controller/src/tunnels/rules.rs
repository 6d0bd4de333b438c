//! Which addresses of a block routers get. Pure.

use ipnetwork::Ipv4Network;
use std::net::Ipv4Addr;

/// Addresses that routers get out of a /26: all but its first and last.
pub const HOSTS: i32 = 62;

/// Returns the first address of a block that a router may have.
#[must_use]
pub fn first_host(block: Ipv4Network) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(block.network()) + 1)
}
