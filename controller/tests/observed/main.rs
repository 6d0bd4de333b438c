//! Goal: who is online, what was used, what was away and what is wrong is told as it was, however late, often or mixed up the news come,
//! and no tenant's news touch another's.
//! Method: the front doors and the whole HTTP service on a real database, under a clock that the tests move.

mod configurations;
mod diagnoses;
mod fixture;
mod outages;
mod retention;
mod sessions;
mod usage;
