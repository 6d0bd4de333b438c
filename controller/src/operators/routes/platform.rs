//! People across tenants, and visits in one, over HTTP, for the platform's operator.

use super::members::ResetLink;
use crate::app::App;
use crate::http::{Actor, Body, Id, List, Page, Params, Problem, ProblemKind};
use crate::operators::Role;
use crate::operators::people::{self, PersonView};
use crate::operators::visits::{self, NewVisit};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use db::PlatformActor;
use jiff::Timestamp;
use model::{ImpersonationId, OperatorId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long a visit lasts when nothing is said, in minutes.
const VISIT_MINUTES: i64 = 30;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_people))
        .routes(routes!(reset_person))
        .routes(routes!(move_person))
        .routes(routes!(begin_visit))
}

fn platform(actor: Actor) -> Result<(PlatformActor, OperatorId), Problem> {
    match actor {
        Actor::Platform { actor, operator, .. } => Ok((actor, operator)),
        Actor::Tenant { .. } => Err(Problem::new(ProblemKind::Forbidden, "only the platform's operators may do this")),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PersonFilter {
    /// Only who logs in with this name.
    login: Option<String>,
}

/// Lists the people of all ISPs and of the platform.
#[utoipa::path(get, path = "/platform/operators", tag = "platform", extensions(("x-permission" = json!("platform"))), params(PersonFilter, Page), responses((status = 200, body = List<PersonView>)))]
async fn list_people(
    State(app): State<Arc<App>>,
    actor: Actor,
    Params(filter): Params<PersonFilter>,
    page: Page,
) -> Result<Json<List<PersonView>>, Problem> {
    let (actor, _) = platform(actor)?;
    Ok(Json(people::list(&app, &actor, filter.login.as_deref(), &page).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetPerson {
    /// Take the second factor away too, for who has lost it with all recovery codes.
    #[serde(default)]
    forget_second_factor: bool,
}

/// Makes a one-time link for somebody who lost their password.
#[utoipa::path(post, path = "/platform/operators/{id}/reset", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = OperatorId, Path)), request_body = ResetPerson, responses((status = 201, body = ResetLink)))]
async fn reset_person(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<OperatorId>,
    Body(request): Body<ResetPerson>,
) -> Result<(StatusCode, Json<ResetLink>), Problem> {
    let (actor, _) = platform(actor)?;
    let (token, expires_at) = people::reset_link(&app, &actor, id, request.forget_second_factor).await?;
    let setup_url = app.config.setup_url(token.expose());
    Ok((StatusCode::CREATED, Json(ResetLink { setup_token: token.expose().clone(), setup_url, expires_at })))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveOperator {
    /// The ISP they serve now.
    from: TenantId,
    /// The ISP they will serve.
    to: TenantId,
    /// What they will be there.
    role: Role,
}

/// Moves somebody from one ISP to another, with nothing of the one left to them.
#[utoipa::path(post, path = "/platform/operators/{id}/move", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = OperatorId, Path)), request_body = MoveOperator, responses((status = 204)))]
async fn move_person(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<OperatorId>,
    Body(request): Body<MoveOperator>,
) -> Result<StatusCode, Problem> {
    let (actor, _) = platform(actor)?;
    people::move_to(&app, &actor, id, request.from, request.to, request.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BeginVisit {
    /// What the visit is for; the ISP reads it.
    reason: String,
    /// For how long, 1 to 60 minutes; 30 when left out.
    minutes: Option<i64>,
    /// Whether something may be changed; a visit looks only when left out.
    #[serde(default)]
    write: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct BegunVisit {
    /// The visit.
    id: ImpersonationId,
    /// Send it as `Authorization: Bearer …`; shown this once. `POST /logout` with it ends the visit.
    token: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Begins a visit of the support in an ISP, which is told of it.
#[utoipa::path(post, path = "/platform/tenants/{id}/impersonations", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), request_body = BeginVisit, responses((status = 201, body = BegunVisit)))]
async fn begin_visit(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(tenant): Id<TenantId>,
    Body(request): Body<BeginVisit>,
) -> Result<(StatusCode, Json<BegunVisit>), Problem> {
    let (actor, visitor) = platform(actor)?;
    let minutes = request.minutes.unwrap_or(VISIT_MINUTES);
    let new = NewVisit { tenant, reason: request.reason, minutes, writes: request.write };
    let begun = visits::begin(&app, &actor, visitor, &new).await?;
    Ok((
        StatusCode::CREATED,
        Json(BegunVisit { id: begun.id, token: begun.token.expose().clone(), expires_at: begun.expires_at }),
    ))
}
