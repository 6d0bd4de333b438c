//! Vouchers over HTTP.

use super::{BatchView, NewBatch, Redeemed, Redemption, VoucherError, VoucherState, store};
use crate::app::App;
use crate::http::idempotency::{Claim, Found, IdempotencyKey, claim, finish, look};
use crate::http::{Body, Id, List, Page, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use db::TenantTx;
use model::{Deed, VoucherBatchId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// 10,000 given codes of 64 characters each, and what stands around them.
const BATCH_MAX_BYTES: usize = 1 << 20;

impl From<VoucherError> for Problem {
    fn from(error: VoucherError) -> Self {
        match error {
            VoucherError::Field { field, message } => Self::field(field, message),
            VoucherError::CodesTaken(_) => Self::new(ProblemKind::Exists, error.to_string()),
            VoucherError::NotFound => Self::not_found("voucher batch"),
            VoucherError::NoRouter => Self::not_found("router"),
            VoucherError::Code => Self::new(ProblemKind::NotFound, error.to_string()),
            VoucherError::Package(error) => error.into(),
            VoucherError::Customer(error) => error.into(),
            VoucherError::Payment(error) => error.into(),
            VoucherError::Operator(error) => error.into(),
            VoucherError::Vault(error) => error.into(),
            VoucherError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of vouchers.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    let batches = OpenApiRouter::new().routes(routes!(list, create)).layer(DefaultBodyLimit::max(BATCH_MAX_BYTES));
    batches.merge(OpenApiRouter::new().routes(routes!(reprint)).routes(routes!(void)).routes(routes!(redeem)))
}

/// Lists the batches of vouchers.
#[utoipa::path(get, path = "/voucher-batches", tag = "vouchers", extensions(("x-permission" = json!("vouchers.read"))), params(Page), responses((status = 200, body = List<BatchView>)))]
async fn list(State(app): State<Arc<App>>, scope: TenantScope, page: Page) -> Result<Json<List<BatchView>>, Problem> {
    let mut tx = scope.read(&app, Permission::VouchersRead).await?;
    Ok(Json(page.list(store::list(&mut tx, &page).await?)))
}

#[derive(Debug, Serialize, ToSchema)]
struct CreatedBatch {
    /// The batch.
    id: VoucherBatchId,
    /// Its codes.
    codes: Vec<String>,
}

/// What is kept of an answer that may be given again: no codes.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    id: VoucherBatchId,
}

/// Makes vouchers, or takes over codes that are printed already; sent again with the same Idempotency-Key, it is done once.
#[utoipa::path(post, path = "/voucher-batches", tag = "vouchers", extensions(("x-permission" = json!("vouchers.write"))), params(("Idempotency-Key" = Option<String>, Header)), request_body = NewBatch, responses((status = 201, body = CreatedBatch)))]
async fn create(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: Option<IdempotencyKey>,
    Body(request): Body<NewBatch>,
) -> Result<(StatusCode, Json<CreatedBatch>), Problem> {
    let now = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Sell, Permission::VouchersWrite).await?;
    let mut fresh = None;
    if let Some(key) = &key {
        let same = same(&app, &mut tx, &request).await?;
        match look(&app, &mut tx, key, "voucher_batch.create", &same, now).await? {
            Found::Fresh(id) => fresh = Some(id),
            Found::Done(_, answer) => {
                let Kept { id } = serde_json::from_value(answer).map_err(|error| Problem::internal(&error))?;
                let printed = super::opened(&app, &mut tx, id).await?;
                let codes = printed.iter().map(|printed| printed.code.expose().clone()).collect();
                return Ok((StatusCode::CREATED, Json(CreatedBatch { id, codes })));
            }
        }
    }
    let made = super::create(&app, &mut tx, request, now).await?;
    if let Some(fresh) = fresh {
        finish(&mut tx, fresh, StatusCode::CREATED, &Kept { id: made.id }).await?;
    }
    tx.commit().await?;
    let codes = made.codes.iter().map(|code| code.expose().clone()).collect();
    Ok((StatusCode::CREATED, Json(CreatedBatch { id: made.id, codes })))
}

/// What makes two requests the same: every field, and a fingerprint of the codes, so that what is kept lets nobody try codes out.
async fn same(app: &App, tx: &mut TenantTx, new: &NewBatch) -> Result<serde_json::Value, Problem> {
    let NewBatch { package, count, length, codes, router, expires_at } = new;
    let joined = codes.as_ref().map(|codes| codes.iter().map(|code| code.expose().as_str()).collect::<Vec<_>>().join("\n"));
    let codes = match joined {
        Some(joined) => Some(app.vault.fingerprint(tx, "voucher_batch", &joined).await?),
        None => None,
    };
    Ok(serde_json::json!([package, count, length, codes, router, expires_at]))
}

#[derive(Debug, Serialize, ToSchema)]
struct Code {
    /// The code.
    code: String,
    /// Where it stands.
    state: VoucherState,
}

#[derive(Debug, Serialize, ToSchema)]
struct Codes {
    /// All codes of the batch.
    items: Vec<Code>,
}

/// Shows a batch's codes, to print them again; the audit log says who did.
#[utoipa::path(get, path = "/voucher-batches/{id}/codes", tag = "vouchers", extensions(("x-permission" = json!("vouchers.read"))), params(("id" = VoucherBatchId, Path)),
    responses((status = 200, body = Codes)))]
async fn reprint(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<VoucherBatchId>) -> Result<Json<Codes>, Problem> {
    let codes = super::reprint(&app, &scope, id).await?;
    let items = codes.iter().map(|printed| Code { code: printed.code.expose().clone(), state: printed.state }).collect();
    Ok(Json(Codes { items }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VoidBatch {
    /// Why, in 1 to 200 characters.
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct VoidedBatch {
    /// How many codes can be used no more that could be before.
    voided: u64,
}

/// Takes what is left of a batch out of use, such as one that was stolen; what was used stays used.
#[utoipa::path(post, path = "/voucher-batches/{id}/void", tag = "vouchers", extensions(("x-permission" = json!("vouchers.write"))), params(("id" = VoucherBatchId, Path)), request_body = VoidBatch,
    responses((status = 200, body = VoidedBatch)))]
async fn void(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<VoucherBatchId>,
    Body(request): Body<VoidBatch>,
) -> Result<Json<VoidedBatch>, Problem> {
    let mut tx = scope.write(&app, Permission::VouchersWrite).await?;
    let voided = super::void(&mut tx, id, &request.reason, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(VoidedBatch { voided }))
}

/// Uses a voucher's code up and puts the time on; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/vouchers/redeem", tag = "vouchers", extensions(("x-permission" = json!("payments.take"))), params(("Idempotency-Key" = String, Header)), request_body = Redemption,
    responses((status = 201, body = Redeemed)))]
async fn redeem(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Body(request): Body<Redemption>,
) -> Result<Response, Problem> {
    let received_at = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Sell, Permission::PaymentsTake).await?;
    // The fingerprint stands for the code: what is kept of the request must not let anybody try codes out.
    let fingerprint = super::fingerprint(&app, &mut tx, &request.code).await?;
    let same = (fingerprint, request.router, request.customer, &request.mac);
    let id = match claim(&app, &mut tx, &key, "voucher.redeem", &same, received_at).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let redeemed = super::redeem(&app, &mut tx, request, received_at).await?;
    finish(&mut tx, id, StatusCode::CREATED, &redeemed).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(redeemed)).into_response())
}
