//! Goal: what the office keeps (tickets, leads, the technicians' work, messages and notifications) is seen by those who may see it, and
//! nobody is written to twice.
//! Method: the HTTP service and the domains' front doors on a real database, under a clock that the tests move; messages go to a gateway that
//! listens on this machine.

mod carrier;
mod commands;
mod fixture;
mod leads;
mod messages;
mod notifications;
mod reports;
mod sender;
mod tickets;
mod timing;
mod work;
