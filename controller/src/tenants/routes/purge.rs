//! The purge over HTTP, for the platform's operator.

use super::super::purge::{self, Certificate, Wish};
use super::platform;
use crate::app::App;
use crate::http::{Actor, Body, Id, List, Page, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::TenantId;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(show)).routes(routes!(list))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Purge {
    /// The ISP's name once more, exactly.
    name: String,
    /// Why, in 3 to 300 characters.
    reason: String,
    /// Without the 30 days of rest.
    #[serde(default)]
    now: bool,
}

/// Removes every row, key and login of a suspended or exported tenant, for good. It answers when all is gone, or after 20 s with what is gone
/// by then; the rest follows by itself, and the certificate says when it is finished.
#[utoipa::path(post, path = "/platform/tenants/{id}/purge", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), request_body = Purge, responses((status = 202, body = Certificate)))]
async fn begin(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<TenantId>,
    Body(request): Body<Purge>,
) -> Result<(StatusCode, Json<Certificate>), Problem> {
    let wish = Wish { name: request.name, reason: request.reason, immediately: request.now };
    Ok((StatusCode::ACCEPTED, Json(purge::begin(&app, &platform(actor)?, id, wish).await?)))
}

/// Shows what a purge removed, and what proves it.
#[utoipa::path(get, path = "/platform/tenants/{id}/certificate", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 200, body = Certificate)))]
async fn show(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<Json<Certificate>, Problem> {
    Ok(Json(purge::show(&app, &platform(actor)?, id).await?))
}

/// Lists the certificates of purged tenants, newest first.
#[utoipa::path(get, path = "/platform/certificates", tag = "platform", extensions(("x-permission" = json!("platform"))), params(Page), responses((status = 200, body = List<Certificate>)))]
async fn list(State(app): State<Arc<App>>, actor: Actor, page: Page) -> Result<Json<List<Certificate>>, Problem> {
    Ok(Json(purge::list(&app, &platform(actor)?, &page).await?))
}
