//! A virtual MikroTik: the binary API, the console, a WireGuard tunnel of real packets, and customers who dial in.
//!
//! - [`device::Device`] is the router's state as a pure machine: a command and a time go in, an answer comes out.
//! - [`router::Router`] adds what goes on in it: scripts, customers, faults. It is pure as well.
//! - [`shell::Shared`] puts it among threads and clocks, [`api`] serves the binary API on any stream, [`tunnel`] keeps the
//!   tunnels that the configuration describes, [`control`] lets the world act on it.
//! - [`simulator::Simulator`] is all of it together, as the program `mastwire-router-sim` runs it.
//!
//! What it takes and refuses comes from the catalogue of [`routeros`], for the RouterOS version that it is started as.
//!
//! **Invariant:** nothing below [`shell`] reads a clock, draws randomness or opens a socket.
//!
//! # Where it differs from a router
//!
//! Texts that no recording shows are worded plainly: those about dynamic and default objects, a busy group, a removed last
//! administrator. These are inferred, and marked here so that nobody takes them for measured:
//!
//! - A name that others refer to may be removed; what referred to it then shows its id (`*1A`), as RouterOS shows dangling
//!   references.
//! - `only-one` refuses the second session instead of ending the first.
//! - A jump of the clock plans every scheduler entry anew; what was due in between is not made up for.
//! - An existing scheduler entry does not run while the device-mode forbids the scheduler.
//! - A device's own lease waits until the device asks again; the lease that it had as a stranger goes on until then. A lease that is
//!   changed or removed takes nothing from a device that has its address already.
//! - `/export` prints menus in an order in which they can be read again, bits per second without `M`, and the rows of `/interface/list` and
//!   others that come with the system only where they were changed. Accounts (`/user`) and files are left out. It needs the policy
//!   `read`, and `write` with `file=`; a router of 7.19.2 refuses an account that lacks one with `not enough permissions (9)`
//!   (socialwifi/RouterOS-api, issue 109). Over the API without `file=` it answers nothing.
//! - `/file/read` answers one row with `data`.
//! - What comes as an `exec` request over SSH is one script: it is parsed as a whole and ended by its first failure, whose text is
//!   printed.
//! - What happens to a command when something goes wrong at it is said at each [`router::Mishap`], with where it is known from.
//!
//! These are simpler than a router:
//!
//! - WireGuard takes its timestamps from this machine's clock, so a router that believes in 1970 still shakes hands.
//! - A closed API answers inside the tunnel with a refusal, where a router's firewall stays silent.
//! - `/tool/fetch` and `/import` run from the console and from scripts, not over the API.
//! - A firewall rule with a condition that [`device::Packet`] cannot answer matches nothing.
//! - DHCP is a question and an answer between device and router: no packets, no relays, no options, and a hotspot's guests get their
//!   addresses without a lease.
//! - FastTrack carries a connection for as long as the rules would hand it over now: it lets go at once when a rule comes before.
//! - Queues cut speeds; bursts, parents and priorities are kept but change nothing.

pub mod api;
pub mod console;
pub mod control;
pub mod device;
pub mod router;
pub mod shell;
pub mod simulator;
pub mod tunnel;
