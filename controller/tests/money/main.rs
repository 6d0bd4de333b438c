//! Goal: every shilling that comes, lies about, is owed or is spent stands in the books once, and a person can say what became of it.
//! Method: the HTTP service and the domains' front doors on a real database, under a clock that the tests move.

mod accounts;
mod attempts;
mod commands;
mod compensation;
mod expenses;
mod fixture;
mod gateways;
mod inbox;
mod invoices;
mod reports;
mod vouchers;
mod wallets;
