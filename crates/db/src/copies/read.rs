//! Reading rows as text, a few at a time.

use super::shape::{self, Shape, ShapeError, TableShape};
use crate::doors::{DbError, PlatformTx, TenantTx};
use crate::registry::Class;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// Rows that are fetched at a time.
const BATCH: u16 = 200;

impl TenantTx {
    /// Reads what the tables look like.
    ///
    /// # Errors
    /// When a table is undeclared or the database does not answer.
    pub async fn shape(&mut self) -> Result<Shape, ShapeError> {
        shape::read(self.conn()).await
    }

    /// Begins to read the tenant's rows of a table, as JSON objects, in the order of the primary key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_rows(&mut self, table: &TableShape) -> Result<(), DbError> {
        let tenant = self.tenant().uuid();
        open(self.conn(), table, Some(tenant), false).await
    }

    /// As [`TenantTx::open_rows`], in the order of the key's text by bytes, which does not depend on types or the database's locale.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_rows_by_text(&mut self, table: &TableShape) -> Result<(), DbError> {
        let tenant = self.tenant().uuid();
        open(self.conn(), table, Some(tenant), true).await
    }

    /// Returns some more rows as (key, row); none at the end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_rows(&mut self) -> Result<Vec<(String, String)>, DbError> {
        next(self.conn()).await
    }

    /// Ends reading.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn close_rows(&mut self) -> Result<(), DbError> {
        close(self.conn()).await
    }

    /// Counts the tenant's rows of a table.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_rows(&mut self, table: &TableShape) -> Result<i64, DbError> {
        let query = format!("SELECT count(*) FROM \"{}\" WHERE tenant_id = $1", table.name());
        let tenant = self.tenant();
        Ok(sqlx::query_scalar(AssertSqlSafe(query)).bind(tenant).fetch_one(self.conn()).await?)
    }
}

impl PlatformTx {
    /// Reads what the tables look like.
    ///
    /// # Errors
    /// When a table is undeclared or the database does not answer.
    pub async fn shape(&mut self) -> Result<Shape, ShapeError> {
        shape::read(self.conn()).await
    }

    /// Begins to read a table of the platform's own, as JSON objects.
    ///
    /// # Errors
    /// When the database does not answer.
    ///
    /// # Panics
    /// When the table is not the platform's.
    pub async fn open_rows(&mut self, table: &TableShape) -> Result<(), DbError> {
        assert_eq!(table.entry.class, Class::Platform, "a tenant's rows are read by the tenant's door");
        open(self.conn(), table, None, false).await
    }

    /// Returns some more rows as (key, row); none at the end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_rows(&mut self) -> Result<Vec<(String, String)>, DbError> {
        next(self.conn()).await
    }

    /// Ends reading.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn close_rows(&mut self) -> Result<(), DbError> {
        close(self.conn()).await
    }
}

/// Names come from the registry and the catalogue, and the id is a UUID that we render, so the text cannot carry SQL.
async fn open(conn: &mut PgConnection, table: &TableShape, tenant: Option<Uuid>, by_text: bool) -> Result<(), DbError> {
    let own = tenant.map(|tenant| format!(" WHERE t.tenant_id = '{tenant}'")).unwrap_or_default();
    let key: Vec<String> =
        table.key.iter().filter(|column| *column != "tenant_id").map(|column| format!("t.\"{column}\"")).collect();
    let key = key.join(", ");
    let place = format!("jsonb_build_array({key})::text");
    let order = match (by_text, key.is_empty()) {
        (true, _) => format!(" ORDER BY {place} COLLATE \"C\""),
        // A table with one row for each tenant has no more of a key.
        (false, true) => String::new(),
        (false, false) => format!(" ORDER BY {key}"),
    };
    let query = format!(
        "DECLARE copied CURSOR FOR SELECT {place} AS place, to_jsonb(t)::text AS body FROM \"{}\" t{own}{order}",
        table.name()
    );
    sqlx::raw_sql(AssertSqlSafe(query)).execute(conn).await?;
    Ok(())
}

async fn next(conn: &mut PgConnection) -> Result<Vec<(String, String)>, DbError> {
    let query = format!("FETCH {BATCH} FROM copied");
    Ok(sqlx::query_as(AssertSqlSafe(query)).persistent(false).fetch_all(conn).await?)
}

async fn close(conn: &mut PgConnection) -> Result<(), DbError> {
    sqlx::raw_sql("CLOSE copied").execute(conn).await?;
    Ok(())
}
