//! `cargo xtask load`: fills a database with ISPs as they are, for tests and benches of its size.
//!
//! Customers come in through the import that ISPs use, with sealed passwords and drawn account numbers; the rest is written set by set, each
//! tenant through its own door as the app role, so that policies, keys and triggers judge every row. What is chosen follows from the seed.

mod ground;
mod money;
mod office;
mod sessions;
mod shape;
mod sql;
mod stock;

pub use shape::Size;
pub use stock::Stock;

use crate::bench::progress;
use anyhow::{Context as _, ensure};
use controller::app::App;
use controller::customers;
use controller::testing::TestApp;
use db::{PlatformActor, TableSize, TenantDoor, TestDb};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use model::Clock as _;
use sessions::MONTH;
use shape::{Isp, MONTHS};

/// Tenants that are written at the same time.
const AT_ONCE: usize = 3;
/// How long before now the tenants were made.
const OLD: SignedDuration = SignedDuration::from_hours(24 * 30 * 13);

/// Fills an empty database, and returns how large its tables are then.
///
/// # Errors
/// When there are tenants already, or the database refuses.
///
/// # Panics
/// When the database goes away.
pub async fn load(test: &TestApp, size: Size) -> anyhow::Result<Vec<TableSize>> {
    let app = &*test.app;
    let isps = shape::isps(size)?;
    ensure!(app.db.locator().tenants("load").await?.is_empty(), "there are tenants in this database: load into an empty one");
    let now = test.clock.now();
    let mut tx = app.db.platform(&PlatformActor::system("load"), "a load was made", now).await?;
    tx.make_months(now - OLD - MONTH, now).await?;
    tx.commit().await?;

    test.clock.advance(-OLD);
    let made =
        each(&isps, "tenants with routers", |isp| async move { Ok((isp, ground::make(app, isp, isp.seed(size.seed)).await?)) })
            .await;
    test.clock.advance(OLD);
    let mut made = made?;
    made.sort_by_key(|(isp, _)| isp.place);
    each(&made, "customers, money and office", |(isp, door)| people(app, isp, door, isp.seed(size.seed), now)).await?;
    // Month by month, as it grew: the rows of a tenant lie between those of others.
    for back in (0..MONTHS).rev() {
        let what = format!("sessions and audit log of month {} of {MONTHS}", MONTHS - back);
        let until = now - MONTH * i32::try_from(back)?;
        each(&made, &what, |(isp, door)| async move {
            let seed = isp.seed(size.seed);
            let mut tx = app.db.tenant(door).await?;
            sessions::write_month(&mut tx, isp, until, seed).await?;
            tx.commit().await?;
            let mut tx = app.db.tenant(door).await?;
            office::write_log(&mut tx, until, seed, now).await?;
            Ok(tx.commit().await?)
        })
        .await?;
    }
    progress("statistics");
    let mut owner = test.db.connect_as("postgres").await;
    TestDb::run(&mut owner, "VACUUM ANALYZE").await;
    Ok(test.db.sizes().await)
}

/// Does something for each tenant, a few at a time.
async fn each<'a, T, R, F>(all: &'a [T], what: &str, work: impl Fn(&'a T) -> F) -> anyhow::Result<Vec<R>>
where
    F: Future<Output = anyhow::Result<R>>,
{
    progress(&format!("{what} ({})", all.len()));
    stream::iter(all).map(work).buffer_unordered(AT_ONCE).try_collect().await
}

/// Writes what one tenant has, but for its past sessions.
async fn people(app: &App, isp: &Isp, door: &TenantDoor, seed: i64, now: Timestamp) -> anyhow::Result<()> {
    let mut first = 0;
    for (ago, count) in isp.joined() {
        let at = now - MONTH * i32::try_from(ago)? - SignedDuration::from_hours(1);
        let file = isp.table(first, count).into_bytes().into();
        let mut tx = app.db.tenant(door).await?;
        customers::import(app, &mut tx, file, false, at).await.with_context(|| format!("customers of {}", isp.name()))?;
        tx.commit().await?;
        first += count;
    }
    let mut tx = app.db.tenant(door).await?;
    money::write(app, &mut tx, isp.customers, seed, now).await?;
    office::write(&mut tx, seed, now).await?;
    sessions::write_live(&mut tx, seed, now).await?;
    tx.audit(now, "load.end", &tx.tenant().to_string(), serde_json::json!({ "customers": isp.customers })).await?;
    Ok(tx.commit().await?)
}
