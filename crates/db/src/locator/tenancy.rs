//! How tenants stand, for what is done across them by the clock.

use super::{Locator, system};
use crate::doors::{DbError, TenantDoor};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{EnrolmentId, Standing, TenantId};
use sqlx::FromRow;
use std::net::{IpAddr, Ipv4Addr};

/// How a tenant stands, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantStanding {
    /// The tenant.
    pub id: TenantId,
    /// How it stands.
    pub standing: Standing,
    /// Since when.
    pub since: Timestamp,
    /// When its trial ends, if it has one.
    pub trial_ends_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: TenantId,
    status: String,
    status_since: SqlTimestamp,
    trial_ends_at: Option<SqlTimestamp>,
}

/// What of a tenant the hub holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct OnHub {
    /// Its routers' addresses.
    pub peers: Vec<Ipv4Addr>,
    /// Its open enrolments.
    pub enrolments: Vec<EnrolmentId>,
}

impl Locator {
    /// Lists the tenants that stand in one of some ways.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenants_standing(&self, ways: &[Standing]) -> Result<Vec<TenantStanding>, DbError> {
        let names: Vec<&str> = ways.iter().map(|way| way.as_str()).collect();
        let rows: Vec<Row> =
            sqlx::query_as("SELECT id, status, status_since, trial_ends_at FROM tenant WHERE status = ANY ($1) ORDER BY id")
                .bind(names)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows
            .into_iter()
            .map(|row| TenantStanding {
                id: row.id,
                standing: Standing::from_stored(&row.status).expect("the column's CHECK lets only these in"),
                since: row.status_since.to_jiff(),
                trial_ends_at: row.trial_ends_at.map(SqlTimestamp::to_jiff),
            })
            .collect())
    }

    /// Opens the doors to tenants that may send and have messages whose time has come, or that somebody took and did not finish.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenants_with_messages(&self, now: Timestamp) -> Result<Vec<TenantDoor>, DbError> {
        let ids: Vec<TenantId> = sqlx::query_scalar(
            "SELECT t.id FROM tenant t
              WHERE t.status NOT IN ('suspended', 'exported', 'purging', 'purged') AND t.shadow_of IS NULL
                AND (EXISTS (SELECT 1 FROM message m WHERE m.tenant_id = t.id AND m.state = 'queued' AND m.not_before <= $1)
                  OR EXISTS (SELECT 1 FROM message m WHERE m.tenant_id = t.id AND m.state = 'sending' AND m.leased_until < $1))
              ORDER BY t.id",
        )
        .bind(now.to_sqlx())
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(|tenant| system(tenant, "messages")).collect())
    }

    /// Returns the requests a minute that the platform set for a tenant, if it set any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn request_limit(&self, tenant: TenantId) -> Result<Option<i64>, DbError> {
        Ok(sqlx::query_scalar("SELECT hard FROM tenant_limit WHERE tenant_id = $1 AND name = 'api_requests'")
            .bind(tenant)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Lists what of a tenant the hub may hold.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn on_hub(&self, tenant: TenantId) -> Result<OnHub, DbError> {
        let addresses: Vec<IpAddr> =
            sqlx::query_scalar("SELECT address FROM tunnel_peer WHERE tenant_id = $1").bind(tenant).fetch_all(&self.pool).await?;
        let enrolments =
            sqlx::query_scalar("SELECT id FROM enrolment WHERE tenant_id = $1 AND state IN ('pending', 'bound') ORDER BY id")
                .bind(tenant)
                .fetch_all(&self.pool)
                .await?;
        let v4 = |address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        Ok(OnHub { peers: addresses.into_iter().filter_map(v4).collect(), enrolments })
    }
}
