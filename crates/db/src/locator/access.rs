//! Whose a credential is: logins, API tokens, one-time links, invitations and visits.

use super::Locator;
use crate::doors::{ActorLabel, DbError, PlatformActor, Reach, TenantDoor};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ApiTokenId, ImpersonationId, InvitationId, LoginSessionId, OperatorId, TenantId};
use sqlx::FromRow;
use std::net::IpAddr;

/// How exactly it is kept when a login was last used.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A login that is in force.
#[derive(Debug, Clone)]
pub struct Login {
    /// The login itself.
    pub session: LoginSessionId,
    /// Whose it is.
    pub operator: OperatorId,
    /// What it is for.
    pub kind: LoginMembership,
    /// When it was last used, to the minute.
    seen_at: Timestamp,
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
        /// Permissions added to the role's, by name.
        added: Vec<String>,
        /// Permissions taken away.
        removed: Vec<String>,
        /// How the tenant stands, as stored.
        tenant_status: String,
    },
    /// The platform.
    Platform {
        /// Who acts.
        actor: PlatformActor,
        /// Whether the person has a second factor.
        second_factor: bool,
    },
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
    /// The permissions it has instead of the role's, by name.
    pub permissions: Option<Vec<String>>,
    /// How the tenant stands, as stored.
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

/// A visit of the platform's support in a tenant.
#[derive(Debug, Clone)]
pub struct VisitCredential {
    /// The way in.
    pub door: TenantDoor,
    /// The visit.
    pub id: ImpersonationId,
    /// Who visits.
    pub operator: OperatorId,
    /// What for.
    pub reason: String,
    /// Whether something may be changed.
    pub writes: bool,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// How the tenant stands, as stored.
    pub tenant_status: String,
}

/// An invitation that can still be accepted.
#[derive(Debug, Clone)]
pub struct OpenInvitation {
    /// Whom it lets in.
    pub tenant: TenantId,
    /// The invitation.
    pub id: InvitationId,
    /// For which login name.
    pub login: String,
    /// How the tenant stands, as stored.
    pub tenant_status: String,
}

#[derive(FromRow)]
struct LoginRow {
    id: LoginSessionId,
    operator_id: OperatorId,
    tenant_id: Option<TenantId>,
    seen_at: SqlTimestamp,
    platform: bool,
    second_factor: bool,
    role: Option<String>,
    added: Option<Vec<String>>,
    removed: Option<Vec<String>>,
    reach: Option<String>,
    tenant_status: Option<String>,
}

impl LoginRow {
    fn login(self) -> Option<Login> {
        let label = ActorLabel::operator(self.operator_id);
        let reach = if self.reach.as_deref() == Some("all") { Reach::All } else { Reach::AssignedTo(self.operator_id) };
        let kind = match (self.tenant_id, self.role, self.tenant_status) {
            (Some(tenant), Some(role), Some(tenant_status)) => LoginMembership::Tenant {
                door: TenantDoor::new(tenant, label, reach),
                role,
                added: self.added.unwrap_or_default(),
                removed: self.removed.unwrap_or_default(),
                tenant_status,
            },
            (None, _, _) if self.platform => {
                LoginMembership::Platform { actor: PlatformActor::new(label), second_factor: self.second_factor }
            }
            // The membership or the platform's grant was taken away: the login leads nowhere.
            _ => return None,
        };
        Some(Login { session: self.id, operator: self.operator_id, kind, seen_at: self.seen_at.to_jiff() })
    }
}

#[derive(FromRow)]
struct OperatorRow {
    id: OperatorId,
    password_hash: Option<String>,
    status: String,
    platform: bool,
    locked_until: Option<SqlTimestamp>,
}

#[derive(FromRow)]
struct TokenRow {
    tenant_id: TenantId,
    id: ApiTokenId,
    role: String,
    permissions: Option<Vec<String>>,
    status: String,
}

#[derive(FromRow)]
struct VisitRow {
    tenant_id: TenantId,
    id: ImpersonationId,
    operator_id: OperatorId,
    reason: String,
    writes: bool,
    expires_at: SqlTimestamp,
    status: String,
}

impl Locator {
    /// Finds a login by its token's hash, if it is in force.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn login(&self, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<Login>, DbError> {
        let row: Option<LoginRow> = sqlx::query_as(
            "SELECT s.id, s.operator_id, s.tenant_id, s.seen_at, o.platform, m.role, m.added, m.removed, m.reach, t.status AS tenant_status,
                    EXISTS (SELECT 1 FROM operator_totp f WHERE f.operator_id = o.id AND f.confirmed_at IS NOT NULL) AS second_factor
               FROM login_session s
               JOIN operator o ON o.id = s.operator_id AND o.status = 'active'
               LEFT JOIN membership m ON m.tenant_id = s.tenant_id AND m.operator_id = s.operator_id
               LEFT JOIN tenant t ON t.id = s.tenant_id
              WHERE s.token_hash = $1 AND s.purpose = 'login' AND s.revoked_at IS NULL AND s.expires_at > $2",
        )
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(LoginRow::login))
    }

    /// Keeps that a login was used, and from where, if that is known for a minute less than it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_seen(&self, login: &Login, source: Option<IpAddr>, now: Timestamp) -> Result<(), DbError> {
        if now.duration_since(login.seen_at) < SEEN_EVERY {
            return Ok(());
        }
        sqlx::query("UPDATE login_session SET seen_at = $2, address = coalesce($3, address) WHERE id = $1 AND seen_at < $2")
            .bind(login.session)
            .bind(now.to_sqlx())
            .bind(source)
            .execute(&self.pool)
            .await?;
        Ok(())
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
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT k.tenant_id, k.id, k.role, k.permissions, t.status FROM api_token k JOIN tenant t ON t.id = k.tenant_id
              WHERE k.token_hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
        )
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| TokenCredential {
            door: TenantDoor::new(row.tenant_id, ActorLabel::token(row.id), Reach::All),
            id: row.id,
            role: row.role,
            permissions: row.permissions,
            tenant_status: row.status,
        }))
    }

    /// Finds a visit of the platform's support by its token's hash, if it goes on and the visitor is still one of the platform's people.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn visit(&self, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<VisitCredential>, DbError> {
        let row: Option<VisitRow> = sqlx::query_as(
            "SELECT v.tenant_id, v.id, v.operator_id, v.reason, v.writes, v.expires_at, t.status
               FROM impersonation v
               JOIN operator o ON o.id = v.operator_id AND o.status = 'active' AND o.platform
               JOIN tenant t ON t.id = v.tenant_id
              WHERE v.token_hash = $1 AND v.ended_at IS NULL AND v.expires_at > $2",
        )
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| VisitCredential {
            door: TenantDoor::new(row.tenant_id, ActorLabel::support(row.operator_id), Reach::All),
            id: row.id,
            operator: row.operator_id,
            reason: row.reason,
            writes: row.writes,
            expires_at: row.expires_at.to_jiff(),
            tenant_status: row.status,
        }))
    }

    /// Finds an invitation by its token's hash, if it can still be accepted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn invitation(&self, token_hash: &[u8; 32], now: Timestamp) -> Result<Option<OpenInvitation>, DbError> {
        let row: Option<(TenantId, InvitationId, String, String)> = sqlx::query_as(
            "SELECT i.tenant_id, i.id, i.login, t.status FROM invitation i JOIN tenant t ON t.id = i.tenant_id
              WHERE i.token_hash = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2",
        )
        .bind(&token_hash[..])
        .bind(now.to_sqlx())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(tenant, id, login, tenant_status)| OpenInvitation { tenant, id, login, tenant_status }))
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
}
