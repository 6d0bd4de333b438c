//! Whole tenants as rows: read from one consistent snapshot, put back in one transaction, and their sealed columns one by one.
//!
//! Rows travel as the JSON that PostgreSQL makes of them and takes again, untouched in between, so that no type loses anything.

mod load;
mod read;
mod sealed;
mod shape;

pub use load::{RestoreKind, RestoreRun};
pub use sealed::SealedValue;
pub use shape::{Column, GlobalKey, Reference, Shape, ShapeError, TableShape};
