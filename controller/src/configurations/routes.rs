//! Configurations over HTTP.

use super::{ConfigurationDiff, ConfigurationError, ConfigurationList, ConfigurationText};
use crate::app::App;
use crate::http::{Id, Page, Params, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use model::{ConfigurationId, RouterId};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<ConfigurationError> for Problem {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::NotFound(what) => Self::not_found(what),
            ConfigurationError::OtherRouter => Self::field("with", "name a configuration of the same router"),
            ConfigurationError::First => Self::new(ProblemKind::Conflict, error.to_string()),
            ConfigurationError::Operator(error) => error.into(),
            ConfigurationError::Db(error) => error.into(),
            ConfigurationError::Vault(_) | ConfigurationError::Unreadable(_) => Self::internal(&error),
        }
    }
}

/// Returns the routes of configurations; `provisioning` has the one that takes them.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(compare))
}

/// Lists what a router's configuration was, newest first; a row for each time it differed.
#[utoipa::path(get, path = "/routers/{id}/configurations", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path), Page), responses((status = 200, body = ConfigurationList)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    page: Page,
) -> Result<Json<ConfigurationList>, Problem> {
    Ok(Json(super::list(&app, &scope, id, &page).await?))
}

/// Shows a configuration with its text. Secrets are not in it, but a script may hold some, so it takes the right to write to routers.
#[utoipa::path(get, path = "/configurations/{id}", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = ConfigurationId, Path)), responses((status = 200, body = ConfigurationText)))]
async fn show(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<ConfigurationId>,
) -> Result<Json<ConfigurationText>, Problem> {
    Ok(Json(super::show(&app, &scope, id).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct With {
    /// The configuration to compare with; the one before when left out.
    with: Option<ConfigurationId>,
}

/// Compares a configuration with another one of its router, menu by menu.
#[utoipa::path(get, path = "/configurations/{id}/diff", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = ConfigurationId, Path), With), responses((status = 200, body = ConfigurationDiff)))]
async fn compare(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<ConfigurationId>,
    Params(with): Params<With>,
) -> Result<Json<ConfigurationDiff>, Problem> {
    Ok(Json(super::compare(&app, &scope, id, with.with).await?))
}
