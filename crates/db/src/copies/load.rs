//! Putting rows back, in one transaction that has said what it is.

use super::shape::{Shape, TableShape};
use crate::doors::{Db, DbError, PlatformActor, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::TenantId;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// How long a statement of a restore may take: it puts a whole table in.
const LOAD_LIMIT: &str = "SET LOCAL statement_timeout = '4h'; SET LOCAL idle_in_transaction_session_timeout = '10min';
    SET CONSTRAINTS ALL DEFERRED";

/// What a restore does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreKind {
    /// It replaces a tenant's rows.
    Replace,
    /// It brings a tenant that is not there.
    Fresh,
    /// It lays a copy beside the tenant.
    Shadow,
}

impl RestoreKind {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Fresh => "fresh",
            Self::Shadow => "shadow",
        }
    }
}

/// What a restore puts in, where from, and by whom.
#[derive(Debug, Clone)]
pub struct RestoreRun {
    /// Its id.
    pub id: Uuid,
    /// The tenant whose rows they become.
    pub tenant: TenantId,
    /// What it does.
    pub kind: RestoreKind,
    /// When the backup was taken.
    pub taken_at: Timestamp,
    /// Of which tenant.
    pub taken_of: TenantId,
    /// By which schema.
    pub schema_version: i64,
}

impl Db {
    /// Opens a transaction in which rows are put in; a statement may take hours.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn loading(&self, actor: &PlatformActor, reason: &str, now: Timestamp) -> Result<PlatformTx, DbError> {
        let mut tx = self.platform(actor, reason, now).await?;
        sqlx::raw_sql(LOAD_LIMIT).execute(tx.conn()).await?;
        Ok(tx)
    }
}

impl PlatformTx {
    /// Says that this transaction restores a tenant; without it, nothing can be cleared or loaded.
    ///
    /// # Errors
    /// When there is no such tenant or the database does not answer.
    pub async fn begin_restore(&mut self, run: &RestoreRun, by: &PlatformActor, now: Timestamp) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO restore (tenant_id, id, kind, taken_at, taken_of, schema_version, restored_at, restored_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(run.tenant)
        .bind(run.id)
        .bind(run.kind.as_str())
        .bind(run.taken_at.to_sqlx())
        .bind(run.taken_of)
        .bind(run.schema_version)
        .bind(now.to_sqlx())
        .bind(by.label().as_str())
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Puts a tenant's own row in, as `row` has it with `changes` over it; where the tenant is there, the named columns are set.
    ///
    /// # Errors
    /// When a rule of the table is broken or the database does not answer.
    ///
    /// # Panics
    /// When a column is none of the table's.
    pub async fn put_tenant(
        &mut self,
        shape: &Shape,
        tenant: TenantId,
        columns: &[String],
        row: &str,
        changes: &str,
    ) -> Result<(), DbError> {
        let table = shape.table("tenant").expect("the registry has it");
        assert!(columns.iter().all(|column| table.column(column).is_some()), "only columns of the table");
        let columns: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
        let columns = columns.join(", ");
        let values = format!("SELECT {columns} FROM jsonb_populate_record(NULL::tenant, $1::jsonb || $2::jsonb)");
        let update = format!("UPDATE tenant SET ({columns}) = ({values}) WHERE id = $3");
        let update = sqlx::query(AssertSqlSafe(update)).bind(row).bind(changes).bind(tenant);
        if update.execute(self.conn()).await?.rows_affected() == 0 {
            let insert = format!("INSERT INTO tenant ({columns}) {values}");
            sqlx::query(AssertSqlSafe(insert)).bind(row).bind(changes).execute(self.conn()).await?;
        }
        Ok(())
    }

    /// Removes the tenant's rows of a table; returns how many there were.
    ///
    /// # Errors
    /// When rows of other tables refer to them, or the database does not answer.
    pub async fn clear_rows(&mut self, run: &RestoreRun, table: &TableShape) -> Result<i64, DbError> {
        let call = sqlx::query_scalar("SELECT clear_rows($1, $2, $3)").bind(run.id).bind(run.tenant).bind(table.name());
        Ok(call.fetch_one(self.conn()).await?)
    }

    /// Takes some rows of a table, each with what is other in this copy of it, to be put in together.
    ///
    /// # Errors
    /// When a row is no JSON object or the database does not answer.
    pub async fn stage_rows(
        &mut self,
        run: Uuid,
        table: &TableShape,
        first: i64,
        rows: &[(String, String)],
    ) -> Result<(), DbError> {
        let (bodies, changes): (Vec<&str>, Vec<&str>) =
            rows.iter().map(|(body, changes)| (body.as_str(), changes.as_str())).unzip();
        sqlx::query(
            "INSERT INTO restore_row (restore_id, table_name, place, body, changes)
             SELECT $1, $2, $3 + r.place, r.body::jsonb, r.changes::jsonb
               FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS r (body, changes, place)",
        )
        .bind(run)
        .bind(table.name())
        .bind(first)
        .bind(bodies)
        .bind(changes)
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Puts the waiting rows of a table in; returns how many.
    ///
    /// # Errors
    /// When a row breaks a rule of the table or the database does not answer.
    pub async fn load_rows(&mut self, run: &RestoreRun, table: &TableShape, columns: &[String]) -> Result<i64, DbError> {
        let call = sqlx::query_scalar("SELECT load_rows($1, $2, $3, $4)");
        let call = call.bind(run.id).bind(run.tenant).bind(table.name()).bind(columns);
        Ok(call.fetch_one(self.conn()).await?)
    }

    /// Puts the waiting rows of a table of the platform's own in, where no tenant lives yet; returns how many.
    ///
    /// # Errors
    /// When tenants live here, a row breaks a rule of the table, or the database does not answer.
    pub async fn load_platform_rows(&mut self, run: Uuid, table: &TableShape, columns: &[String]) -> Result<i64, DbError> {
        let call = sqlx::query_scalar("SELECT load_platform_rows($1, $2, $3)").bind(run).bind(table.name()).bind(columns);
        Ok(call.fetch_one(self.conn()).await?)
    }

    /// Checks what the transaction has put off to its end. Nothing is put in after it.
    ///
    /// # Errors
    /// When something does not hold, or the database does not answer.
    pub async fn settle_rows(&mut self) -> Result<(), DbError> {
        sqlx::query("SELECT settle_rows()").execute(self.conn()).await?;
        Ok(())
    }

    /// Makes the months that the tables cut by month need for rows as old as `since`.
    ///
    /// # Errors
    /// When they lie more than 20 years apart or the database does not answer.
    pub async fn make_months(&mut self, since: Timestamp, until: Timestamp) -> Result<(), DbError> {
        sqlx::query("SELECT ensure_partitions($1, $2)").bind(since.to_sqlx()).bind(until.to_sqlx()).execute(self.conn()).await?;
        Ok(())
    }
}

impl TenantTx {
    /// Returns the oldest time in a column, in this tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn oldest(&mut self, table: &TableShape, column: &str) -> Result<Option<Timestamp>, DbError> {
        let query = format!("SELECT min(\"{column}\") FROM \"{}\" WHERE tenant_id = $1", table.name());
        let tenant = self.tenant();
        let oldest: Option<jiff_sqlx::Timestamp> =
            sqlx::query_scalar(AssertSqlSafe(query)).bind(tenant).fetch_one(self.conn()).await?;
        Ok(oldest.map(jiff_sqlx::Timestamp::to_jiff))
    }
}
