//! Goal: an ISP finds every customer by whatever they say, knows by what they were recognised on any day, and takes thousands in from a file,
//! whole or not at all.
//! Method: the whole HTTP service on a real database, under a clock that the tests move.

mod credentials;
mod files;
mod fixture;
mod lifecycle;
mod migration;
mod records;
mod search;
