//! Finds whose a credential is and what is due, without acting: it reads a declared set of columns across tenants, takes entries off the
//! outbox, claims recurring work, and does nothing else. It is not audited, because it runs on every request.

mod access;
mod moves;
mod named;
mod tenancy;

pub use access::{Login, LoginMembership, OpenInvitation, OperatorCredential, TokenCredential, VisitCredential};
pub use named::NamedTenant;
pub use tenancy::{OnHub, TenantStanding};

use crate::doors::{ActorLabel, DbError, Reach, TenantDoor};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{EnrolmentId, RouterId, TenantId, WgPublicKey};
use sqlx::PgPool;
use std::fmt;

/// The read-only door.
#[derive(Clone)]
pub struct Locator {
    pool: PgPool,
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locator")
    }
}

fn system(tenant: TenantId, part: &'static str) -> TenantDoor {
    TenantDoor::new(tenant, ActorLabel::system(part), Reach::All)
}

impl Locator {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Lists every tenant that is not being removed, for work that is done tenant by tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenants(&self, part: &'static str) -> Result<Vec<TenantDoor>, DbError> {
        let ids: Vec<TenantId> = sqlx::query_scalar(
            "SELECT id FROM tenant WHERE status NOT IN ('purging', 'purged') AND shadow_of IS NULL ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(ids.into_iter().map(|tenant| system(tenant, part)).collect())
    }

    /// Finds the enrolment that a line's token fetches.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enrolment_line(&self, token_hash: &[u8; 32]) -> Result<Option<(TenantDoor, EnrolmentId)>, DbError> {
        let row: Option<(TenantId, EnrolmentId)> =
            sqlx::query_as("SELECT tenant_id, id FROM enrolment WHERE line_token_hash = $1")
                .bind(&token_hash[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(tenant, id)| (system(tenant, "enrolment"), id)))
    }

    /// Finds whose an enrolment is that the hub saw.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enrolment(&self, id: EnrolmentId) -> Result<Option<TenantDoor>, DbError> {
        let tenant: Option<TenantId> =
            sqlx::query_scalar("SELECT tenant_id FROM enrolment WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        Ok(tenant.map(|tenant| system(tenant, "enrolment")))
    }

    /// Counts the enrolments that wait for their router, in all tenants: the hub holds at most 512.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending_enrolments(&self) -> Result<i64, DbError> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM enrolment WHERE state IN ('pending', 'bound')").fetch_one(&self.pool).await?)
    }

    /// Finds the router behind a tunnel key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn peer(&self, key: &WgPublicKey) -> Result<Option<(TenantDoor, RouterId)>, DbError> {
        let row: Option<(TenantId, RouterId)> =
            sqlx::query_as("SELECT tenant_id, router_id FROM tunnel_peer WHERE public_key = $1")
                .bind(&key.as_bytes()[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(tenant, router)| (system(tenant, "tunnels"), router)))
    }

    /// Stores where peers were last heard from, all in one statement. A key that is no peer's is passed over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn store_endpoints(&self, seen: &[(WgPublicKey, String)], now: Timestamp) -> Result<(), DbError> {
        let keys: Vec<&[u8]> = seen.iter().map(|(key, _)| &key.as_bytes()[..]).collect();
        let endpoints: Vec<&str> = seen.iter().map(|(_, endpoint)| endpoint.as_str()).collect();
        sqlx::query(
            "UPDATE tunnel_peer p SET endpoint = s.endpoint, seen_at = $3
               FROM unnest($1::bytea[], $2::text[]) AS s (public_key, endpoint) WHERE p.public_key = s.public_key",
        )
        .bind(keys)
        .bind(endpoints)
        .bind(now.to_sqlx())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes up to `limit` entries off the outbox. They are only wake-ups: what is to be done stands in the routers' generations, so
    /// losing one costs a moment until the next sweep.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_outbox(&self, limit: i64) -> Result<Vec<(TenantDoor, RouterId)>, DbError> {
        let rows: Vec<(TenantId, RouterId)> = sqlx::query_as(
            "DELETE FROM outbox WHERE (tenant_id, id) IN
                (SELECT tenant_id, id FROM outbox ORDER BY created_at LIMIT $1)
             RETURNING tenant_id, router_id",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(tenant, router)| (system(tenant, "provisioning"), router)).collect())
    }

    /// Lists the routers that do not yet hold what they should.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn routers_behind(&self) -> Result<Vec<(TenantDoor, RouterId)>, DbError> {
        let rows: Vec<(TenantId, RouterId)> =
            sqlx::query_as("SELECT tenant_id, router_id FROM router_state WHERE applied < desired").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(tenant, router)| (system(tenant, "provisioning"), router)).collect())
    }

    /// Lists the routers on which something ends after `from` and not after `until`: what a customer paid for, or what a suspended tenant may
    /// still serve.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn routers_with_expiry(&self, from: Timestamp, until: Timestamp) -> Result<Vec<(TenantDoor, RouterId)>, DbError> {
        let rows: Vec<(TenantId, RouterId)> = sqlx::query_as(
            "SELECT e.tenant_id, e.router_id FROM entitlement e JOIN tenant t ON t.id = e.tenant_id AND t.shadow_of IS NULL
              WHERE e.voided_at IS NULL AND e.ends_at > $1 AND e.ends_at <= $2
             UNION
             SELECT s.tenant_id, s.router_id FROM router_state s JOIN tenant t ON t.id = s.tenant_id
              WHERE t.service_ends_at > $1 AND t.service_ends_at <= $2",
        )
        .bind(from.to_sqlx())
        .bind(until.to_sqlx())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(tenant, router)| (system(tenant, "provisioning"), router)).collect())
    }
}
