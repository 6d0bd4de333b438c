//! The doors to the database, and no others: [`TenantTx`] for one tenant's work, [`PlatformTx`] for declared and audited work across
//! tenants, and [`Locator`], which finds out whose a credential is and what is due.
//!
//! Nobody outside this crate holds a pool. A [`TenantDoor`], the right to open a tenant's transaction, comes only out of the locator,
//! which found it by a credential, a tunnel key or a piece of due work: so no request can name the tenant it wants to be.
//! Row-level security stands under all of it (`migrations/0001_create_tenancy.sql`).

pub mod audit;
mod cluster;
pub mod copies;
mod doors;
mod lines;
mod locator;
mod migrate;
pub mod registry;
mod schedule;
mod spent;
#[cfg(feature = "testing")]
mod testing;
mod upgrade;

pub use cluster::{Binaries, Cluster, ClusterError, ClusterOptions};
pub use doors::{ActorLabel, Db, DbError, Origin, PlatformActor, PlatformTx, Reach, TenantDoor, TenantTx, on_constraint};
pub use locator::{
    Locator, Login, LoginMembership, NamedTenant, OnHub, OpenInvitation, OperatorCredential, TenantStanding, TokenCredential,
    VisitCredential,
};
pub use migrate::{MigrateError, Source, connect, migrate};
pub use schedule::ScheduleRow;
#[cfg(feature = "testing")]
pub use testing::{Hands, OldDb, Plan, Plans, TableSize, TestDb};
pub use upgrade::{UpgradeError, Upgraded, upgrade};
