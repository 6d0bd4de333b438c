//! Transactions of a tenant and of the platform.

use crate::Locator;
use crate::lines::{self, Line, difference};
use crate::spent::{Spending, Spent};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AuditId, Entropy, OperatorId, RouterId, TenantId};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
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

/// Who acts, as the audit log shows it: `operator:opr_…`, `token:tok_…`, `support:opr_…` or `system:provisioning`.
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

    /// Names one of the platform's people on a visit in a tenant.
    #[must_use]
    pub fn support(id: OperatorId) -> Self {
        Self(format!("support:{id}"))
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

/// Which request an action came with, for the audit logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The request's id, as it stands in the answer and in the log.
    pub request_id: String,
    /// The address at the other end of the connection. What a header says of it is not believed.
    pub source: Option<IpAddr>,
}

/// The right to open transactions of one tenant. Only the [`Locator`] hands it out.
#[derive(Debug, Clone)]
pub struct TenantDoor {
    tenant: TenantId,
    actor: ActorLabel,
    reach: Reach,
    origin: Option<Origin>,
}

impl TenantDoor {
    pub(crate) const fn new(tenant: TenantId, actor: ActorLabel, reach: Reach) -> Self {
        Self { tenant, actor, reach, origin: None }
    }

    /// Returns the door as a request uses it: its audit lines name the request.
    #[must_use]
    pub fn with_origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Returns the same door with another reach: the audit looks as a limited operator does.
    pub(crate) fn reaching(&self, reach: Reach) -> Self {
        Self { reach, ..self.clone() }
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
pub struct PlatformActor {
    label: ActorLabel,
    origin: Option<Origin>,
}

impl PlatformActor {
    pub(crate) const fn new(label: ActorLabel) -> Self {
        Self { label, origin: None }
    }

    /// Returns the actor as a request brings it: its audit lines name the request.
    #[must_use]
    pub fn with_origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Opens a tenant's door in this actor's name.
    pub(crate) fn door(&self, tenant: TenantId) -> TenantDoor {
        TenantDoor { tenant, actor: self.label.clone(), reach: Reach::All, origin: self.origin.clone() }
    }

    /// The controller itself, or a person with a shell on its machine.
    #[must_use]
    pub fn system(part: &'static str) -> Self {
        Self::new(ActorLabel::system(part))
    }

    /// Who acts in a tenant, where what they do touches a person's login, which no tenant owns.
    #[must_use]
    pub fn on_behalf_of(door: &TenantDoor) -> Self {
        Self { label: door.actor.clone(), origin: door.origin.clone() }
    }

    /// A person who does something to their own login.
    #[must_use]
    pub fn person(id: OperatorId) -> Self {
        Self::new(ActorLabel::operator(id))
    }

    /// Returns who acts.
    #[must_use]
    pub const fn label(&self) -> &ActorLabel {
        &self.label
    }
}

/// The database as the controller holds it: two pools behind three doors.
#[derive(Clone)]
pub struct Db {
    app: PgPool,
    platform: PgPool,
    entropy: Arc<dyn Entropy>,
    woken: Arc<Notify>,
    spent: Spent,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    pub(crate) fn new(app: PgPool, platform: PgPool, entropy: Arc<dyn Entropy>) -> Self {
        Self { app, platform, entropy, woken: Arc::new(Notify::new()), spent: Spent::default() }
    }

    /// Opens a transaction that sees one tenant. It rolls back when dropped.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenant(&self, door: &TenantDoor) -> Result<TenantTx, DbError> {
        // The ids are UUIDs that we render ourselves, so the text cannot carry SQL. SET LOCAL ends with the transaction: a session
        // setting would outlive it in the pool.
        self.begin(door, "BEGIN", "").await
    }

    /// Takes out for how long a tenant's requests had transactions since the last time, with those that they still have. One counts for
    /// five seconds at most, and what the controller does by itself for nothing.
    #[must_use]
    pub fn take_spent(&self, tenant: TenantId) -> Duration {
        self.spent.take(tenant)
    }

    /// Opens a transaction that only reads one tenant, all of it as it was at one moment. A statement in it may take ten minutes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn snapshot(&self, door: &TenantDoor) -> Result<TenantTx, DbError> {
        self.begin(door, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "; SET LOCAL statement_timeout = '10min'").await
    }

