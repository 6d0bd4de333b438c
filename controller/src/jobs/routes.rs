//! Jobs over HTTP, for the platform's operator.

use super::JobView;
use crate::app::App;
use crate::http::{Id, Platform, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Returns the routes of jobs.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(run))
}

#[derive(Debug, Serialize, ToSchema)]
struct Jobs {
    /// Every job, by name.
    items: Vec<JobView>,
}

/// Lists what is done again and again, and how it went.
#[utoipa::path(get, path = "/platform/jobs", tag = "platform", extensions(("x-permission" = json!("platform"))), responses((status = 200, body = Jobs)))]
async fn list(State(app): State<Arc<App>>, Platform(_): Platform) -> Result<Json<Jobs>, Problem> {
    Ok(Json(Jobs { items: super::list(&app).await? }))
}

/// Makes a job due now; a controller does it within a minute.
#[utoipa::path(post, path = "/platform/jobs/{job}/run", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("job" = String, Path)), responses((status = 204)))]
async fn run(State(app): State<Arc<App>>, Platform(actor): Platform, Id(name): Id<String>) -> Result<StatusCode, Problem> {
    if super::make_due(&app, &actor, &name).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("job")) }
}
