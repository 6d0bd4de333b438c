//! Tenants over HTTP, for the platform's operator.

use super::{NewTenant, TenantError, TenantView, store};
use crate::app::App;
use crate::http::{Actor, Body, Id, List, Page, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use db::PlatformActor;
use model::{Currency, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Field { field, message } => Self::field(field, message),
            TenantError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            TenantError::NotFound => Self::not_found("tenant"),
            TenantError::Operator(error) => error.into(),
            TenantError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of tenants.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(suspend)).routes(routes!(activate)).routes(routes!(own))
}

fn platform(actor: Actor) -> Result<PlatformActor, Problem> {
    match actor {
        Actor::Platform { actor, .. } => Ok(actor),
        Actor::Tenant { .. } => Err(Problem::new(ProblemKind::Forbidden, "only the platform's operators may do this")),
    }
}

/// Lists all tenants.
#[utoipa::path(get, path = "/platform/tenants", tag = "platform", extensions(("x-permission" = json!("platform"))), params(Page), responses((status = 200, body = List<TenantView>)))]
async fn list(State(app): State<Arc<App>>, actor: Actor, page: Page) -> Result<Json<List<TenantView>>, Problem> {
    let mut tx = app.db.platform(&platform(actor)?, "the tenants were listed", app.clock.now()).await?;
    let items = store::list(&mut tx, &page).await?;
    tx.commit().await?;
    Ok(Json(page.list(items)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateTenant {
    /// The ISP's name.
    name: String,
    /// The currency it sells in; KES when left out.
    currency: Option<Currency>,
    /// Its time zone; Africa/Nairobi when left out.
    time_zone: Option<String>,
    /// The first admin's login name.
    admin_login: String,
    /// The first admin's name; the login name when left out.
    admin_name: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedTenant {
    /// The tenant.
    id: TenantId,
    /// Sets the new admin's password once, within 24 hours; empty for somebody who has one already.
    setup_token: Option<String>,
    /// The page on which the admin sets it.
    setup_url: Option<String>,
}

/// Makes a tenant with its first admin.
#[utoipa::path(post, path = "/platform/tenants", tag = "platform", extensions(("x-permission" = json!("platform"))), request_body = CreateTenant, responses((status = 201, body = CreatedTenant)))]
async fn create(
    State(app): State<Arc<App>>,
    actor: Actor,
    Body(request): Body<CreateTenant>,
) -> Result<(StatusCode, Json<CreatedTenant>), Problem> {
    let actor = platform(actor)?;
    let new = NewTenant {
        name: request.name,
        currency: request.currency.unwrap_or(Currency::KES),
        time_zone: request.time_zone.unwrap_or_else(|| "Africa/Nairobi".to_owned()),
        admin_name: request.admin_name.unwrap_or_else(|| request.admin_login.clone()),
        admin_login: request.admin_login,
    };
    let (id, setup) = super::create(&app, &actor, new).await?;
    let setup_token = setup.map(|token| token.expose().clone());
    let setup_url = setup_token.as_ref().map(|token| app.config.setup_url(token));
    Ok((StatusCode::CREATED, Json(CreatedTenant { id, setup_token, setup_url })))
}

/// Suspends a tenant: its operators may only look; its customers keep what they paid for.
#[utoipa::path(post, path = "/platform/tenants/{id}/suspend", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 204)))]
async fn suspend(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<StatusCode, Problem> {
    super::set_status(&app, &platform(actor)?, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a suspended tenant active again.
#[utoipa::path(post, path = "/platform/tenants/{id}/activate", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 204)))]
async fn activate(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<StatusCode, Problem> {
    super::set_status(&app, &platform(actor)?, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the caller's own tenant: its name, currency and time zone.
#[utoipa::path(get, path = "/tenant", tag = "operators", extensions(("x-permission" = json!("packages.read"))), responses((status = 200, body = TenantView)))]
async fn own(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<TenantView>, Problem> {
    // Whoever may look at prices may know their currency.
    let mut tx = scope.read(&app, Permission::PackagesRead).await?;
    Ok(Json(super::current(&mut tx).await?))
}
