//! A money request may be sent again (a second click, a lost answer) and is done once: the answer is stored in the transaction that does it.

use super::{Problem, ProblemKind};
use crate::app::App;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::IdempotencyId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The `Idempotency-Key` header: 8 to 100 visible characters, chosen by the client, mandatory on money writes, kept 30 days.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if (8..=100).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(key.to_owned()))
        } else {
            Err(Problem::field(
                "Idempotency-Key",
                "send this header with 8 to 100 characters of your choice, the same ones when you try again",
            ))
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    /// Where the header may be left out, it is still one of its form when it is there.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key("idempotency-key") {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}

/// What the key turned out to be, with what was kept of the answer.
#[derive(Debug)]
pub enum Found {
    /// The request is new: do it, then [`finish`].
    Fresh(IdempotencyId),
    /// It was done: this was kept of the answer it got.
    Done(StatusCode, serde_json::Value),
}

/// What the key turned out to be.
#[derive(Debug)]
pub enum Claim {
    /// The request is new: do it, then [`finish`].
    Fresh(IdempotencyId),
    /// It was done: this is the answer it got.
    Done(Box<Response>),
}

/// Claims a key in the transaction that does the work, and gives the answer again that it got. A second request with the same key waits here
/// until the first has committed.
///
/// # Errors
/// When the key was used for another request, or the database does not answer.
pub async fn claim<T: Serialize>(
    app: &App,
    tx: &mut TenantTx,
    key: &IdempotencyKey,
    operation: &'static str,
    request: &T,
    now: Timestamp,
) -> Result<Claim, Problem> {
    Ok(match look(app, tx, key, operation, request, now).await? {
        Found::Fresh(id) => Claim::Fresh(id),
        Found::Done(status, answer) => Claim::Done(Box::new((status, axum::Json(answer)).into_response())),
    })
}

/// As [`claim`], for an answer that is not kept whole because a secret stands in it: the caller puts it together again.
///
/// # Errors
/// When the key was used for another request, or the database does not answer.
pub async fn look<T: Serialize>(
    app: &App,
    tx: &mut TenantTx,
    key: &IdempotencyKey,
    operation: &'static str,
    request: &T,
    now: Timestamp,
) -> Result<Found, Problem> {
    let body = serde_json::to_vec(request).map_err(|error| Problem::internal(&error))?;
    let hash: [u8; 32] = Sha256::new().chain_update(operation).chain_update([0]).chain_update(body).finalize().into();
    let id = IdempotencyId::generate(now, &*app.entropy);
    let inserted = sqlx::query(
        "INSERT INTO idempotency_key (tenant_id, id, key, operation, request_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT idempotency_key_unique DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&key.0)
    .bind(operation)
    .bind(&hash[..])
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    if inserted.rows_affected() == 1 {
        return Ok(Found::Fresh(id));
    }
    let (stored, status, response): (Vec<u8>, Option<i32>, Option<serde_json::Value>) =
        sqlx::query_as("SELECT request_hash, status, response FROM idempotency_key WHERE tenant_id = $1 AND key = $2")
            .bind(tx.tenant())
            .bind(&key.0)
            .fetch_one(tx.conn())
            .await
            .map_err(DbError::from)?;
    if stored != hash {
        return Err(Problem::new(
            ProblemKind::KeyReused,
            "this Idempotency-Key came with another request before: choose a new one",
        ));
    }
    let status = status.and_then(|status| u16::try_from(status).ok()).and_then(|status| StatusCode::from_u16(status).ok());
    Ok(Found::Done(status.unwrap_or(StatusCode::OK), response.unwrap_or_default()))
}

/// Stores the answer beside the key, in the same transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn finish<T: Serialize>(tx: &mut TenantTx, id: IdempotencyId, status: StatusCode, answer: &T) -> Result<(), Problem> {
    let value = serde_json::to_value(answer).map_err(|error| Problem::internal(&error))?;
    sqlx::query("UPDATE idempotency_key SET status = $3, response = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(i32::from(status.as_u16()))
        .bind(value)
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
    Ok(())
}

/// How long a key is kept.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// Forgets the keys of all tenants that are older than 30 days.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(app: &App) -> Result<(), DbError> {
    let oldest = app.clock.now() - KEPT;
    for door in app.db.locator().tenants("idempotency").await? {
        let mut tx = app.db.tenant(&door).await?;
        sqlx::query("DELETE FROM idempotency_key WHERE tenant_id = $1 AND created_at < $2")
            .bind(tx.tenant())
            .bind(oldest.to_sqlx())
            .execute(tx.conn())
            .await?;
        tx.commit().await?;
    }
    Ok(())
}
