//! Vouchers in the database.

use super::{NewBatch, VoucherState};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, PackageId, RouterId, VoucherBatchId, VoucherId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// A batch of vouchers.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchView {
    /// The batch.
    pub id: VoucherBatchId,
    /// What each is worth.
    pub package: PackageId,
    /// The only router where they can be used.
    pub router: Option<RouterId>,
    /// How many there are.
    pub size: i32,
    /// How many can still be used, as long as they are in date.
    pub available: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When they can be used no more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was taken out of use as a whole.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub voided_at: Option<Timestamp>,
    /// Why it was taken out of use.
    pub void_reason: Option<String>,
}

impl PageItem for BatchView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: VoucherBatchId,
    package_id: PackageId,
    router_id: Option<RouterId>,
    size: i32,
    available: i64,
    created_at: SqlTimestamp,
    expires_at: Option<SqlTimestamp>,
    voided_at: Option<SqlTimestamp>,
    void_reason: Option<String>,
}

impl From<Row> for BatchView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            package: row.package_id,
            router: row.router_id,
            size: row.size,
            available: row.available,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.map(SqlTimestamp::to_jiff),
            voided_at: row.voided_at.map(SqlTimestamp::to_jiff),
            void_reason: row.void_reason,
        }
    }
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<BatchView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT b.id, b.package_id, b.router_id, b.size, b.created_at, b.expires_at, b.voided_at, b.void_reason,
                (SELECT count(*) FROM voucher v WHERE v.tenant_id = $1 AND v.batch_id = b.id AND v.state = 'available') AS available
           FROM voucher_batch b WHERE b.tenant_id = $1 AND b.id < $2 ORDER BY b.id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(BatchView::from).collect())
}

pub(super) async fn insert_batch(
    tx: &mut TenantTx,
    id: VoucherBatchId,
    new: &NewBatch,
    size: usize,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO voucher_batch (tenant_id, id, package_id, router_id, size, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.package)
    .bind(new.router)
    .bind(i32::try_from(size).expect("the rules end at 10,000"))
    .bind(now.to_sqlx())
    .bind(new.expires_at.map(|at| model::micros(at).to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A voucher to be written.
pub(super) struct NewVoucher {
    pub(super) id: VoucherId,
    pub(super) hmac: [u8; 32],
    pub(super) sealed: Vec<u8>,
    pub(super) tail: String,
}

/// Writes vouchers and returns the ids of those whose code was not there already.
pub(super) async fn insert(
    tx: &mut TenantTx,
    batch: VoucherBatchId,
    vouchers: &[NewVoucher],
) -> Result<HashSet<VoucherId>, DbError> {
    let written: Vec<VoucherId> = sqlx::query_scalar(
        "INSERT INTO voucher (tenant_id, batch_id, id, code_hmac, sealed_code, code_tail)
         SELECT $1, $2, * FROM unnest($3::uuid[], $4::bytea[], $5::bytea[], $6::text[])
         ON CONFLICT ON CONSTRAINT voucher_code_unique DO NOTHING RETURNING id",
    )
    .bind(tx.tenant())
    .bind(batch)
    .bind(vouchers.iter().map(|voucher| voucher.id.uuid()).collect::<Vec<_>>())
    .bind(vouchers.iter().map(|voucher| voucher.hmac.to_vec()).collect::<Vec<_>>())
    .bind(vouchers.iter().map(|voucher| voucher.sealed.clone()).collect::<Vec<_>>())
    .bind(vouchers.iter().map(|voucher| voucher.tail.clone()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    Ok(written.into_iter().collect())
}

pub(super) async fn sealed_codes(
    tx: &mut TenantTx,
    batch: VoucherBatchId,
) -> Result<Vec<(VoucherId, Vec<u8>, VoucherState)>, DbError> {
    let rows: Vec<(VoucherId, Vec<u8>, String)> =
        sqlx::query_as("SELECT id, sealed_code, state FROM voucher WHERE tenant_id = $1 AND batch_id = $2 ORDER BY id")
            .bind(tx.tenant())
            .bind(batch)
            .fetch_all(tx.conn())
            .await?;
    let state = |name: &str| match name {
        "available" => VoucherState::Available,
        "redeemed" => VoucherState::Redeemed,
        _ => VoucherState::Void,
    };
    Ok(rows.into_iter().map(|(id, sealed, name)| (id, sealed, state(&name))).collect())
}

/// Takes a code in one statement: of two at once one finds nothing to take. The customer may follow later in the transaction.
pub(super) async fn take(
    tx: &mut TenantTx,
    hmac: &[u8; 32],
    router: RouterId,
    customer: CustomerId,
    now: Timestamp,
) -> Result<Option<(VoucherId, PackageId)>, DbError> {
    Ok(sqlx::query_as(
        "UPDATE voucher v SET state = 'redeemed', customer_id = $4, redeemed_at = $5 FROM voucher_batch b
          WHERE v.tenant_id = $1 AND v.code_hmac = $2 AND v.state = 'available' AND b.tenant_id = $1 AND b.id = v.batch_id
            AND (b.router_id IS NULL OR b.router_id = $3) AND (b.expires_at IS NULL OR b.expires_at > $5)
          RETURNING v.id, b.package_id",
    )
    .bind(tx.tenant())
    .bind(&hmac[..])
    .bind(router)
    .bind(customer)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await?)
}

/// Takes what is left of a batch out of use and returns how many codes that were; nothing when there is no such batch. The batch says when
/// it was done first, and why.
pub(super) async fn void(tx: &mut TenantTx, batch: VoucherBatchId, reason: &str, now: Timestamp) -> Result<Option<u64>, DbError> {
    let found = sqlx::query(
        "UPDATE voucher_batch SET voided_at = coalesce(voided_at, $3), void_reason = coalesce(void_reason, $4)
          WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(batch)
    .bind(now.to_sqlx())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    if found.rows_affected() == 0 {
        return Ok(None);
    }
    let done = sqlx::query("UPDATE voucher SET state = 'void' WHERE tenant_id = $1 AND batch_id = $2 AND state = 'available'")
        .bind(tx.tenant())
        .bind(batch)
        .execute(tx.conn())
        .await?;
    Ok(Some(done.rows_affected()))
}
