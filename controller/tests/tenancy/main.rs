//! Goal: how an ISP stands decides what it may do, its limits hold under a crowd, what it uses is counted, what it sets holds, and a purge
//! leaves nothing of it and touches nobody else. Method: the whole HTTP service on a real database, under a clock that the tests move; rows
//! are compared past all doors.

mod fixture;
mod lifecycle;
mod limits;
mod metering;
mod purge;
mod settings;
