//! Enrolments in the database, and what joining changes in a router's row.

use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{EnrolmentId, Entropy, RouterId, Tag, WgPublicKey};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

/// A new enrolment's row, its secrets sealed.
pub(super) struct NewRow {
    pub id: EnrolmentId,
    pub router: RouterId,
    pub hub_public_key: WgPublicKey,
    pub hub_private_key: Vec<u8>,
    pub preshared_key: Vec<u8>,
    pub lasting_preshared_key: Vec<u8>,
    pub api_password: Vec<u8>,
    pub line_token_hash: Option<[u8; 32]>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An enrolment that is open, with its secrets as they are stored.
#[derive(FromRow)]
pub(super) struct OpenRow {
    pub id: EnrolmentId,
    pub router_id: RouterId,
    pub hub_public_key: Vec<u8>,
    pub hub_private_key: Vec<u8>,
    pub preshared_key: Vec<u8>,
    pub lasting_preshared_key: Vec<u8>,
    pub api_password: Vec<u8>,
    pub expires_at: SqlTimestamp,
}

/// How far an enrolment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentState {
    /// No router has proven itself.
    Pending,
    /// A router has, and the controller has not finished with it.
    Bound,
    /// The router has joined.
    Completed,
    /// Nobody came in time.
    Expired,
    /// A newer one took its place, or the router was removed.
    Cancelled,
}

/// What is known of a router's latest enrolment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrolmentView {
    /// The enrolment.
    pub id: EnrolmentId,
    /// How far it is.
    pub state: EnrolmentState,
    /// What was last seen of it, in plain words.
    pub last_attempt: Option<String>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub attempted_at: Option<Timestamp>,
    /// Until when its texts can be used.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What binding needs to know of an enrolment that cannot be bound now.
pub(super) struct Standing {
    pub state: EnrolmentState,
    pub router: RouterId,
    pub router_public_key: Option<WgPublicKey>,
}

fn state(text: &str) -> EnrolmentState {
    match text {
        "pending" => EnrolmentState::Pending,
        "bound" => EnrolmentState::Bound,
        "completed" => EnrolmentState::Completed,
        "expired" => EnrolmentState::Expired,
        "cancelled" => EnrolmentState::Cancelled,
        other => unreachable!("the column's CHECK lets no {other} in"),
    }
}

