//! Attempts to collect money, over HTTP: to look at only.

use crate::app::App;
use crate::http::{Id, List, Page, Params, Permission, Problem, TenantScope};
use crate::payments::attempts::AttemptState;
use crate::payments::{AttemptView, store};
use axum::Json;
use axum::extract::State;
use model::PaymentAttemptId;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that stand there.
    state: Option<AttemptState>,
}

/// Lists the attempts to collect money.
#[utoipa::path(get, path = "/payment-attempts", tag = "payments", extensions(("x-permission" = json!("payments.read"))), params(Filter, Page), responses((status = 200, body = List<AttemptView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<AttemptView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(page.list(store::attempts::list(&mut tx, filter.state, &page).await?)))
}

/// Shows an attempt to collect money.
#[utoipa::path(get, path = "/payment-attempts/{id}", tag = "payments", extensions(("x-permission" = json!("payments.read"))), params(("id" = PaymentAttemptId, Path)), responses((status = 200, body = AttemptView)))]
async fn get(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<PaymentAttemptId>,
) -> Result<Json<AttemptView>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(store::attempts::get(&mut tx, id).await?.ok_or_else(|| Problem::not_found("payment attempt"))?))
}
