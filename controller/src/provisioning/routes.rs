//! Preflight, services, plans and state of routers over HTTP.

use super::facts::{FindingView, Preflight};
use super::store::{self, ChangeSetView, StateView};
use super::{Kept, OpenError, ProvisionError, ServiceChoice};
use crate::app::App;
use crate::http::{Body, Id, List, Page, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::RouterId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<ProvisionError> for Problem {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::NotFound => Self::not_found("router"),
            ProvisionError::NotConfirmed => Self::new(ProblemKind::Conflict, error.to_string()),
            ProvisionError::Service(fault) => Self::field(fault.field, fault.message),
            ProvisionError::Blocked(ref findings) => {
                let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
                Self::new(ProblemKind::Conflict, format!("{error}\n{}", texts.join("\n")))
            }
            ProvisionError::Open(_) if error.is_away() => Self::new(
                ProblemKind::Router,
                "the router is not connected; what is wanted is stored and will be applied when it is back",
            ),
            ProvisionError::Open(OpenError::Db(error)) | ProvisionError::Db(error) => error.into(),
            ProvisionError::Operator(error) => error.into(),
            // The texts of these speak of the router and of our objects on it; secrets are in none of them.
            ProvisionError::Open(_)
            | ProvisionError::Facts(_)
            | ProvisionError::Apply(_)
            | ProvisionError::Export(_)
            | ProvisionError::StillDiffers(_)
            | ProvisionError::TakenBack { .. }
            | ProvisionError::NotSeenAgain { .. }
            | ProvisionError::UndoArmed { .. } => Self::new(ProblemKind::Router, telemetry::chain(&error)),
            ProvisionError::OtherSerial { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            ProvisionError::Site(_) => Self::new(ProblemKind::Conflict, telemetry::chain(&error)),
            ProvisionError::Vault(_)
            | ProvisionError::Tunnel(_)
            | ProvisionError::Customers(_)
            | ProvisionError::Configuration(_)
            | ProvisionError::Sessions(_) => Self::internal(&error),
        }
    }
}

/// Returns the routes of provisioning.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(preflight))
        .routes(routes!(choose_services))
        .routes(routes!(plan))
        .routes(routes!(apply))
        .routes(routes!(state))
        .routes(routes!(change_sets))
        .routes(routes!(sessions))
        .routes(routes!(take_configuration))
}

