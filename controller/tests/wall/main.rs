//! Goal: the wall between tenants and the books are proved by the audit, on a living database; what was done is told to those who may know; and
//! recurring work is done once.
//! Method: the whole controller on a real database with two ISPs that do business; defects are planted past all doors.

mod jobs;
mod log;
mod plants;
mod program;
mod world;

use tokio::sync::RwLock;

/// Roles belong to the whole cluster: who changes one holds this alone, who needs them as they are holds it with others.
static ROLES: RwLock<()> = RwLock::const_new(());
