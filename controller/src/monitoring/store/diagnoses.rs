//! Diagnoses in the database.

use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, DiagnosisId, RouterId};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

/// A diagnosis as stored.
#[derive(Debug, Clone)]
pub(in crate::monitoring) struct DiagnosisRow {
    pub id: DiagnosisId,
    pub router: RouterId,
    pub customer: Option<CustomerId>,
    pub steps: Value,
    pub cause: String,
    pub conclusion: String,
    pub remedy: String,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub run_by: String,
    pub seal: Vec<u8>,
}

impl PageItem for DiagnosisRow {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Raw {
    id: DiagnosisId,
    router_id: RouterId,
    customer_id: Option<CustomerId>,
    steps: Value,
    cause: String,
    conclusion: String,
    remedy: String,
    started_at: SqlTimestamp,
    finished_at: SqlTimestamp,
    run_by: String,
    seal: Vec<u8>,
}

impl From<Raw> for DiagnosisRow {
    fn from(raw: Raw) -> Self {
        Self {
            id: raw.id,
            router: raw.router_id,
            customer: raw.customer_id,
            steps: raw.steps,
            cause: raw.cause,
            conclusion: raw.conclusion,
            remedy: raw.remedy,
            started_at: raw.started_at.to_jiff(),
            finished_at: raw.finished_at.to_jiff(),
            run_by: raw.run_by,
            seal: raw.seal,
        }
    }
}

pub(in crate::monitoring) async fn insert_diagnosis(tx: &mut TenantTx, row: &DiagnosisRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO diagnosis (tenant_id, id, router_id, customer_id, steps, cause, conclusion, remedy, started_at, finished_at, run_by, seal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tx.tenant())
    .bind(row.id)
    .bind(row.router)
    .bind(row.customer)
    .bind(&row.steps)
    .bind(&row.cause)
    .bind(&row.conclusion)
    .bind(&row.remedy)
    .bind(row.started_at.to_sqlx())
    .bind(row.finished_at.to_sqlx())
    .bind(&row.run_by)
    .bind(&row.seal)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::monitoring) async fn diagnosis(tx: &mut TenantTx, id: DiagnosisId) -> Result<Option<DiagnosisRow>, DbError> {
    let row: Option<Raw> = sqlx::query_as("SELECT * FROM diagnosis WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(DiagnosisRow::from))
}

pub(in crate::monitoring) async fn diagnoses(
    tx: &mut TenantTx,
    router: Option<RouterId>,
    customer: Option<CustomerId>,
    page: &Page,
) -> Result<Vec<DiagnosisRow>, DbError> {
    let rows: Vec<Raw> = sqlx::query_as(
        "SELECT * FROM diagnosis
          WHERE tenant_id = $1 AND id < $2 AND ($3::uuid IS NULL OR router_id = $3) AND ($4::uuid IS NULL OR customer_id = $4)
          ORDER BY id DESC LIMIT $5",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(router)
    .bind(customer)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(DiagnosisRow::from).collect())
}
