//! Health over HTTP, for the platform's operator.

use super::{Condition, Severity};
use crate::app::App;
use crate::http::{Platform, Problem};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Returns the routes of health.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health))
}

#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// The worst that holds; empty when nothing does.
    worst: Option<Severity>,
    /// What holds, the worst and oldest first.
    conditions: Vec<Condition>,
}

/// Tells what is wrong with the installation.
#[utoipa::path(get, path = "/platform/health", tag = "platform", extensions(("x-permission" = json!("platform"))), responses((status = 200, body = Health)))]
async fn health(State(app): State<Arc<App>>, Platform(actor): Platform) -> Result<Json<Health>, Problem> {
    let conditions = super::conditions(&app, &actor).await?;
    let worst = conditions.iter().map(|condition| condition.severity).max();
    Ok(Json(Health { worst, conditions }))
}
