//! Scenarios over the whole system, one file for each road through it.

mod pppoe;