/// Reads the router and says what stands in the way of serving customers.
#[utoipa::path(get, path = "/routers/{id}/preflight", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path)), responses((status = 200, body = Preflight)))]
async fn preflight(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RouterId>) -> Result<Json<Preflight>, Problem> {
    Ok(Json(super::preflight(&app, &scope, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChooseServices {
    /// Everything the router shall offer; an empty list means nothing.
    services: Vec<ServiceChoice>,
}

/// Chooses what the router offers. Nothing is written to it until the plan is applied.
#[utoipa::path(put, path = "/routers/{id}/services", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)), request_body = ChooseServices, responses((status = 204)))]
async fn choose_services(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    Body(request): Body<ChooseServices>,
) -> Result<StatusCode, Problem> {
    super::choose_services(&app, &scope, id, &request.services).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
struct PlanView {
    /// How many commands would change something.
    writes: usize,
    /// One line for each change, kick and finding.
    text: String,
    /// The changes as data, without secrets.
    #[schema(value_type = Object)]
    changes: serde_json::Value,
    /// What was left alone, and why.
    findings: Vec<FindingView>,
}

/// Shows what the chosen services would change on the router now. Nothing is written.
#[utoipa::path(get, path = "/routers/{id}/plan", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path)), responses((status = 200, body = PlanView)))]
async fn plan(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RouterId>) -> Result<Json<PlanView>, Problem> {
    let set = super::plan(&app, &scope, id).await?;
    Ok(Json(PlanView {
        writes: set.changes.len() + set.kicks.len(),
        text: set.to_string(),
        findings: set.findings.iter().map(FindingView::from).collect(),
        changes: serde_json::to_value(&set).map_err(|error| Problem::internal(&error))?,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
struct AppliedView {
    /// Whether the router holds what is wanted, as read back from it.
    applied: bool,
    /// How many commands changed something; 0 when it held everything already.
    writes: usize,
    /// What is under way or went wrong.
    detail: String,
}

/// Approves the chosen services, brings the router to them and reads them back.
#[utoipa::path(post, path = "/routers/{id}/apply", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)),
    responses((status = 200, body = AppliedView), (status = 202, body = AppliedView, description = "approved; the router takes longer than 45 s")))]
async fn apply(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
) -> Result<(StatusCode, Json<AppliedView>), Problem> {
    match super::apply(&app, &scope, id).await? {
        Some(done) => match done.result {
            Ok(writes) => {
                Ok((StatusCode::OK, Json(AppliedView { applied: true, writes, detail: "applied and read back".to_owned() })))
            }
            Err(detail) => Err(Problem::new(ProblemKind::Router, detail)),
        },
        None => Ok((
            StatusCode::ACCEPTED,
            Json(AppliedView {
                applied: false,
                writes: 0,
                detail: "approved; the router has not confirmed yet, see its state".to_owned(),
            }),
        )),
    }
}

/// Says whether the router holds what is wanted.
#[utoipa::path(get, path = "/routers/{id}/state", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path)), responses((status = 200, body = StateView)))]
async fn state(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RouterId>) -> Result<Json<StateView>, Problem> {
    let mut tx = scope.read(&app, Permission::RoutersRead).await?;
    let state = store::state(&mut tx, id).await?.ok_or_else(|| Problem::not_found("router"))?;
    Ok(Json(state))
}

/// Lists the plans that were applied to the router, with the time each part took.
#[utoipa::path(get, path = "/routers/{id}/change-sets", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path), Page), responses((status = 200, body = List<ChangeSetView>)))]
async fn change_sets(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
    page: Page,
) -> Result<Json<List<ChangeSetView>>, Problem> {
    let mut tx = scope.read(&app, Permission::RoutersRead).await?;
    store::state(&mut tx, id).await?.ok_or_else(|| Problem::not_found("router"))?;
    Ok(Json(page.list(store::list_change_sets(&mut tx, id, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionsView {
    /// The sessions the router lists now.
    items: Vec<SessionView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RouterSessionView)]
struct SessionView {
    /// `pppoe` or `hotspot`.
    kind: String,
    /// The customer's login.
    login: String,
    /// The customer's address.
    address: String,
    /// The customer's device.
    mac: String,
    /// Since how long, as the router writes it.
    uptime: String,
}

/// Lists the sessions that are live on the router now.
#[utoipa::path(get, path = "/routers/{id}/sessions", tag = "routers", extensions(("x-permission" = json!("routers.read"))), params(("id" = RouterId, Path)), responses((status = 200, body = SessionsView)))]
async fn sessions(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<RouterId>) -> Result<Json<SessionsView>, Problem> {
    let items = super::sessions(&app, &scope, id).await?;
    let view = |live: super::run::LiveSession| SessionView {
        kind: live.kind.to_owned(),
        login: live.login,
        address: live.address,
        mac: live.mac,
        uptime: live.uptime,
    };
    Ok(Json(SessionsView { items: items.into_iter().map(view).collect() }))
}

/// Takes the router's configuration now; it is kept when it differs from the one before. One file is written on the router and removed again.
#[utoipa::path(post, path = "/routers/{id}/configurations", tag = "routers", extensions(("x-permission" = json!("routers.write"))), params(("id" = RouterId, Path)), responses((status = 200, body = Kept)))]
async fn take_configuration(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<RouterId>,
) -> Result<Json<Kept>, Problem> {
    Ok(Json(super::take_configuration(&app, &scope, id).await?))
}
