//! Tenants over HTTP: the platform makes and governs them, an ISP sees and sets its own.

mod own;
mod purge;

use super::flags::{self, FlagError, FlagView};
use super::lifecycle::{self, TenantChange, Transition};
use super::limits::{self, LimitChange, LimitError, LimitView, Wish};
use super::metering::{self, TenantUsage};
use super::{Bounds, CustomerPolicy, Flag, Limit, NewTenant, TenantError, TenantView, store};
use crate::app::App;
use crate::http::{Actor, Body, Id, List, Page, Params, Problem, ProblemKind};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use db::PlatformActor;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::{Currency, Standing, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Field { field, message } => Self::field(field, message),
            TenantError::NameTaken => Self::new(ProblemKind::Exists, error.to_string()),
            TenantError::NotFound => Self::not_found("tenant"),
            TenantError::NoCertificate => Self::not_found("certificate"),
            TenantError::Standing { .. }
            | TenantError::PurgeInstead
            | TenantError::CurrencyInUse
            | TenantError::NotYet(_)
            | TenantError::Stale { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            TenantError::Limit(error) => error.into(),
            TenantError::Flag(error) => error.into(),
            TenantError::Operator(error) => error.into(),
            TenantError::Tunnel(error) => Self::internal(&error),
            TenantError::Files(_) => Self::internal(&error),
            TenantError::Db(error) => error.into(),
        }
    }
}

impl From<LimitError> for Problem {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Reached { .. } => Self::new(ProblemKind::TenantLimit, error.to_string()),
            LimitError::Db(error) => error.into(),
        }
    }
}

