//! Sealed columns, in batches, for whoever puts another key under them.

use super::shape::TableShape;
use crate::doors::{DbError, PlatformTx, TenantTx};
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

/// A sealed value where it stands.
#[derive(Debug, Clone, FromRow)]
pub struct SealedValue {
    /// The row's id.
    pub id: Uuid,
    /// The sealed bytes.
    pub value: Vec<u8>,
}

impl TenantTx {
    /// Returns the id of the data key that seals now, and keeps it from being retired until this transaction ends. It is asked for once a
    /// transaction.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sealing_key(&mut self) -> Result<Option<Uuid>, DbError> {
        if let Some(id) = self.sealing {
            return Ok(Some(id));
        }
        let tenant = self.tenant();
        let id: Option<Uuid> = sqlx::query_scalar("SELECT sealing_key($1)").bind(tenant).fetch_one(self.conn()).await?;
        self.sealing = id;
        Ok(id)
    }

    /// Returns up to `limit` values of a column behind `after`, in the order of ids, that do not begin with `current`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sealed_otherwise(
        &mut self,
        table: &TableShape,
        column: &'static str,
        current: &[u8],
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<SealedValue>, DbError> {
        let (name, id) = (table.name(), table.row_column());
        let query = format!(
            "SELECT {id} AS id, {column} AS value FROM {name}
              WHERE tenant_id = $1 AND {column} IS NOT NULL AND substring({column} FROM 1 FOR length($2)) <> $2 AND {id} > $3
              ORDER BY {id} LIMIT $4"
        );
        let tenant = self.tenant();
        let values = sqlx::query_as(AssertSqlSafe(query)).bind(tenant).bind(current).bind(after).bind(limit);
        Ok(values.fetch_all(self.conn()).await?)
    }

    /// Replaces values of a column that are still what they were; returns how many were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn replace_sealed(
        &mut self,
        table: &TableShape,
        column: &'static str,
        old: &[SealedValue],
        new: &[Vec<u8>],
    ) -> Result<u64, DbError> {
        let (name, id) = (table.name(), table.row_column());
        let query = format!(
            "UPDATE {name} t SET {column} = v.after FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS v (id, before, after)
              WHERE t.tenant_id = $1 AND t.{id} = v.id AND t.{column} = v.before"
        );
        let (ids, before): (Vec<Uuid>, Vec<&[u8]>) = old.iter().map(|value| (value.id, value.value.as_slice())).unzip();
        let tenant = self.tenant();
        let update = sqlx::query(AssertSqlSafe(query)).bind(tenant).bind(ids).bind(before).bind(new);
        Ok(update.execute(self.conn()).await?.rows_affected())
    }
}

impl PlatformTx {
    /// Returns all values of a column that the master key seals.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn master_sealed(&mut self, table: &TableShape, column: &'static str) -> Result<Vec<SealedValue>, DbError> {
        let (name, id) = (table.name(), table.row_column());
        let query =
            format!("SELECT {id} AS id, {column} AS value FROM {name} WHERE {column} IS NOT NULL ORDER BY {id} FOR UPDATE");
        Ok(sqlx::query_as(AssertSqlSafe(query)).fetch_all(self.conn()).await?)
    }

    /// Replaces one such value.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn replace_master_sealed(
        &mut self,
        table: &TableShape,
        column: &'static str,
        id: Uuid,
        new: &[u8],
    ) -> Result<(), DbError> {
        let query = format!("UPDATE {} SET {column} = $2 WHERE {} = $1", table.name(), table.row_column());
        sqlx::query(AssertSqlSafe(query)).bind(id).bind(new).execute(self.conn()).await?;
        Ok(())
    }
}
