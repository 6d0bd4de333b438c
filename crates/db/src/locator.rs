//! Finds whose a credential is and what is due, without acting: it reads a declared set of columns across tenants, takes entries off the
//! outbox, and does nothing else. It is not audited, because it runs on every request.

mod named;
mod tenancy;

pub use named::NamedTenant;
pub use tenancy::{OnHub, TenantStanding};

use crate::doors::{ActorLabel, DbError, PlatformActor, Reach, TenantDoor};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ApiTokenId, EnrolmentId, LoginSessionId, OperatorId, RouterId, TenantId, WgPublicKey};
use sqlx::{FromRow, PgPool};
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

/// A login that is in force.
#[derive(Debug, Clone)]
pub struct Login {
    /// The login itself.
    pub session: LoginSessionId,
    /// Whose it is.
    pub operator: OperatorId,
    /// What it is for.
    pub kind: LoginMembership,
}

/// What a login lets its operator into.
#[derive(Debug, Clone)]
pub enum LoginMembership {
    /// One tenant, in one role.
    Tenant {
        /// The way in.
        door: TenantDoor,
        /// The role's name as stored.
        role: String,
        /// `active` or `suspended`.
        tenant_status: String,
    },
    /// The platform.
    Platform(PlatformActor),
}

/// An API token that is in force.
#[derive(Debug, Clone)]
pub struct TokenCredential {
    /// The way in.
    pub door: TenantDoor,
    /// The token.
    pub id: ApiTokenId,
    /// The role's name as stored.
    pub role: String,
    /// `active` or `suspended`.
    pub tenant_status: String,
}

/// What is needed to check a password.
#[derive(Debug, Clone)]
pub struct OperatorCredential {
    /// The operator.
    pub id: OperatorId,
    /// The Argon2id hash, if a password has been set.
    pub password_hash: Option<String>,
    /// Whether the operator may log in at all.
    pub active: bool,
    /// Whether the operator belongs to the platform.
    pub platform: bool,
    /// Until when no password is tried.
    pub locked_until: Option<Timestamp>,
    /// The tenants the operator serves, by name.
    pub tenants: Vec<(TenantId, String)>,
}

#[derive(FromRow)]
struct LoginRow {
    id: LoginSessionId,
    operator_id: OperatorId,
    tenant_id: Option<TenantId>,
    platform: bool,
    role: Option<String>,
    reach: Option<String>,
    tenant_status: Option<String>,
}

#[derive(FromRow)]
struct OperatorRow {
    id: OperatorId,
    password_hash: Option<String>,
    status: String,
    platform: bool,
    locked_until: Option<SqlTimestamp>,
}

fn system(tenant: TenantId, part: &'static str) -> TenantDoor {
    TenantDoor::new(tenant, ActorLabel::system(part), Reach::All)
}

impl Locator {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Finds a login or one-time link by its token's hash, if it is in force for that purpose.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn login(&self, token_hash: &[u8; 32], purpose: &str, now: Timestamp) -> Result<Option<Login>, DbError> {
        let row: Option<LoginRow> = sqlx::query_as(
            "SELECT s.id, s.operator_id, s.tenant_id, o.platform, m.role, m.reach, t.status AS tenant_status
               FROM login_session s
               JOIN operator o ON o.id = s.operator_id AND o.status = 'active'
               LEFT JOIN membership m ON m.tenant_id = s.tenant_id AND m.operator_id = s.operator_id
               LEFT JOIN tenant t ON t.id = s.tenant_id
              WHERE s.token_hash = $1 AND s.purpose = $2 AND s.revoked_at IS NULL AND s.expires_at > $3",
        )
        .bind(&token_hash[..])
        .bind(purpose)
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(|row| {
            let label = ActorLabel::operator(row.operator_id);
            let reach = if row.reach.as_deref() == Some("all") { Reach::All } else { Reach::AssignedTo(row.operator_id) };
            let kind = match (row.tenant_id, row.role, row.tenant_status) {
                (Some(tenant), Some(role), Some(tenant_status)) => {
                    LoginMembership::Tenant { door: TenantDoor::new(tenant, label, reach), role, tenant_status }
                }
                (None, _, _) if row.platform => LoginMembership::Platform(PlatformActor::new(label)),
                // The membership or the platform's grant was taken away: the login leads nowhere.
                _ => return None,
            };
            Some(Login { session: row.id, operator: row.operator_id, kind })
        }))
    }

    /// Finds whose a one-time link is; unlike a login it needs no tenant, as a password belongs to the person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn setup_link(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<(LoginSessionId, OperatorId)>, DbError> {
        Ok(sqlx::query_as(
            "SELECT id, operator_id FROM login_session
              WHERE token_hash = $1 AND purpose = 'setup' AND revoked_at IS NULL AND expires_at > $2",
        )
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Finds an API token by its hash, if it is in force.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_token(&self, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<TokenCredential>, DbError> {
        let row: Option<(TenantId, ApiTokenId, String, String)> = sqlx::query_as(
            "SELECT k.tenant_id, k.id, k.role, t.status FROM api_token k JOIN tenant t ON t.id = k.tenant_id
              WHERE k.token_hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
        )
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(tenant, id, role, tenant_status)| TokenCredential {
            door: TenantDoor::new(tenant, ActorLabel::token(id), Reach::All),
            id,
            role,
            tenant_status,
        }))
    }

    /// Finds what is needed to check an operator's password.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn operator(&self, login: &str) -> Result<Option<OperatorCredential>, DbError> {
        let row: Option<OperatorRow> =
            sqlx::query_as("SELECT id, password_hash, status, platform, locked_until FROM operator WHERE login = $1")
                .bind(login)
                .fetch_optional(&self.pool)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let tenants = sqlx::query_as(
            "SELECT t.id, t.name FROM membership m JOIN tenant t ON t.id = m.tenant_id WHERE m.operator_id = $1 ORDER BY t.name",
        )
        .bind(row.id)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(OperatorCredential {
            id: row.id,
            password_hash: row.password_hash,
            active: row.status == "active",
            platform: row.platform,
            locked_until: row.locked_until.map(SqlTimestamp::to_jiff),
            tenants,
        }))
    }

    /// Says whether anybody can log in to the platform yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_platform_operator(&self) -> Result<bool, DbError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM operator WHERE platform AND password_hash IS NOT NULL)")
            .fetch_one(&self.pool)
            .await?)
    }

    /// Lists every tenant that is not being removed, for work that is done tenant by tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenants(&self, part: &'static str) -> Result<Vec<TenantDoor>, DbError> {
        let ids: Vec<TenantId> =
            sqlx::query_scalar("SELECT id FROM tenant WHERE status NOT IN ('purging', 'purged') AND shadow_of IS NULL ORDER BY id")
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
