//! Reports over HTTP.

use super::{MoneyReport, Period, ReportError};
use crate::app::App;
use crate::http::{Params, Permission, Problem, TenantScope, csv_line};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The columns of a table of money.
const HEADINGS: [&str; 9] =
    ["day", "router", "method", "currency", "received_minor", "sold_minor", "into_wallets_minor", "payments", "reversals"];

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Field { field, message } => Self::field(field, message),
            ReportError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of reports.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(money)).routes(routes!(export))
}

/// Sums the money of some days, by router and method, in the tenant's time zone.
#[utoipa::path(get, path = "/reports/money", tag = "reports", extensions(("x-permission" = json!("payments.read"))), params(Period), responses((status = 200, body = MoneyReport)))]
async fn money(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(period): Params<Period>,
) -> Result<Json<MoneyReport>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(super::money(&mut tx, period, app.clock.now()).await?))
}

/// Exports the money of some days as a table in CSV.
#[utoipa::path(get, path = "/reports/money/export", tag = "reports", extensions(("x-permission" = json!("payments.read"))), params(Period), responses((status = 200, body = String, content_type = "text/csv")))]
async fn export(State(app): State<Arc<App>>, scope: TenantScope, Params(period): Params<Period>) -> Result<Response, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    let report = super::money(&mut tx, period, app.clock.now()).await?;
    let mut text = csv_line(HEADINGS);
    for day in report.items {
        text.push_str(&csv_line([
            day.day.to_string(),
            day.router.map(|router| router.to_string()).unwrap_or_default(),
            day.method.unwrap_or_default(),
            day.received.currency.to_string(),
            day.received.minor.to_string(),
            day.sold.minor.to_string(),
            day.into_wallets.minor.to_string(),
            day.payments.to_string(),
            day.reversals.to_string(),
        ]));
    }
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"money.csv\"")];
    Ok((headers, text).into_response())
}
