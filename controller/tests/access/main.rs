//! Goal: who may do what, and how much of it they see, is what was given to them and no more; logins, second factors, invitations and visits
//! end when they should. Method: the whole HTTP service on a real database, under a clock that the tests move.

mod fixture;
mod invitations;
mod logins;
mod moves;
mod reach;
mod rights;
mod second_factor;
mod strangers;
mod visits;
