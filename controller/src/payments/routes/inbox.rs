//! Money that fits nobody yet, and statements, over HTTP.

use crate::app::App;
use crate::http::idempotency::{Claim, IdempotencyKey, claim, finish};
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use crate::payments::inbox::{self, Arrived, Match, NewArrival, Refund, UnmatchedState};
use crate::payments::{Imported, Method, Origin, Taken, UnmatchedView, store};
use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use model::{GatewayId, UnmatchedId};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// 2,000 lines of 500 bytes.
const STATEMENT_MAX_BYTES: usize = 1 << 20;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    let statements = OpenApiRouter::new().routes(routes!(import)).layer(DefaultBodyLimit::max(STATEMENT_MAX_BYTES));
    let items = OpenApiRouter::new().routes(routes!(list, arrive)).routes(routes!(get)).routes(routes!(resolve));
    statements.merge(items.routes(routes!(refund)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those that stand there.
    state: Option<UnmatchedState>,
}

/// Lists the money that fitted nobody.
#[utoipa::path(get, path = "/unmatched-payments", tag = "payments", extensions(("x-permission" = json!("payments.read"))), params(Filter, Page), responses((status = 200, body = List<UnmatchedView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<UnmatchedView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(page.list(store::inbox::list(&mut tx, filter.state, &page).await?)))
}

/// Shows money that fitted nobody, and who it may be.
#[utoipa::path(get, path = "/unmatched-payments/{id}", tag = "payments", extensions(("x-permission" = json!("payments.read"))), params(("id" = UnmatchedId, Path)), responses((status = 200, body = UnmatchedView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<UnmatchedId>) -> Result<Json<UnmatchedView>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(inbox::item(&mut tx, id).await?))
}

/// Books money from a statement of the bank or of mobile money: for the customer whose account number or login was typed, else into the inbox.
#[utoipa::path(post, path = "/unmatched-payments", tag = "payments", extensions(("x-permission" = json!("payments.match"))),
    params(("Idempotency-Key" = String, Header)), request_body = NewArrival, responses((status = 201, body = Arrived)))]
async fn arrive(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Body(request): Body<NewArrival>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::PaymentsMatch).await?;
    let id = match claim(&app, &mut tx, &key, "payment.arrive", &request, now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let arrived = inbox::arrive(&app, &mut tx, request).await?;
    finish(&mut tx, id, StatusCode::CREATED, &arrived).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(arrived)).into_response())
}

/// Says whose money it is: it buys the package, or goes into the wallet.
#[utoipa::path(post, path = "/unmatched-payments/{id}/match", tag = "payments", extensions(("x-permission" = json!("payments.match"))),
    params(("id" = UnmatchedId, Path), ("Idempotency-Key" = String, Header)), request_body = Match, responses((status = 200, body = Taken)))]
async fn resolve(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(item): Id<UnmatchedId>,
    Body(request): Body<Match>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::PaymentsMatch).await?;
    let id = match claim(&app, &mut tx, &key, "payment.match", &(item, &request), now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let taken: Taken = inbox::resolve(&app, &mut tx, item, request).await?;
    finish(&mut tx, id, StatusCode::OK, &taken).await?;
    tx.commit().await?;
    Ok((StatusCode::OK, Json(taken)).into_response())
}

/// Notes that money which fitted nobody was given back.
#[utoipa::path(post, path = "/unmatched-payments/{id}/refund", tag = "payments", extensions(("x-permission" = json!("payments.match"))),
    params(("id" = UnmatchedId, Path)), request_body = Refund, responses((status = 204)))]
async fn refund(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(item): Id<UnmatchedId>,
    Body(request): Body<Refund>,
) -> Result<StatusCode, Problem> {
    let mut tx = scope.write(&app, Permission::PaymentsMatch).await?;
    inbox::refund(&app, &mut tx, item, request).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Import {
    /// Whether the file is only looked at.
    dry_run: bool,
    /// `bank` or `mobile_money`; bank when left out.
    method: Option<Method>,
    /// Through which gateway, if through one of yours.
    #[param(value_type = Option<String>)]
    gateway: Option<GatewayId>,
}

/// Books a statement of the bank or of mobile money, as a table in CSV with the columns receipt and amount, and if you like date, account,
/// phone and name. All lines are booked, or none; what was booked before is known by its receipt.
#[utoipa::path(post, path = "/statements", tag = "payments", extensions(("x-permission" = json!("payments.match"))), params(Import), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported)))]
async fn import(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(params): Params<Import>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Imported>, Problem> {
    let mut tx = scope.write(&app, Permission::PaymentsMatch).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("text/csv") {
        return Err(Problem::new(ProblemKind::MediaType, "send the file as `Content-Type: text/csv`"));
    }
    let file = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(ProblemKind::TooLarge, "a statement has at most 1 MiB: cut it into several")
        }
        _ => Problem::new(ProblemKind::Invalid, "the file did not arrive whole"),
    })?;
    let origin = Origin { method: params.method.unwrap_or(Method::Bank), gateway: params.gateway };
    let imported = crate::payments::import(&app, &mut tx, origin, &file, params.dry_run).await?;
    if !params.dry_run {
        tx.commit().await?;
    }
    Ok(Json(imported))
}