impl From<FlagError> for Problem {
    fn from(error: FlagError) -> Self {
        match error {
            FlagError::Off(_) => Self::new(ProblemKind::Conflict, error.to_string()),
            FlagError::NotYours(_) => Self::new(ProblemKind::Forbidden, error.to_string()),
            FlagError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of tenants.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
        .routes(routes!(suspend))
        .routes(routes!(activate))
        .routes(routes!(change_standing))
        .routes(routes!(show_limits, set_limit))
        .routes(routes!(show_flags, turn_flag))
        .routes(routes!(show_usage))
        .merge(purge::routes())
        .merge(own::routes())
}

fn platform(actor: Actor) -> Result<PlatformActor, Problem> {
    match actor {
        Actor::Platform { actor, .. } => Ok(actor),
        Actor::Tenant { .. } => Err(Problem::new(ProblemKind::Forbidden, "only the platform's operators may do this")),
    }
}

fn whole<T>(items: Vec<T>) -> Json<List<T>> {
    Json(List { items, next: None })
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
    /// How many days it may try the platform out with smaller limits, 1 to 366; active at once when left out.
    trial_days: Option<u16>,
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
    let trial = request.trial_days.map(|days| trial_end(days, app.clock.now())).transpose()?;
    let new = NewTenant {
        name: request.name,
        currency: request.currency.unwrap_or(Currency::KES),
        time_zone: request.time_zone.unwrap_or_else(|| "Africa/Nairobi".to_owned()),
        admin_name: request.admin_name.unwrap_or_else(|| request.admin_login.clone()),
        admin_login: request.admin_login,
        trial_ends_at: trial,
    };
    let (id, setup) = super::create(&app, &actor, new).await?;
    let setup_token = setup.map(|token| token.expose().clone());
    let setup_url = setup_token.as_ref().map(|token| app.config.setup_url(token));
    Ok((StatusCode::CREATED, Json(CreatedTenant { id, setup_token, setup_url })))
}

fn trial_end(days: u16, now: Timestamp) -> Result<Timestamp, Problem> {
    if (1..=366).contains(&days) {
        Ok(now + SignedDuration::from_hours(24 * i64::from(days)))
    } else {
        Err(Problem::field("trial_days", "a trial takes 1 to 366 days"))
    }
}

/// Shows a tenant.
#[utoipa::path(get, path = "/platform/tenants/{id}", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 200, body = TenantView)))]
async fn show(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<Json<TenantView>, Problem> {
    let mut tx = app.db.platform(&platform(actor)?, &format!("{id} was read"), app.clock.now()).await?;
    let tenant = store::get(&mut tx, id).await?.ok_or(TenantError::NotFound)?;
    tx.commit().await?;
    Ok(Json(tenant))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeTenant {
    /// Another name.
    name: Option<String>,
    /// So many days of trial from now, 1 to 366.
    trial_days: Option<u16>,
    /// What happens to its customers at the next suspension.
    customer_policy: Option<CustomerPolicy>,
}

/// Changes a tenant's name, its trial's end, or what a suspension does to its customers. What is left out stays.
#[utoipa::path(patch, path = "/platform/tenants/{id}", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), request_body = ChangeTenant, responses((status = 200, body = TenantView)))]
async fn change(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<TenantId>,
    Body(request): Body<ChangeTenant>,
) -> Result<Json<TenantView>, Problem> {
    let actor = platform(actor)?;
    let trial_ends_at = request.trial_days.map(|days| trial_end(days, app.clock.now())).transpose()?;
    let change = TenantChange { name: request.name, trial_ends_at, customer_policy: request.customer_policy };
    Ok(Json(lifecycle::update(&app, &actor, id, change).await?))
}

/// Suspends a tenant: its operators may only look; its customers keep what they paid for, by its policy.
#[utoipa::path(post, path = "/platform/tenants/{id}/suspend", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 204)))]
async fn suspend(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<StatusCode, Problem> {
    let reason = "suspended by the platform's operator";
    lifecycle::change_standing(&app, &platform(actor)?, id, Standing::Suspended, reason, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a tenant active: out of a trial, after it settled what it owed, or at the end of a suspension.
#[utoipa::path(post, path = "/platform/tenants/{id}/activate", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 204)))]
async fn activate(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<StatusCode, Problem> {
    let reason = "activated by the platform's operator";
    lifecycle::change_standing(&app, &platform(actor)?, id, Standing::Active, reason, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeStanding {
    /// How it is to stand.
    to: Standing,
    /// Why, in 3 to 300 characters; the tenant reads it.
    reason: String,
    /// Only say what it would do.
    #[serde(default)]
    dry_run: bool,
}

/// Moves a tenant along its road: `trial`, `active`, `past_due`, `restricted` (no sales, no new customers and routers), `suspended` (look and
/// take data out), `exported`. Purging is an operation of its own.
#[utoipa::path(post, path = "/platform/tenants/{id}/standing", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), request_body = ChangeStanding, responses((status = 200, body = Transition)))]
async fn change_standing(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<TenantId>,
    Body(request): Body<ChangeStanding>,
) -> Result<Json<Transition>, Problem> {
    let (actor, ChangeStanding { to, reason, dry_run }) = (platform(actor)?, request);
    Ok(Json(lifecycle::change_standing(&app, &actor, id, to, &reason, dry_run).await?))
}

/// Shows a tenant's limits and how much of each is used.
#[utoipa::path(get, path = "/platform/tenants/{id}/limits", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 200, body = List<LimitView>)))]
async fn show_limits(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<Json<List<LimitView>>, Problem> {
    Ok(whole(limits::of_tenant(&app, &platform(actor)?, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetLimit {
    /// Which one.
    name: Limit,
    /// The new bounds; the default again when left out.
    bounds: Option<Bounds>,
    /// Why, in 3 to 300 characters; the tenant reads it.
    reason: String,
    /// Only say what it would do.
    #[serde(default)]
    dry_run: bool,
}

/// Sets one of a tenant's limits, or only says how much would be beyond it. Nothing is ever taken away by a limit.
#[utoipa::path(put, path = "/platform/tenants/{id}/limits", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), request_body = SetLimit, responses((status = 200, body = LimitChange)))]
async fn set_limit(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<TenantId>,
    Body(request): Body<SetLimit>,
) -> Result<Json<LimitChange>, Problem> {
    let wish = Wish { limit: request.name, bounds: request.bounds, reason: request.reason, dry_run: request.dry_run };
    Ok(Json(limits::set(&app, &platform(actor)?, id, wish).await?))
}

/// Shows a tenant's feature flags.
#[utoipa::path(get, path = "/platform/tenants/{id}/flags", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), responses((status = 200, body = List<FlagView>)))]
async fn show_flags(State(app): State<Arc<App>>, actor: Actor, Id(id): Id<TenantId>) -> Result<Json<List<FlagView>>, Problem> {
    Ok(whole(flags::of_tenant(&app, &platform(actor)?, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TurnFlag {
    /// Which one.
    name: Flag,
    /// Whether it is to be on.
    on: bool,
}

/// Turns one of a tenant's feature flags.
#[utoipa::path(put, path = "/platform/tenants/{id}/flags", tag = "platform", extensions(("x-permission" = json!("platform"))), params(("id" = TenantId, Path)), request_body = TurnFlag, responses((status = 200, body = List<FlagView>)))]
async fn turn_flag(
    State(app): State<Arc<App>>,
    actor: Actor,
    Id(id): Id<TenantId>,
    Body(request): Body<TurnFlag>,
) -> Result<Json<List<FlagView>>, Problem> {
    Ok(whole(flags::turn_across(&app, &platform(actor)?, id, request.name, request.on).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UntilDay {
    /// The newest day of each tenant up to this one; today when left out.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Date>,
}

/// Shows what every tenant is and uses, table by table, on its newest measured day; the newest tenant first.
#[utoipa::path(get, path = "/platform/usage", tag = "platform", extensions(("x-permission" = json!("platform"))), params(UntilDay, Page), responses((status = 200, body = List<TenantUsage>)))]
async fn show_usage(
    State(app): State<Arc<App>>,
    actor: Actor,
    Params(asked): Params<UntilDay>,
    page: Page,
) -> Result<Json<List<TenantUsage>>, Problem> {
    Ok(Json(metering::across(&app, &platform(actor)?, asked.until, &page).await?))
}
