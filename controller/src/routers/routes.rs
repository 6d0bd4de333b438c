//! Routers over HTTP.

use super::{Added, Removed, RouterChange, RouterError, RouterMove, RouterView};
use crate::app::App;
use crate::http::{Actor, Body, Id, List, Page, Params, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use model::{EnrolmentId, RouterId, SiteId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<RouterError> for Problem {
    fn from(error: RouterError) -> Self {
        match error {
            RouterError::Name => Self::field("name", error.to_string()),
            RouterError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            RouterError::SerialTaken => Self::new(ProblemKind::Conflict, error.to_string()),
            RouterError::NotFound => Self::not_found("router"),
            RouterError::NoSite => Self::not_found("site"),
            RouterError::NoTenant => Self::not_found("tenant"),
            RouterError::Reason => Self::field("reason", error.to_string()),
            RouterError::SameTenant => Self::field("to", error.to_string()),
            RouterError::Receiver(_) | RouterError::HasCustomers(_) | RouterError::NotCleaned(_) => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            RouterError::NotJoined => Self::new(ProblemKind::Conflict, error.to_string()),
            RouterError::OtherSerial => Self::field("serial", error.to_string()),
            RouterError::Operator(error) => error.into(),
            RouterError::Enrolment(error) => error.into(),
            RouterError::Limit(error) => error.into(),
            RouterError::Tunnel(_) if error.is_full() => Self::new(ProblemKind::Limit, error.to_string()),
            RouterError::Tunnel(_) => Self::internal(&error),
            RouterError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of routers.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(add, list))
        .routes(routes!(get, change, remove))
        .routes(routes!(relocate))
        .routes(routes!(reissue))
        .routes(routes!(confirm))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddRouter {
    /// What people call it, 1 to 60 characters; unique among the ISP's routers.
    name: String,
}

/// What lets a router join. Either text is enough; both are shown this once.
#[derive(Debug, Serialize, ToSchema)]
struct AddedRouter {
    /// The router.
    id: RouterId,
    /// Its address in the tunnel.
    #[schema(value_type = String)]
    address: IpAddr,
    /// The enrolment.
    enrolment: EnrolmentId,
    /// Paste all of it into the router's terminal. It needs no fetch and no scheduler, so it works in every device-mode.
    block: String,
    /// One line that fetches the block; missing where HTTP has no certificate that a router could check.
    line: Option<String>,
    /// Until when they can be used, by one router.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Added> for AddedRouter {
    fn from(added: Added) -> Self {
        Self {
            id: added.id,
            address: added.address,
            enrolment: added.texts.id,
            block: added.texts.block.expose().clone(),
            line: added.texts.line.map(|line| line.expose().clone()),
            expires_at: added.texts.expires_at,
        }
    }
}

/// Adds a router and makes the texts that let it join.
#[utoipa::path(post, path = "/routers", tag = "routers", extensions(("x-permission" = json!("routers.write"))), request_body = AddRouter, responses((status = 201, body = AddedRouter)))]
async fn add(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<AddRouter>,
) -> Result<(StatusCode, Json<AddedRouter>), Problem> {
    let added = super::add(&app, &scope, &request.name).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those at one site.
    #[param(value_type = Option<String>)]
    site: Option<SiteId>,
}

/// Lists the routers.
#[utoipa::path(get, path = "/routers", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(Filter, Page), responses((status = 200, body = List<RouterView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<RouterView>>, Problem> {
    Ok(Json(super::list(&app, &scope, filter.site, &page).await?))
}

/// Shows a router: its stage, its tunnel, and how its enrolment fares.
#[utoipa::path(get, path = "/routers/{id}", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path)), responses((status = 200, body = RouterView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RouterId>) -> Result<Json<RouterView>, Problem> {
    Ok(Json(super::get(&app, &scope, id).await?))
}

/// Renames a router or says where it stands.
#[utoipa::path(patch, path = "/routers/{id}", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)), request_body = RouterChange, responses((status = 204)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    Body(request): Body<RouterChange>,
) -> Result<StatusCode, Problem> {
    super::change(&app, &scope, id, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes new texts for a router; the earlier ones are good no more.
#[utoipa::path(post, path = "/routers/{id}/reissue", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)), responses((status = 201, body = AddedRouter)))]
async fn reissue(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
) -> Result<(StatusCode, Json<AddedRouter>), Problem> {
    let added = super::reissue(&app, &scope, id).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirm {
    /// The serial number on the box; on a virtual router, its system id.
    serial: String,
}

/// Confirms that the router which joined is the one that was meant. Nothing is set up on it, and no customer's password sent, before.
#[utoipa::path(post, path = "/routers/{id}/confirm", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)), request_body = Confirm, responses((status = 204)))]
async fn confirm(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    Body(request): Body<Confirm>,
) -> Result<StatusCode, Problem> {
    super::confirm(&app, &scope, id, &request.serial).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a router out: cleans it as far as it can be reached, revokes its key and rests its address.
#[utoipa::path(delete, path = "/routers/{id}", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)), responses((status = 200, body = Removed)))]
async fn remove(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RouterId>) -> Result<Json<Removed>, Problem> {
    Ok(Json(super::remove(&app, &scope, id).await?))
}

#[derive(Debug, Serialize, ToSchema)]
struct MovedRouter {
    /// The router as the other ISP has it, and what to paste into it.
    router: AddedRouter,
    /// How far it was cleaned.
    removed: Removed,
}

/// Moves a router to another ISP: it is cleaned and revoked here, its history stays behind, and it waits for its enrolment there.
#[utoipa::path(post, path = "/platform/routers/{id}/move", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = RouterId, Path)), request_body = RouterMove,
    responses((status = 201, body = MovedRouter)))]
async fn relocate(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<RouterId>,
    Body(request): Body<RouterMove>,
) -> Result<(StatusCode, Json<MovedRouter>), Problem> {
    let Actor::Platform { actor, .. } = actor else {
        return Err(Problem::new(ProblemKind::Forbidden, "only the platform's operators may do this"));
    };
    let moved = super::relocate(&app, &actor, id, request).await?;
    Ok((StatusCode::CREATED, Json(MovedRouter { router: moved.added.into(), removed: moved.removed })))
}
