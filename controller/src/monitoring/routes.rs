//! Outages and diagnoses over HTTP.

use super::store::{self, Filter};
use super::{DiagnosisView, MonitoringError, OutageView, UptimeView, diagnoses, outages};
use crate::app::App;
use crate::http::{Id, List, Page, Params, Permission, Problem, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{CustomerId, DiagnosisId, RouterId};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<MonitoringError> for Problem {
    fn from(error: MonitoringError) -> Self {
        match error {
            MonitoringError::Field { field, message } => Self::field(field, message),
            MonitoringError::NotFound(what) => Self::not_found(what),
            MonitoringError::Operator(error) => error.into(),
            MonitoringError::Customer(error) => error.into(),
            MonitoringError::Session(error) => error.into(),
            MonitoringError::Vault(error) => error.into(),
            MonitoringError::Db(error) => error.into(),
            MonitoringError::Tunnel(_) => Self::internal(&error),
        }
    }
}

/// Returns the routes of monitoring.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(of_router))
        .routes(routes!(uptime))
        .routes(routes!(diagnose_router))
        .routes(routes!(diagnose_customer))
        .routes(routes!(list_diagnoses))
        .routes(routes!(get_diagnosis))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OutageFilter {
    /// Only those of one router and its customers.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only one customer's.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    /// Only those that go on, or only those that are over.
    open: Option<bool>,
    /// Only those of routers themselves, or only those of customers.
    of_routers: Option<bool>,
}

/// Lists the times in which routers were silent or paying customers were away.
#[utoipa::path(get, path = "/outages", tag = "monitoring", extensions(("x-permission" = json!("monitoring.read"))), params(OutageFilter, Page), responses((status = 200, body = List<OutageView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(asked): Params<OutageFilter>,
    page: Page,
) -> Result<Json<List<OutageView>>, Problem> {
    let mut tx = scope.read(&app, Permission::MonitoringRead).await?;
    let filter = Filter { router: asked.router, customer: asked.customer, open: asked.open, of_routers: asked.of_routers };
    Ok(Json(page.list(store::list(&mut tx, filter, &page).await?)))
}

/// Lists a router's own outages.
#[utoipa::path(get, path = "/routers/{id}/outages", tag = "monitoring", extensions(("x-permission" = json!("monitoring.read"))), params(("id" = RouterId, Path), Page), responses((status = 200, body = List<OutageView>)))]
async fn of_router(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    page: Page,
) -> Result<Json<List<OutageView>>, Problem> {
    Ok(Json(outages::of_router(&app, &scope, id, &page).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MonthFilter {
    /// The month, such as `2026-01`; this one when left out.
    month: Option<String>,
}

/// Says how a router fared in a month: connected, silent, or not known because nobody watched.
#[utoipa::path(get, path = "/routers/{id}/uptime", tag = "monitoring", extensions(("x-permission" = json!("monitoring.read"))), params(("id" = RouterId, Path), MonthFilter), responses((status = 200, body = UptimeView)))]
async fn uptime(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    Params(asked): Params<MonthFilter>,
) -> Result<Json<UptimeView>, Problem> {
    Ok(Json(outages::uptime(&app, &scope, id, asked.month.as_deref()).await?))
}

/// Looks at a router from the tunnel up to its customers and says what is wrong first. It changes nothing on the router.
#[utoipa::path(post, path = "/routers/{id}/diagnose", tag = "monitoring", extensions(("x-permission" = json!("diagnosis.run"))), params(("id" = RouterId, Path)), responses((status = 201, body = DiagnosisView)))]
async fn diagnose_router(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
) -> Result<(StatusCode, Json<DiagnosisView>), Problem> {
    Ok((StatusCode::CREATED, Json(diagnoses::diagnose_router(&app, &scope, id).await?)))
}

/// Looks at a customer from the account up to the session and says what is wrong first.
#[utoipa::path(post, path = "/customers/{id}/diagnose", tag = "monitoring", extensions(("x-permission" = json!("diagnosis.run"))), params(("id" = CustomerId, Path)), responses((status = 201, body = DiagnosisView)))]
async fn diagnose_customer(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
) -> Result<(StatusCode, Json<DiagnosisView>), Problem> {
    Ok((StatusCode::CREATED, Json(diagnoses::diagnose_customer(&app, &scope, id).await?)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DiagnosisFilter {
    /// Only those of one router and its customers.
    #[param(value_type = Option<String>)]
    router: Option<RouterId>,
    /// Only one customer's.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
}

/// Lists what diagnoses found.
#[utoipa::path(get, path = "/diagnoses", tag = "monitoring", extensions(("x-permission" = json!("monitoring.read"))), params(DiagnosisFilter, Page), responses((status = 200, body = List<DiagnosisView>)))]
async fn list_diagnoses(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(asked): Params<DiagnosisFilter>,
    page: Page,
) -> Result<Json<List<DiagnosisView>>, Problem> {
    let mut tx = scope.read(&app, Permission::MonitoringRead).await?;
    let List { items, next } = page.list(store::diagnoses(&mut tx, asked.router, asked.customer, &page).await?);
    Ok(Json(List { items: diagnoses::opened(&app, &mut tx, items).await?, next }))
}

/// Shows what a diagnosis found, and whether it is as it was written.
#[utoipa::path(get, path = "/diagnoses/{id}", tag = "monitoring", extensions(("x-permission" = json!("monitoring.read"))), params(("id" = DiagnosisId, Path)), responses((status = 200, body = DiagnosisView)))]
async fn get_diagnosis(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<DiagnosisId>,
) -> Result<Json<DiagnosisView>, Problem> {
    let mut tx = scope.read(&app, Permission::MonitoringRead).await?;
    let row = store::diagnosis(&mut tx, id).await?.ok_or_else(|| Problem::not_found("diagnosis"))?;
    let view = diagnoses::opened(&app, &mut tx, vec![row]).await?.pop();
    Ok(Json(view.ok_or_else(|| Problem::not_found("diagnosis"))?))
}
