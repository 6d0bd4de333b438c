//! Goal: places and devices stand in trees that cannot be broken, packages keep what they were and are sold where they should be, and
//! routers and customers move without leaving anything behind or taking anything along.
//! Method: the whole HTTP service on a real database, under a clock that the tests move; virtual routers stand in tests/scenarios.

mod devices;
mod fixture;
mod moves;
mod packages;
mod sites;
mod versions;