    async fn begin(&self, door: &TenantDoor, begin: &str, more: &str) -> Result<TenantTx, DbError> {
        let reach = match door.reach {
            Reach::All => "all".to_owned(),
            Reach::AssignedTo(operator) => operator.uuid().to_string(),
        };
        let tenant = door.tenant.uuid();
        let begin = format!("{begin}; SET LOCAL app.tenant_id = '{tenant}'; SET LOCAL app.reach = '{reach}'{more}");
        let tx = self.app.begin_with(AssertSqlSafe(begin)).await?;
        let (entropy, woken) = (self.entropy.clone(), self.woken.clone());
        let time = door.origin.is_some().then(|| self.spent.begin(door.tenant));
        Ok(TenantTx { tx, door: door.clone(), entropy, woken, wakes: false, lines: Vec::new(), sealing: None, _time: time })
    }

    /// Opens a transaction across tenants; who and why is written down with its commit.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn platform(&self, actor: &PlatformActor, reason: &str, now: Timestamp) -> Result<PlatformTx, DbError> {
        self.platform_with("BEGIN", actor, reason, now).await
    }

    /// As [`Db::platform`], with everything as it was at one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn platform_snapshot(&self, actor: &PlatformActor, reason: &str, now: Timestamp) -> Result<PlatformTx, DbError> {
        self.platform_with("BEGIN ISOLATION LEVEL REPEATABLE READ", actor, reason, now).await
    }

    async fn platform_with(
        &self,
        begin: &'static str,
        actor: &PlatformActor,
        reason: &str,
        now: Timestamp,
    ) -> Result<PlatformTx, DbError> {
        let tx = self.platform.begin_with(begin).await?;
        let (actor, reason) = (actor.clone(), reason.to_owned());
        Ok(PlatformTx { tx, actor, reason, at: now, entropy: self.entropy.clone(), lines: Vec::new() })
    }

    pub(crate) const fn platform_pool(&self) -> &PgPool {
        &self.platform
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
    lines: Vec<Line>,
    /// The data key that seals in this transaction, once it was asked for.
    pub(crate) sealing: Option<uuid::Uuid>,
    /// Ends with the transaction.
    _time: Option<Spending>,
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

    /// Returns how much of the tenant is seen.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.door.reach
    }

    /// Returns the connection, for a store's statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Adds a line to the tenant's audit log. It is written with the commit, behind everything else: the log's end is locked from there on,
    /// so no transaction waits with that lock for another.
    ///
    /// # Errors
    /// None today; the commit tells of what the database refuses.
    pub async fn audit(&mut self, now: Timestamp, action: &str, target: &str, details: Value) -> Result<(), DbError> {
        self.lines.push(Line::new(AuditId::generate(now, &*self.entropy), now, action, target, details));
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
    pub async fn commit(mut self) -> Result<(), DbError> {
        let (tenant, door) = (self.door.tenant, &self.door);
        lines::write(&mut self.tx, tenant, &door.actor, door.origin.as_ref(), &self.lines).await?;
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
    actor: PlatformActor,
    reason: String,
    at: Timestamp,
    entropy: Arc<dyn Entropy>,
    lines: Vec<(TenantId, Line)>,
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

    /// Adds a line to a tenant's own audit log, about what the platform does to it. It is written with the commit.
    pub fn audit_tenant(&mut self, tenant: TenantId, now: Timestamp, action: &str, target: &str, details: Value) {
        self.lines.push((tenant, Line::new(AuditId::generate(now, &*self.entropy), now, action, target, details)));
    }

    /// Writes the audit lines and makes the work permanent.
    ///
    /// # Errors
    /// When the database refuses; then nothing of the transaction is kept.
    pub async fn commit(mut self) -> Result<(), DbError> {
        // Tenants in one order, the platform last: two transactions cannot wait for each other's ends of chains.
        self.lines.sort_by_key(|(tenant, _)| *tenant);
        let PlatformActor { label, origin } = &self.actor;
        for (tenant, line) in &self.lines {
            lines::write(&mut self.tx, *tenant, label, origin.as_ref(), std::slice::from_ref(line)).await?;
        }
        sqlx::query("INSERT INTO platform_audit (id, at, actor, reason, request_id, source) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(AuditId::generate(self.at, &*self.entropy))
            .bind(self.at.to_sqlx())
            .bind(label.as_str())
            .bind(&self.reason)
            .bind(origin.as_ref().map(|origin| origin.request_id.as_str()))
            .bind(origin.as_ref().and_then(|origin| origin.source))
            .execute(&mut *self.tx)
            .await?;
        Ok(self.tx.commit().await?)
    }
}
