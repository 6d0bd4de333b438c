//! An ISP's own tenant over HTTP: what it is, what it set, what it may use and does use.

use super::super::flags::{self, FlagView};
use super::super::limits::{self, LimitView};
use super::super::metering::{self, Span, UsageDay};
use super::super::settings::{self, SettingsView};
use super::super::{OwnChange, Settings, TenantView};
use super::{TurnFlag, whole};
use crate::app::App;
use crate::http::{Body, List, Params, Permission, Problem, TenantScope};
use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show, change))
        .routes(routes!(show_settings, set_settings))
        .routes(routes!(show_history))
        .routes(routes!(show_flags, turn_flag))
        .routes(routes!(show_limits))
        .routes(routes!(show_usage))
}

/// Shows the caller's own tenant: its name, how it stands, its currency and time zone.
#[utoipa::path(get, path = "/tenant", tag = "tenant", extensions(("x-permission" = json!("packages.read"))), responses((status = 200, body = TenantView)))]
async fn show(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<TenantView>, Problem> {
    // Whoever may look at prices may know their currency.
    let mut tx = scope.read(&app, Permission::PackagesRead).await?;
    Ok(Json(super::super::current(&mut tx).await?))
}

/// Changes the caller's own currency, time zone or country.
#[utoipa::path(patch, path = "/tenant", tag = "tenant", extensions(("x-permission" = json!("settings.write"))), request_body = OwnChange, responses((status = 200, body = TenantView)))]
async fn change(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(change): Body<OwnChange>,
) -> Result<Json<TenantView>, Problem> {
    Ok(Json(super::super::set_own(&app, &scope, change).await?))
}

/// Shows the settings that hold.
#[utoipa::path(get, path = "/settings", tag = "tenant", extensions(("x-permission" = json!("settings.read"))), responses((status = 200, body = SettingsView)))]
async fn show_settings(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<SettingsView>, Problem> {
    Ok(Json(settings::show(&app, &scope).await?))
}

/// Lists the last 50 versions of the settings, newest first.
#[utoipa::path(get, path = "/settings/history", tag = "tenant", extensions(("x-permission" = json!("settings.read"))), responses((status = 200, body = List<SettingsView>)))]
async fn show_history(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<List<SettingsView>>, Problem> {
    Ok(whole(settings::history(&app, &scope).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetSettings {
    /// The version that was read; another one by now is a conflict.
    version: i32,
    /// All settings; what is left out goes back to its default.
    settings: Settings,
}

/// Sets everything anew, from a version that was read. Earlier versions are kept.
#[utoipa::path(put, path = "/settings", tag = "tenant", extensions(("x-permission" = json!("settings.write"))), request_body = SetSettings, responses((status = 200, body = SettingsView)))]
async fn set_settings(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<SetSettings>,
) -> Result<Json<SettingsView>, Problem> {
    Ok(Json(settings::replace(&app, &scope, request.version, request.settings).await?))
}

/// Shows the feature flags: which there are, what each does, who turns it, and how it stands.
#[utoipa::path(get, path = "/flags", tag = "tenant", extensions(("x-permission" = json!("settings.read"))), responses((status = 200, body = List<FlagView>)))]
async fn show_flags(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<List<FlagView>>, Problem> {
    Ok(whole(flags::own(&app, &scope).await?))
}

/// Turns a feature flag that the ISP's admin may turn.
#[utoipa::path(put, path = "/flags", tag = "tenant", extensions(("x-permission" = json!("settings.write"))), request_body = TurnFlag, responses((status = 200, body = List<FlagView>)))]
async fn turn_flag(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Body(request): Body<TurnFlag>,
) -> Result<Json<List<FlagView>>, Problem> {
    Ok(whole(flags::turn(&app, &scope, request.name, request.on).await?))
}

/// Shows the limits and how much of each is used.
#[utoipa::path(get, path = "/limits", tag = "tenant", extensions(("x-permission" = json!("settings.read"))), responses((status = 200, body = List<LimitView>)))]
async fn show_limits(State(app): State<Arc<App>>, scope: TenantScope) -> Result<Json<List<LimitView>>, Problem> {
    Ok(whole(limits::own(&app, &scope).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Days {
    /// The first day; 30 days before the last one when left out.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day; today when left out.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Date>,
}

/// Shows what the ISP was and used, day by day, the newest first; 366 days at most.
#[utoipa::path(get, path = "/tenant/usage", tag = "tenant", extensions(("x-permission" = json!("settings.read"))), params(Days), responses((status = 200, body = List<UsageDay>)))]
async fn show_usage(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(Days { from, until }): Params<Days>,
) -> Result<Json<List<UsageDay>>, Problem> {
    Ok(whole(metering::own(&app, &scope, Span { from, until }).await?))
}
