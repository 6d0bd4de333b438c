//! What the loader's statements share. In all of them `$1` is the tenant, `$2` the seed and `$3` the time of the load.

use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// A number in [0, 1) that follows from the seed and a key.
macro_rules! chance {
    ($key:literal) => {
        concat!("((hashtextextended(", $key, ", $2) & 1048575) / 1048576.0)")
    };
}

/// A UUIDv7 of a time, whose other digits follow from a key within the tenant.
macro_rules! id {
    ($at:literal, $key:literal) => {
        concat!(
            "(lpad(to_hex((extract(epoch FROM ",
            $at,
            ") * 1000)::bigint), 12, '0') || '7' || substr(md5($1::text || ",
            $key,
            "), 14, 3) || '8' || substr(md5($1::text || ",
            $key,
            "), 18))::uuid"
        )
    };
}

pub(super) use {chance, id};

/// Runs a statement and returns how many rows it wrote.
pub(super) async fn run(tx: &mut TenantTx, statement: &'static str, seed: i64, now: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant();
    let done = sqlx::query(statement).bind(tenant).bind(seed).bind(now.to_sqlx()).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
