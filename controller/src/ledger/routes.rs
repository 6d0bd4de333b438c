//! The ledger over HTTP: to look at only.

use super::{Balance, JournalView, store};
use crate::app::App;
use crate::http::{List, Page, Permission, Problem, TenantScope};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Returns the routes of the ledger.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(balances)).routes(routes!(journals))
}

#[derive(Debug, Serialize, ToSchema)]
struct Balances {
    /// One for each account and currency that anything was ever booked in.
    items: Vec<Balance>,
}

/// Shows what stands in each account.
#[utoipa::path(get, path = "/ledger/balances", tag = "ledger", extensions(("x-permission" = json!("payments.read"))), responses((status = 200, body = Balances)))]
async fn balances(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<Balances>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(Balances { items: store::balances(&mut tx).await? }))
}

/// Lists the journals.
#[utoipa::path(get, path = "/ledger/journals", tag = "ledger", extensions(("x-permission" = json!("payments.read"))), params(Page), responses((status = 200, body = List<JournalView>)))]
async fn journals(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<JournalView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, &page).await?)))
}
