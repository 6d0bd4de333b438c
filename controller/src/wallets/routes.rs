//! Wallets over HTTP.

use super::{Adjusted, NewAdjustment, WalletError, WalletView};
use crate::app::App;
use crate::http::idempotency::{Claim, IdempotencyKey, claim, finish};
use crate::http::{Body, Id, List, Page, Params, Permission, Problem, TenantScope};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::{Currency, CustomerId};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

impl From<WalletError> for Problem {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Field { field, message } => Self::field(field, message),
            WalletError::Customer(error) => error.into(),
            WalletError::Ledger(error) => error.into(),
            WalletError::Db(error) => error.into(),
        }
    }
}

/// Returns the routes of wallets.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(statement)).routes(routes!(adjust))
}

/// Shows what a customer's wallet holds.
#[utoipa::path(get, path = "/customers/{id}/wallet", tag = "wallets", extensions(("x-permission" = json!("payments.read"))), params(("id" = CustomerId, Path)), responses((status = 200, body = WalletView)))]
async fn get(State(app): State<Arc<App>>, scope: TenantScope, Id(id): Id<CustomerId>) -> Result<Json<WalletView>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(super::wallet(&mut tx, id).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Another currency than the one that is sold in.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
}

/// Lists what went into a wallet and out of it, with the balance behind each line.
#[utoipa::path(get, path = "/customers/{id}/wallet/statement", tag = "wallets", extensions(("x-permission" = json!("payments.read"))), params(("id" = CustomerId, Path), Which, Page), responses((status = 200, body = List<super::StatementLine>)))]
async fn statement(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    Id(id): Id<CustomerId>,
    Params(which): Params<Which>,
    page: Page,
) -> Result<Json<List<super::StatementLine>>, Problem> {
    let mut tx = scope.read(&app, Permission::PaymentsRead).await?;
    Ok(Json(page.list(super::statement(&mut tx, id, which.currency, &page).await?)))
}

/// Puts money into a wallet, or takes it out, by hand; sent again with the same key, it is done once.
#[utoipa::path(post, path = "/customers/{id}/wallet/adjust", tag = "wallets", extensions(("x-permission" = json!("wallets.adjust"))),
    params(("id" = CustomerId, Path), ("Idempotency-Key" = String, Header)), request_body = NewAdjustment, responses((status = 201, body = Adjusted)))]
async fn adjust(
    State(app): State<Arc<App>>,
    scope: TenantScope,
    key: IdempotencyKey,
    Id(customer): Id<CustomerId>,
    Body(request): Body<NewAdjustment>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut tx = scope.write(&app, Permission::WalletsAdjust).await?;
    let id = match claim(&app, &mut tx, &key, "wallet.adjust", &(customer, &request), now).await? {
        Claim::Fresh(id) => id,
        Claim::Done(answer) => return Ok(*answer),
    };
    let adjusted = super::adjust(&app, &mut tx, customer, &request, now).await?;
    finish(&mut tx, id, StatusCode::CREATED, &adjusted).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(adjusted)).into_response())
}
