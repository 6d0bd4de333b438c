//! Transactions of a tenant and of the platform.

use crate::Locator;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AuditId, Entropy, OperatorId, RouterId, TenantId};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Notify;

/// Why the database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A statement failed or the database is away.
    #[error("the database did not answer as it should")]
    Sqlx(#[from] sqlx::Error),
}

/// Names the violated constraint, so that a store can turn it into an error that means something.
#[must_use]
pub fn on_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}

/// Who acts, as the audit log shows it: `operator:opr_…`, `token:tok_…` or `system:provisioning`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorLabel(String);

impl ActorLabel {
    /// Names an operator.
    #[must_use]
    pub fn operator(id: OperatorId) -> Self {
        Self(format!("operator:{id}"))
    }

    /// Names an API token.
    #[must_use]
    pub fn token(id: model::ApiTokenId) -> Self {
        Self(format!("token:{id}"))
    }

    /// Names a part of the controller itself.
    #[must_use]
    pub fn system(part: &'static str) -> Self {
        Self(format!("system:{part}"))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much of a tenant is seen through a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    All,
    /// Of routers and what hangs on them, only those assigned to this operator.
    AssignedTo(OperatorId),
}

/// The right to open transactions of one tenant. Only the [`Locator`] hands it out.
#[derive(Debug, Clone)]
pub struct TenantDoor {
    tenant: TenantId,
    actor: ActorLabel,
    reach: Reach,
}

impl TenantDoor {
    pub(crate) const fn new(tenant: TenantId, actor: ActorLabel, reach: Reach) -> Self {
        Self { tenant, actor, reach }
    }

    /// Returns how much of the tenant is seen through it.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// Returns the tenant this door leads to.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns who acts through it.
    #[must_use]
    pub const fn actor(&self) -> &ActorLabel {
        &self.actor
    }
}

/// Who may work across tenants: the platform's operators and the controller's own sweeps.
#[derive(Debug, Clone)]
pub struct PlatformActor(ActorLabel);

impl PlatformActor {
    pub(crate) const fn new(label: ActorLabel) -> Self {
        Self(label)
    }

    /// The controller itself, or a person with a shell on its machine.
    #[must_use]
    pub fn system(part: &'static str) -> Self {
        Self(ActorLabel::system(part))
    }

    /// Returns who acts.
    #[must_use]
    pub const fn label(&self) -> &ActorLabel {
        &self.0
    }
}

/// The database as the controller holds it: two pools behind three doors.
#[derive(Clone)]
pub struct Db {
    app: PgPool,
    platform: PgPool,
    entropy: Arc<dyn Entropy>,
    woken: Arc<Notify>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    pub(crate) fn new(app: PgPool, platform: PgPool, entropy: Arc<dyn Entropy>) -> Self {
        Self { app, platform, entropy, woken: Arc::new(Notify::new()) }
    }

    /// Opens a transaction that sees one tenant. It rolls back when dropped.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant(&self, door: &TenantDoor) -> Result<TenantTx, DbError> {
        // The ids are UUIDs that we render ourselves, so the text cannot carry SQL. SET LOCAL ends with the transaction: a session
        // setting would outlive it in the pool.
        let reach = match door.reach {
            Reach::All => "all".to_owned(),
            Reach::AssignedTo(operator) => operator.uuid().to_string(),
        };
        let begin = format!("BEGIN; SET LOCAL app.tenant_id = '{}'; SET LOCAL app.reach = '{reach}'", door.tenant.uuid());
        let tx = self.app.begin_with(AssertSqlSafe(begin)).await?;
        Ok(TenantTx { tx, door: door.clone(), entropy: self.entropy.clone(), woken: self.woken.clone(), wakes: false })
    }

    /// Opens a transaction across tenants and writes down who and why.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn platform(&self, actor: &PlatformActor, reason: &str, now: Timestamp) -> Result<PlatformTx, DbError> {
        let mut tx = self.platform.begin().await?;
        sqlx::query("INSERT INTO platform_audit (id, at, actor, reason) VALUES ($1, $2, $3, $4)")
            .bind(AuditId::generate(now, &*self.entropy))
            .bind(now.to_sqlx())
            .bind(actor.0.as_str())
            .bind(reason)
            .execute(&mut *tx)
            .await?;
        Ok(PlatformTx { tx })
    }

    /// Returns the door that finds out whose a credential is.
    #[must_use]
    pub fn locator(&self) -> Locator {
        Locator::new(self.platform.clone())
    }

    /// Waits until a transaction that left something in the outbox has been committed by this process.
    ///
    /// # Cancel safety
    /// Cancel safe; a wake that came while nobody waited is kept.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.app.close().await;
        self.platform.close().await;
    }
}

