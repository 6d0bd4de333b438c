//! Retention over HTTP.

use super::{Retention, RetentionChange, RetentionError};
use crate::app::App;
use crate::http::{Body, Problem, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<RetentionError> for Problem {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Field { field, message } => Self::field(field, message),
            RetentionError::Operator(error) => error.into(),
            RetentionError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of retention.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(retention, set_retention))
}

/// Says how long what grows without end is kept.
#[utoipa::path(get, path = "/retention", tag = "retention", extensions(("x-permission" = json!("settings.read"))), responses((status = 200, body = Retention)))]
async fn retention(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<Retention>, Problem> {
    Ok(Json(super::show(&app, &scope).await?))
}

/// Sets how long what grows without end is kept; what is older goes within a day, and what is left out stays as it is.
#[utoipa::path(put, path = "/retention", tag = "retention", extensions(("x-permission" = json!("settings.write"))), request_body = RetentionChange, responses((status = 204)))]
async fn set_retention(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<RetentionChange>,
) -> Result<StatusCode, Problem> {
    super::set(&app, &scope, &request).await?;
    Ok(StatusCode::NO_CONTENT)
}
