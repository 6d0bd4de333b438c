//! Payments over HTTP.

mod attempts;
mod inbox;

use super::{
    Compensated, Compensation, InvoicePaid, NewCash, NewInvoicePayment, NewTopUp, PaymentDetails, PaymentError, PaymentView,
    Reversed, Taken, store,
};
use crate::app::App;
use crate::http::idempotency::{Claim, IdempotencyKey, claim, finish};
use crate::http::{Body, FieldError, Id, List, Page, Params, Permission, Problem, ProblemKind, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::{CustomerId, Deed, InvoiceId, PackageId, PaymentId, RouterId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        match error {
            PaymentError::Field { field, message } => Self::field(field, message),
            PaymentError::Amount(_) => Self::field("amount", error.to_string()),
            PaymentError::File(message) => Self::field("file", message),
            PaymentError::Lines(ref faults) => {
                let mut problem = Self::new(ProblemKind::Invalid, error.to_string());
                problem.errors = faults
                    .iter()
                    .map(|fault| FieldError { field: format!("line {}", fault.line), message: fault.message.clone() })
                    .collect();
                problem
            }
            PaymentError::ReceiptTaken(_) => Self::new(ProblemKind::Exists, error.to_string()),
            PaymentError::NotFound(what) => Self::not_found(what),
            PaymentError::Short { .. }
            | PaymentError::Reversed
            | PaymentError::Unmatched
            | PaymentError::Resolved(_)
            | PaymentError::Sandbox
            | PaymentError::NoMoneyGateway
            | PaymentError::Attempt(_) => Self::new(ProblemKind::Conflict, error.to_string()),
            PaymentError::Customer(error) => error.into(),
            PaymentError::Package(error) => error.into(),
            PaymentError::Ledger(error) => error.into(),
            PaymentError::Gateway(error) => error.into(),
            PaymentError::Invoice(error) => error.into(),
            PaymentError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of payments.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(take_cash))
        .routes(routes!(top_up))
        .routes(routes!(pay_from_wallet))
        .routes(routes!(pay_invoice))
        .routes(routes!(compensate))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(reverse))
        .merge(attempts::routes())
        .merge(inbox::routes())
}

/// Takes cash from a customer and puts the time on, all in one; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/customers/{id}/payments", tag = "payments", extensions(("x-permission" = json!("payments.take"))),
    params(("id" = CustomerId, Path), ("Idempotency-Key" = String, Header)), request_body = NewCash, responses((status = 201, body = Taken)))]
async fn take_cash(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(customer): Id<CustomerId>,
    Body(request): Body<NewCash>,
) -> Result<Response, Problem> {
    let received_at = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Sell, Permission::PaymentsTake).await?;
    let id = match claim(&app, &mut tx, &key, "payment.cash", &(customer, &request), received_at).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let taken = super::take_cash(&app, &mut tx, customer, request, received_at).await?;
    finish(&mut tx, id, StatusCode::CREATED, &taken).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(taken)).into_response())
}

/// Takes cash from a customer and puts it into the wallet; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/customers/{id}/wallet/top-up", tag = "wallets", extensions(("x-permission" = json!("payments.take"))),
    params(("id" = CustomerId, Path), ("Idempotency-Key" = String, Header)), request_body = NewTopUp, responses((status = 201, body = Taken)))]
async fn top_up(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(customer): Id<CustomerId>,
    Body(request): Body<NewTopUp>,
) -> Result<Response, Problem> {
    let received_at = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Sell, Permission::PaymentsTake).await?;
    let id = match claim(&app, &mut tx, &key, "wallet.top-up", &(customer, &request), received_at).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let taken = super::top_up(&app, &mut tx, customer, request, received_at).await?;
    finish(&mut tx, id, StatusCode::CREATED, &taken).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(taken)).into_response())
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PayFromWallet {
    /// The package; the customer's own when left out. Another one becomes the customer's.
    package: Option<PackageId>,
}

