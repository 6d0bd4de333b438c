//! Goal: an ISP sells packages to customers, every shilling and every second is counted once, and no tenant sees another.
//! Method: the whole HTTP service on a real database, under a clock that the tests move.

mod customers;
mod fixture;
mod packages;
mod payments;
mod vouchers;
mod walls;
