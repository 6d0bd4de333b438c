//! Goal: nothing of an ISP is lost, and nothing of it leaves but sealed: backups come back row by row, into place, elsewhere and beside the
//! original; a file that is not whole is refused; keys change while everything goes on. Method: ISPs filled over the API, wrecked past all
//! doors, restored, and compared with what they were, other ISPs included; the command line as processes of its own, killed in the middle.

mod commands;
mod drill;
mod exports;
#[allow(dead_code, reason = "other tests of the program use all of it")]
#[path = "../life/program.rs"]
mod program;
mod refusals;
mod rotation;
mod shadows;
mod world;