/// A transaction that sees and writes one tenant's rows.
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    door: TenantDoor,
    entropy: Arc<dyn Entropy>,
    woken: Arc<Notify>,
    wakes: bool,
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantTx({})", self.door.tenant)
    }
}

impl TenantTx {
    /// Returns the tenant; every statement names it too, for the reader and the planner.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.door.tenant
    }

    /// Returns who acts.
    #[must_use]
    pub const fn actor(&self) -> &ActorLabel {
        &self.door.actor
    }

    /// Returns the connection, for a store's statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Writes a line of the tenant's audit log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit(&mut self, now: Timestamp, action: &str, target: &str, details: Value) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO audit_log (tenant_id, id, at, actor, action, target, details) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.door.tenant)
        .bind(AuditId::generate(now, &*self.entropy))
        .bind(now.to_sqlx())
        .bind(self.door.actor.as_str())
        .bind(action)
        .bind(target)
        .bind(details)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Writes a line of the tenant's audit log with what changed: of the fields of `before` and `after` only those that differ are kept,
    /// as `{"before": {..}, "after": {..}}`. Neither may hold a secret.
    ///
    /// # Errors
    /// When the database does not answer.
    ///
    /// # Panics
    /// When one of the values cannot be JSON, which a struct of plain fields always can.
    pub async fn audit_change(
        &mut self,
        now: Timestamp,
        action: &str,
        target: &str,
        before: &impl Serialize,
        after: &impl Serialize,
    ) -> Result<(), DbError> {
        let json = |value: Result<Value, serde_json::Error>| value.expect("plain fields are JSON");
        let details = difference(json(serde_json::to_value(before)), json(serde_json::to_value(after)));
        self.audit(now, action, target, details).await
    }

    /// Raises a router's desired generation and asks its worker to look again, once this transaction is committed.
    /// Returns the new generation.
    ///
    /// # Errors
    /// When the database does not answer, or the router is not this tenant's.
    pub async fn touch_router(&mut self, router: RouterId, now: Timestamp) -> Result<i64, DbError> {
        let generation: i64 = sqlx::query_scalar(
            "UPDATE router_state SET desired = desired + 1 WHERE tenant_id = $1 AND router_id = $2 RETURNING desired",
        )
        .bind(self.door.tenant)
        .bind(router)
        .fetch_one(&mut *self.tx)
        .await?;
        sqlx::query("INSERT INTO outbox (tenant_id, id, router_id, created_at) VALUES ($1, $2, $3, $4)")
            .bind(self.door.tenant)
            .bind(model::OutboxId::generate(now, &*self.entropy))
            .bind(router)
            .bind(now.to_sqlx())
            .execute(&mut *self.tx)
            .await?;
        self.wakes = true;
        Ok(generation)
    }

    /// Makes the work permanent, and wakes the dispatcher if there is something in the outbox.
    ///
    /// # Errors
    /// When the database refuses; then nothing of the transaction is kept.
    pub async fn commit(self) -> Result<(), DbError> {
        self.tx.commit().await?;
        if self.wakes {
            self.woken.notify_one();
        }
        Ok(())
    }
}

/// An audited transaction across tenants, with the platform role's declared grants.
pub struct PlatformTx {
    tx: Transaction<'static, Postgres>,
}

impl fmt::Debug for PlatformTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformTx")
    }
}

impl PlatformTx {
    /// Returns the connection, for a store's statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Makes the work permanent.
    ///
    /// # Errors
    /// When the database refuses; then nothing of the transaction is kept.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.tx.commit().await?)
    }
}

/// Keeps the fields that differ, from both sides.
fn difference(before: Value, after: Value) -> Value {
    match (before, after) {
        (Value::Object(mut before), Value::Object(mut after)) => {
            let same: Vec<String> =
                before.iter().filter(|(name, value)| after.get(*name) == Some(*value)).map(|(name, _)| name.clone()).collect();
            for name in same {
                before.remove(&name);
                after.remove(&name);
            }
            serde_json::json!({ "before": before, "after": after })
        }
        (before, after) => serde_json::json!({ "before": before, "after": after }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_kept() {
        let before = json!({ "name": "Home", "price": 100, "note": null });
        let after = json!({ "name": "Home", "price": 120, "new": true });
        let kept = json!({ "before": { "price": 100, "note": null }, "after": { "price": 120, "new": true } });
        assert_eq!(difference(before, after), kept);
        assert_eq!(difference(json!(1), json!(2)), json!({ "before": 1, "after": 2 }));
    }
}