pub(super) async fn count_open(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM enrolment WHERE tenant_id = $1 AND state IN ('pending', 'bound')")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn insert(tx: &mut TenantTx, row: NewRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO enrolment (tenant_id, id, router_id, hub_public_key, hub_private_key, preshared_key, lasting_preshared_key,
                                api_password, line_token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant())
    .bind(row.id)
    .bind(row.router)
    .bind(&row.hub_public_key.as_bytes()[..])
    .bind(row.hub_private_key)
    .bind(row.preshared_key)
    .bind(row.lasting_preshared_key)
    .bind(row.api_password)
    .bind(row.line_token_hash.map(|hash| hash.to_vec()))
    .bind(row.created_at.to_sqlx())
    .bind(row.expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Every open enrolment of the tenant.
pub(super) async fn all_open(tx: &mut TenantTx) -> Result<Vec<OpenRow>, DbError> {
    Ok(sqlx::query_as(
        "SELECT id, router_id, hub_public_key, hub_private_key, preshared_key, lasting_preshared_key, api_password, expires_at
           FROM enrolment WHERE tenant_id = $1 AND state IN ('pending', 'bound')",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn open(tx: &mut TenantTx, id: EnrolmentId) -> Result<Option<OpenRow>, DbError> {
    Ok(sqlx::query_as(
        "SELECT id, router_id, hub_public_key, hub_private_key, preshared_key, lasting_preshared_key, api_password, expires_at
           FROM enrolment WHERE tenant_id = $1 AND state IN ('pending', 'bound') AND id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?)
}

/// Uses the line's token up; false when it was used, or the enrolment is no longer to be had.
pub(super) async fn use_line(tx: &mut TenantTx, id: EnrolmentId, hash: &[u8; 32], now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE enrolment SET line_token_hash = NULL
          WHERE tenant_id = $1 AND id = $2 AND line_token_hash = $3 AND state = 'pending' AND expires_at > $4",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&hash[..])
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Binds a pending enrolment to the first key, by one statement; none when it was not pending any more.
pub(super) async fn bind(
    tx: &mut TenantTx,
    id: EnrolmentId,
    key: &WgPublicKey,
    endpoint: &str,
    now: Timestamp,
) -> Result<Option<RouterId>, DbError> {
    Ok(sqlx::query_scalar(
        "UPDATE enrolment SET state = 'bound', router_public_key = $3, endpoint = $4, bound_at = $5, line_token_hash = NULL
          WHERE tenant_id = $1 AND id = $2 AND state = 'pending' AND expires_at > $5 RETURNING router_id",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&key.as_bytes()[..])
    .bind(endpoint)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn standing(tx: &mut TenantTx, id: EnrolmentId) -> Result<Option<Standing>, DbError> {
    let row: Option<(String, RouterId, Option<Vec<u8>>)> =
        sqlx::query_as("SELECT state, router_id, router_public_key FROM enrolment WHERE tenant_id = $1 AND id = $2")
            .bind(tx.tenant())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(|(text, router, bytes)| Standing { state: state(&text), router, router_public_key: bytes.as_deref().map(key) }))
}

fn key(bytes: &[u8]) -> WgPublicKey {
    WgPublicKey::from_bytes(bytes.try_into().expect("the column's CHECK lets only 32 bytes in"))
}

/// The open enrolment of a router that has been bound.
pub(super) async fn bound(tx: &mut TenantTx, router: RouterId) -> Result<Option<EnrolmentId>, DbError> {
    Ok(sqlx::query_scalar("SELECT id FROM enrolment WHERE tenant_id = $1 AND router_id = $2 AND state = 'bound'")
        .bind(tx.tenant())
        .bind(router)
        .fetch_optional(tx.conn())
        .await?)
}

pub(super) async fn all_bound(tx: &mut TenantTx) -> Result<Vec<RouterId>, DbError> {
    Ok(sqlx::query_scalar("SELECT router_id FROM enrolment WHERE tenant_id = $1 AND state = 'bound'")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await?)
}

pub(super) async fn note(tx: &mut TenantTx, id: EnrolmentId, what: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE enrolment SET last_attempt = left($3, 500), attempted_at = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(what)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends an open enrolment and erases its secrets, in one statement; false when it was not open.
pub(super) async fn end(tx: &mut TenantTx, id: EnrolmentId, state: &'static str, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE enrolment SET state = $3, ended_at = $4, hub_private_key = NULL, preshared_key = NULL, lasting_preshared_key = NULL,
                              api_password = NULL, line_token_hash = NULL
          WHERE tenant_id = $1 AND id = $2 AND state IN ('pending', 'bound')",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(state)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn due(tx: &mut TenantTx, now: Timestamp) -> Result<Vec<(EnrolmentId, RouterId)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT id, router_id FROM enrolment WHERE tenant_id = $1 AND state IN ('pending', 'bound') AND expires_at <= $2",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .fetch_all(tx.conn())
    .await?)
}

/// The open enrolment of a router.
pub(super) async fn open_of(tx: &mut TenantTx, router: RouterId) -> Result<Option<EnrolmentId>, DbError> {
    Ok(sqlx::query_scalar("SELECT id FROM enrolment WHERE tenant_id = $1 AND router_id = $2 AND state IN ('pending', 'bound')")
        .bind(tx.tenant())
        .bind(router)
        .fetch_optional(tx.conn())
        .await?)
}

/// The newest enrolment of each of some routers.
pub(super) async fn latest(tx: &mut TenantTx, routers: &[RouterId]) -> Result<Vec<(RouterId, EnrolmentView)>, DbError> {
    #[derive(FromRow)]
    struct Row {
        router_id: RouterId,
        id: EnrolmentId,
        state: String,
        last_attempt: Option<String>,
        attempted_at: Option<SqlTimestamp>,
        expires_at: SqlTimestamp,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT DISTINCT ON (router_id) router_id, id, state, last_attempt, attempted_at, expires_at
           FROM enrolment WHERE tenant_id = $1 AND router_id = ANY ($2) ORDER BY router_id, id DESC",
    )
    .bind(tx.tenant())
    .bind(routers)
    .fetch_all(tx.conn())
    .await?;
    let view = |row: Row| {
        let view = EnrolmentView {
            id: row.id,
            state: state(&row.state),
            last_attempt: row.last_attempt,
            attempted_at: row.attempted_at.map(SqlTimestamp::to_jiff),
            expires_at: row.expires_at.to_jiff(),
        };
        (row.router_id, view)
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Returns the tag of an object that joining leaves on a router; draws one the first time.
pub(super) async fn tag(tx: &mut TenantTx, router: RouterId, object: &str, entropy: &dyn Entropy) -> Result<Tag, DbError> {
    sqlx::query(
        "INSERT INTO router_object (tenant_id, router_id, object_key, tag) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, router_id, object_key) DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(object)
    .bind(Tag::generate(entropy).to_string())
    .execute(tx.conn())
    .await?;
    let text: String =
        sqlx::query_scalar("SELECT tag FROM router_object WHERE tenant_id = $1 AND router_id = $2 AND object_key = $3")
            .bind(tx.tenant())
            .bind(router)
            .bind(object)
            .fetch_one(tx.conn())
            .await?;
    Ok(text.parse().expect("the column's CHECK lets only tags in"))
}

/// Forgets the tags of earlier enrolments, whose objects are gone: the block takes them away once the new one has proven itself.
pub(super) async fn forget_earlier_tags(tx: &mut TenantTx, router: RouterId, keep: EnrolmentId) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM router_object WHERE tenant_id = $1 AND router_id = $2 AND object_key LIKE 'tunnel:%:enr\\_%' AND object_key NOT LIKE '%:' || $3",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(keep.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives the router its account, with the password that its block carries.
pub(super) async fn set_account(tx: &mut TenantTx, router: RouterId, user: &str, password: &[u8]) -> Result<(), DbError> {
    sqlx::query("UPDATE router SET api_user = $3, api_password = $4, api_password_next = NULL WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(router)
        .bind(user)
        .bind(password)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Stores the password that is about to be sent, unless one is on its way already; returns the one that is.
pub(super) async fn set_next_password(tx: &mut TenantTx, router: RouterId, password: &[u8]) -> Result<Vec<u8>, DbError> {
    Ok(sqlx::query_scalar(
        "UPDATE router SET api_password_next = coalesce(api_password_next, $3) WHERE tenant_id = $1 AND id = $2 RETURNING api_password_next",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(password)
    .fetch_one(tx.conn())
    .await?)
}

/// Makes the password that was seen to work the only one.
pub(super) async fn promote_password(tx: &mut TenantTx, router: RouterId, password: &[u8]) -> Result<(), DbError> {
    sqlx::query("UPDATE router SET api_password = $3, api_password_next = NULL WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(router)
        .bind(password)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn serial(tx: &mut TenantTx, router: RouterId) -> Result<Option<String>, DbError> {
    Ok(sqlx::query_scalar("SELECT serial FROM router WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(router)
        .fetch_one(tx.conn())
        .await?)
}

/// Writes down who the router says it is; false when another router of the tenant has this serial number.
pub(super) async fn set_identity(
    tx: &mut TenantTx,
    router: RouterId,
    serial: &str,
    board: &str,
    version: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE router SET serial = $3, board = left($4, 64), version = left($5, 64) WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(serial)
    .bind(board)
    .bind(version)
    .execute(tx.conn())
    .await;
    match done {
        Ok(_) => Ok(true),
        Err(error) if on_constraint(&error) == Some("router_serial_unique") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Lets a router be joined; one that had been confirmed stays so, for it is the same one.
pub(super) async fn set_joined(tx: &mut TenantTx, router: RouterId) -> Result<(), DbError> {
    sqlx::query("UPDATE router SET stage = 'joined' WHERE tenant_id = $1 AND id = $2 AND stage = 'created'")
        .bind(tx.tenant())
        .bind(router)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whether the router has never finished joining.
pub(super) async fn never_joined(tx: &mut TenantTx, router: RouterId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT stage = 'created' FROM router WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(router)
        .fetch_one(tx.conn())
        .await?)
}
