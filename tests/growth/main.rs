//! Goal: a database of many tenants stays whole and quick. Method: it is filled by the loader, proved by the audit, and every list of the API is
//! read while PostgreSQL says how it found the rows.

mod loading;
mod plans;
