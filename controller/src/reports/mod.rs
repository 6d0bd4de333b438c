//! Sums over the books, by day, router and method. They are asked of the ledger each time and kept nowhere.

mod routes;
mod rules;
mod store;

pub use routes::routes;

use crate::tenants;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{Money, RouterId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Days of one report.
const DAYS_MAX: i32 = 400;

/// Why a report was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Which days a report is about, by the tenant's own calendar.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Period {
    /// The first day; 30 days before the last when left out.
    #[param(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// The last day; today when left out.
    #[param(value_type = Option<String>, format = Date)]
    pub until: Option<Date>,
}

/// The money of one day, router and method, in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoneyDay {
    /// The day by the tenant's calendar.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// The router that served the customer then; none where there is no customer.
    pub router: Option<RouterId>,
    /// How it came in; none for what is no payment.
    pub method: Option<String>,
    /// What came in, less what was taken back or given back.
    pub received: Money,
    /// What was earned, less what was taken back.
    pub sold: Money,
    /// What was put into wallets, less what was used of them.
    pub into_wallets: Money,
    /// How many payments came in.
    pub payments: i64,
    /// How many journals were taken back.
    pub reversals: i64,
}

/// Money day by day.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoneyReport {
    /// The first day.
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    /// The last day.
    #[schema(value_type = String, format = Date)]
    pub until: Date,
    /// The zone that says when a day begins.
    pub time_zone: String,
    /// One for each day, router, method and currency with anything in it.
    pub items: Vec<MoneyDay>,
}

/// Sums the money of some days.
///
/// # Errors
/// When the days are none, or too many.
pub async fn money(tx: &mut TenantTx, period: Period, now: Timestamp) -> Result<MoneyReport, ReportError> {
    let tenant = tenants::current(tx).await?;
    let zone = TimeZone::get(&tenant.time_zone).unwrap_or(TimeZone::UTC);
    let today = now.to_zoned(zone.clone()).date();
    let (from, until) = rules::days(period, today).map_err(|(field, message)| ReportError::Field { field, message })?;
    let days =
        rules::bounds(from, until, &zone).ok_or(ReportError::Field { field: "from", message: "name a day of this calendar" })?;
    let items = store::money(tx, &days).await?;
    Ok(MoneyReport { from, until, time_zone: tenant.time_zone, items })
}
