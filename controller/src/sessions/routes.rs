//! Sessions and usage over HTTP.

use super::{HistoryFilter, SessionError, SessionView, UsageView, store};
use crate::app::App;
use crate::http::{Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::civil::Date;
use model::{CustomerId, RouterId};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Field { field, message } => Self::field(field, message),
            SessionError::NoCustomer => Self::not_found("customer"),
            SessionError::Zone => Self::new(ProblemKind::Conflict, error.to_string()),
            SessionError::Operator(error) => error.into(),
            SessionError::Customer(error) => error.into(),
            SessionError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of sessions.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(history)).routes(routes!(of_customer)).routes(routes!(usage))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveFilter {
    /// Only on one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only one customer's.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
}

/// Lists who is online, as last seen.
#[utoipa::path(get, path = "/sessions", tag = "sessions", extensions(("x-permission" = json!("sessions.read"))), params(LiveFilter, Page), responses((status = 200, body = List<SessionView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<LiveFilter>,
    page: Page,
) -> Result<Json<List<SessionView>>, Problem> {
    let mut tx = scope.read(&app, Permission::SessionsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, filter.router, filter.customer, &page).await?)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PastFilter {
    /// Only on one router.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only one customer's.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    /// Only those that ended at or after this time.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Only those that began before this time.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// Lists sessions that have ended, with why.
#[utoipa::path(get, path = "/sessions/history", tag = "sessions", extensions(("x-permission" = json!("sessions.read"))), params(PastFilter, Page), responses((status = 200, body = List<SessionView>)))]
async fn history(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<PastFilter>,
    page: Page,
) -> Result<Json<List<SessionView>>, Problem> {
    let mut tx = scope.read(&app, Permission::SessionsRead).await?;
    let PastFilter { router, customer, from, until } = filter;
    Ok(Json(page.list(store::history(&mut tx, HistoryFilter { router, customer, from, until }, &page).await?)))
}

/// Lists a customer's sessions, the one that goes on and those that have ended.
#[utoipa::path(get, path = "/customers/{id}/sessions", tag = "sessions", extensions(("x-permission" = json!("sessions.read"))), params(("id" = CustomerId, Path), Page), responses((status = 200, body = List<SessionView>)))]
async fn of_customer(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    page: Page,
) -> Result<Json<List<SessionView>>, Problem> {
    Ok(Json(super::of_customer(&app, &scope, id, &page).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsageFilter {
    /// The first day; 30 days before the last when left out.
    #[param(value_type = Option<String>)]
    from: Option<Date>,
    /// The last day; today when left out.
    #[param(value_type = Option<String>)]
    until: Option<Date>,
}

/// Says what a customer used, day by day in the tenant's time zone.
#[utoipa::path(get, path = "/customers/{id}/usage", tag = "sessions", extensions(("x-permission" = json!("sessions.read"))), params(("id" = CustomerId, Path), UsageFilter), responses((status = 200, body = UsageView)))]
async fn usage(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    Params(filter): Params<UsageFilter>,
) -> Result<Json<UsageView>, Problem> {
    Ok(Json(super::usage(&app, &scope, id, filter.from, filter.until).await?))
}