/// Pays a package out of the customer's wallet; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/customers/{id}/wallet/pay", tag = "wallets", extensions(("x-permission" = json!("payments.take"))),
    params(("id" = CustomerId, Path), ("Idempotency-Key" = String, Header)), request_body = PayFromWallet,
    responses((status = 201, body = Taken)))]
async fn pay_from_wallet(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(customer): Id<CustomerId>,
    Body(request): Body<PayFromWallet>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write_to(&app, Deed::Sell, Permission::PaymentsTake).await?;
    let id = match claim(&app, &mut tx, &key, "wallet.pay", &(customer, &request), now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let taken = super::pay_from_wallet(&app, &mut tx, customer, request.package, now).await?;
    finish(&mut tx, id, StatusCode::CREATED, &taken).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(taken)).into_response())
}

/// Counts money for a bill; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/invoices/{id}/payments", tag = "invoices", extensions(("x-permission" = json!("payments.take"))),
    params(("id" = InvoiceId, Path), ("Idempotency-Key" = String, Header)), request_body = NewInvoicePayment,
    responses((status = 201, body = InvoicePaid)))]
async fn pay_invoice(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(invoice): Id<InvoiceId>,
    Body(request): Body<NewInvoicePayment>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::PaymentsTake).await?;
    let id = match claim(&app, &mut tx, &key, "invoice.pay", &(invoice, &request), now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let paid = super::pay_invoice(&app, &mut tx, invoice, request, now).await?;
    finish(&mut tx, id, StatusCode::CREATED, &paid).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(paid)).into_response())
}

/// Gives everybody on a router whose time was paid during an outage some hours more; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/routers/{id}/compensate", tag = "payments", extensions(("x-permission" = json!("wallets.adjust"))),
    params(("id" = RouterId, Path), ("Idempotency-Key" = String, Header)), request_body = Compensation,
    responses((status = 201, body = Compensated)))]
async fn compensate(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(router): Id<RouterId>,
    Body(request): Body<Compensation>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::WalletsAdjust).await?;
    let id = match claim(&app, &mut tx, &key, "compensation", &(router, &request), now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let given = super::compensate(&app, &mut tx, router, &request, now).await?;
    finish(&mut tx, id, StatusCode::CREATED, &given).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(given)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those of one customer.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
}

/// Lists the payments.
#[utoipa::path(get, path = "/payments", tag = "payments", extensions(("x-permission" = json!("payments.read"))), params(Filter, Page), responses((status = 200, body = List<PaymentView>)))]
async fn list(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Params(filter): Params<Filter>,
    page: Page,
) -> Result<Json<List<PaymentView>>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(page.list(store::list(&mut tx, filter.customer, &page).await?)))
}

/// Shows a payment and how long it took to reach the router and to bring the customer online.
#[utoipa::path(get, path = "/payments/{id}", tag = "payments", extensions(("x-permission" = json!("payments.read"))), params(("id" = PaymentId, Path)), responses((status = 200, body = PaymentDetails)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<PaymentId>) -> Result<Json<PaymentDetails>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(super::details(&mut tx, id).await?))
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReversePayment {
    /// Why, in 1 to 200 characters.
    reason: String,
}

/// Takes a payment back: the time it paid for is voided, and later time moves forward.
#[utoipa::path(post, path = "/payments/{id}/reverse", tag = "payments", extensions(("x-permission" = json!("payments.reverse"))),
    params(("id" = PaymentId, Path), ("Idempotency-Key" = String, Header)), request_body = ReversePayment,
    responses((status = 200, body = Reversed)))]
async fn reverse(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(payment): Id<PaymentId>,
    Body(request): Body<ReversePayment>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::PaymentsReverse).await?;
    let id = match claim(&app, &mut tx, &key, "payment.reverse", &(payment, &request), now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let reversed = super::reverse(&app, &mut tx, payment, &request.reason, now).await?;
    finish(&mut tx, id, StatusCode::OK, &reversed).await?;
    tx.commit().await?;
    Ok((StatusCode::OK, Json(reversed)).into_response())
}
