//! What each tenant is and uses, a row a day: for the ISP itself, and for the platform, which sees all of them side by side.

use super::rules::limits::Limit;
use super::store::{limits, metering as store};
use super::{TenantError, current};
use crate::app::App;
use crate::http::{List, Page};
use crate::operators::{Permission, TenantScope};
use db::registry::{Class, TABLES};
use db::{DbError, PlatformActor, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::TenantId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// The longest span of days that is shown at once.
const DAYS_MAX: i32 = 366;

/// How much of a table is a tenant's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableUse {
    /// How many rows.
    pub rows: i64,
    /// Its share of what the table and its indexes take on the disk, by the number of rows.
    pub bytes: i64,
}

/// What a tenant was and used on a day of its calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageDay {
    /// The day, in the tenant's time zone.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// Routers that are not removed.
    pub routers: i64,
    /// Customers who are not terminated.
    pub customers: i64,
    /// Those of them whose time was paid when it was measured.
    pub customers_served: i64,
    /// People who serve it.
    pub operators: i64,
    /// API tokens in force.
    pub api_tokens: i64,
    /// Messages that were counted on the day.
    pub messages: i64,
    /// Requests to the API that were let in on the day.
    pub api_requests: i64,
    /// What its rows take on the disk.
    pub storage_bytes: i64,
    /// The same, table by table.
    pub tables: BTreeMap<String, TableUse>,
    /// When it was measured; the day's row is written again until the day is over.
    #[schema(value_type = String, format = DateTime)]
    pub measured_at: Timestamp,
}

/// A tenant's day, for the platform.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantUsage {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Its day.
    #[serde(flatten)]
    pub usage: UsageDay,
}

/// Says which day it is in the tenant's time zone.
pub(super) async fn today(tx: &mut TenantTx, now: Timestamp) -> Result<Date, DbError> {
    Ok(day_of(&current(tx).await?.time_zone, now))
}

/// A zone that this machine does not know any more counts as UTC: a day too early is better than none.
fn day_of(zone: &str, now: Timestamp) -> Date {
    now.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC)).date()
}

/// Writes down the requests that were let in since the last time. What cannot be written is kept for the next time.
///
/// # Errors
/// When the database does not answer.
pub async fn flush_requests(app: &App) -> Result<(), DbError> {
    let mut counted = app.rates.drain();
    if counted.is_empty() {
        return Ok(());
    }
    let written = write_requests(app, &mut counted).await;
    // Of a tenant that is being removed nothing is counted any more; what is left when the database went away is kept.
    if written.is_err() {
        for (tenant, count) in counted {
            app.rates.give_back(tenant, count);
        }
    }
    written
}

async fn write_requests(app: &App, counted: &mut HashMap<TenantId, i64>) -> Result<(), DbError> {
    let now = app.clock.now();
    for door in app.db.locator().tenants("metering").await? {
        let Some(count) = counted.get(&door.tenant()).copied() else { continue };
        let mut tx = app.db.tenant(&door).await?;
        let day = today(&mut tx, now).await?;
        limits::add_to_counter(&mut tx, Limit::ApiRequests, day, count).await?;
        tx.commit().await?;
        counted.remove(&door.tenant());
    }
    Ok(())
}

/// Measures every tenant, and writes the row of its day anew. Returns how many were measured.
///
/// # Errors
/// When the database does not answer.
pub async fn measure(app: &App) -> Result<usize, DbError> {
    flush_requests(app).await?;
    let now = app.clock.now();
    let actor = PlatformActor::system("metering");
    let doors = app.db.locator().tenants("metering").await?;
    if doors.is_empty() {
        return Ok(0);
    }
    let mut sizes: HashMap<TenantId, BTreeMap<String, TableUse>> = HashMap::new();
    let mut tx = app.db.platform(&actor, "the rows of each table were counted by tenant", now).await?;
    for table in TABLES.iter().filter(|table| table.class == Class::Tenant) {
        for (tenant, used) in store::rows_by_tenant(&mut tx, table.name).await? {
            sizes.entry(tenant).or_default().insert(table.name.to_owned(), used);
        }
    }
    tx.commit().await?;
    for door in &doors {
        let tables = sizes.remove(&door.tenant()).unwrap_or_default();
        let mut tx = app.db.tenant(door).await?;
        let day = today(&mut tx, now).await?;
        let counts = store::counts(&mut tx, day, now).await?;
        store::write(&mut tx, day, &counts, &tables, now).await?;
        store::forget_counters(&mut tx, day).await?;
        tx.commit().await?;
    }
    Ok(doors.len())
}

/// Which days are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub from: Option<Date>,
    pub until: Option<Date>,
}

impl Span {
    fn bounds(self, today: Date) -> Result<(Date, Date), TenantError> {
        let until = self.until.unwrap_or(today);
        let month = jiff::Span::new().days(30);
        let from = self.from.unwrap_or_else(|| until.checked_sub(month).unwrap_or(until));
        let wrong = |message| TenantError::Field { field: "from", message };
        let days = from.until(until).map_err(|_| wrong("write a day of this calendar"))?.get_days();
        if !(0..DAYS_MAX).contains(&days) {
            return Err(wrong("ask for 1 to 366 days, the first one first"));
        }
        Ok((from, until))
    }
}

/// Shows what the caller's own tenant was and used, the newest day first; the last 30 days when nothing else is asked for.
///
/// # Errors
/// When the role may not, or the span makes no sense.
pub(super) async fn own(app: &App, scope: &TenantScope, span: Span) -> Result<Vec<UsageDay>, TenantError> {
    let mut tx = scope.read(app, Permission::SettingsRead).await?;
    let (from, until) = span.bounds(today(&mut tx, app.clock.now()).await?)?;
    Ok(store::days(&mut tx, from, until).await?)
}

/// Shows every tenant's newest day up to a given one, the newest tenant first.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn across(
    app: &App,
    actor: &PlatformActor,
    until: Option<Date>,
    page: &Page,
) -> Result<List<TenantUsage>, TenantError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(actor, "what the tenants use was read", now).await?;
    let items = store::newest_of_each(&mut tx, until.unwrap_or(Date::MAX), page).await?;
    tx.commit().await?;
    Ok(page.list(items))
}
