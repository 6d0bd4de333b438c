//! Sessions and usage in the database.

use super::rules::Source;
use super::usage::Used;
use super::{Cause, Ended, SessionKind, Sighting};
use db::{DbError, TenantTx};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Bytes, CustomerId, RouterId, SessionId};
use sqlx::FromRow;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A row to be written.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub id: SessionId,
    pub customer: Option<CustomerId>,
    pub sighting: Sighting,
}

/// What is known of a session.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub id: SessionId,
    pub customer: Option<CustomerId>,
    pub sighting: Sighting,
    /// When its end was noted; none while it is live.
    pub closed_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Raw {
    id: SessionId,
    router_id: RouterId,
    session_key: String,
    acct_id: String,
    customer_id: Option<CustomerId>,
    kind: String,
    login: String,
    address: Option<IpNetwork>,
    station: String,
    started_at: SqlTimestamp,
    seen_at: SqlTimestamp,
    online_seconds: i64,
    upload_bytes: Option<i64>,
    download_bytes: Option<i64>,
    ended_at: Option<SqlTimestamp>,
    cause: Option<String>,
    closed_at: Option<SqlTimestamp>,
}

fn count(value: i64) -> u64 {
    u64::try_from(value).expect("the column's CHECK lets nothing below 0 in")
}

/// Counters beyond what the database holds stay at the most it holds.
fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl From<Raw> for Known {
    fn from(raw: Raw) -> Self {
        let bytes = |value: Option<i64>| value.map(|value| Bytes(count(value)));
        let cause = raw.cause.map(|name| Cause::from_stored(&name).unwrap_or(Cause::RouterRequest));
        Self {
            id: raw.id,
            customer: raw.customer_id,
            sighting: Sighting {
                router: raw.router_id,
                key: raw.session_key,
                acct_id: raw.acct_id,
                kind: SessionKind::from_stored(&raw.kind).expect("the column's CHECK lets only kinds in"),
                login: raw.login,
                address: raw.address.map(|address| address.ip()),
                station: raw.station,
                started_at: raw.started_at.to_jiff(),
                seen_at: raw.seen_at.to_jiff(),
                online_seconds: count(raw.online_seconds),
                upload: bytes(raw.upload_bytes),
                download: bytes(raw.download_bytes),
                ended: raw.ended_at.zip(cause).map(|(at, cause)| Ended { at: at.to_jiff(), cause }),
            },
            closed_at: raw.closed_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// The columns of a session, live or not.
macro_rules! columns {
    (live) => {
        "id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at, seen_at, online_seconds, upload_bytes,
         download_bytes, NULL::timestamptz AS ended_at, NULL::text AS cause, NULL::timestamptz AS closed_at"
    };
    (history) => {
        "id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at, seen_at, online_seconds, upload_bytes,
         download_bytes, ended_at, cause, closed_at"
    };
}

mod views;

pub use views::{Break, HistoryFilter, Online, SessionView, breaks, last_of, live_count, online};
pub(super) use views::{history, list, of_customer};

/// Holds routers' sessions against others who would write them, until the transaction ends; always in one order.
pub(super) async fn hold(tx: &mut TenantTx, routers: &[RouterId]) -> Result<(), DbError> {
    let ids: Vec<Uuid> = routers.iter().map(|router| router.uuid()).collect();
    sqlx::query(
        "INSERT INTO session_source (tenant_id, router_id) SELECT $1, id FROM unnest($2::uuid[]) AS id ORDER BY id
         ON CONFLICT (tenant_id, router_id) DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(&ids)
    .execute(tx.conn())
    .await?;
    sqlx::query("SELECT 1 FROM session_source WHERE tenant_id = $1 AND router_id = ANY ($2) ORDER BY router_id FOR UPDATE")
        .bind(tx.tenant())
        .bind(&ids)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn source(tx: &mut TenantTx, router: RouterId) -> Result<Source, DbError> {
    let row: Option<(Option<SqlTimestamp>, Option<SqlTimestamp>)> =
        sqlx::query_as("SELECT boot_at, listed_at FROM session_source WHERE tenant_id = $1 AND router_id = $2")
            .bind(tx.tenant())
            .bind(router)
            .fetch_optional(tx.conn())
            .await?;
    let (boot_at, listed_at) = row.unwrap_or_default();
    Ok(Source { boot_at: boot_at.map(SqlTimestamp::to_jiff), listed_at: listed_at.map(SqlTimestamp::to_jiff) })
}

pub(super) async fn set_source(
    tx: &mut TenantTx,
    router: RouterId,
    boot_at: Option<Timestamp>,
    listed_at: Option<Timestamp>,
) -> Result<(), DbError> {
    sqlx::query("UPDATE session_source SET boot_at = $3, listed_at = $4 WHERE tenant_id = $1 AND router_id = $2")
        .bind(tx.tenant())
        .bind(router)
        .bind(boot_at.map(|at| at.to_sqlx()))
        .bind(listed_at.map(|at| at.to_sqlx()))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Reads what is live on a router.
pub(super) async fn live(tx: &mut TenantTx, router: RouterId) -> Result<Vec<Sighting>, DbError> {
    let rows: Vec<Raw> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(live),
        " FROM session_live WHERE tenant_id = $1 AND router_id = $2 ORDER BY id"
    ))
    .bind(tx.tenant())
    .bind(router)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| Known::from(row).sighting).collect())
}

/// Reads what is known of sessions, wherever they stand; what is live goes before what has ended.
pub(super) async fn known(
    tx: &mut TenantTx,
    keys: impl Iterator<Item = &(RouterId, String)>,
) -> Result<HashMap<(RouterId, String), Known>, DbError> {
    let (routers, keys): (Vec<Uuid>, Vec<&str>) = keys.map(|(router, key)| (router.uuid(), key.as_str())).unzip();
    let rows: Vec<Raw> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(history),
        " FROM session_history h JOIN unnest($2::uuid[], $3::text[]) AS k (r, s) ON h.router_id = k.r AND h.session_key = k.s
           WHERE h.tenant_id = $1
          UNION ALL SELECT ",
        columns!(live),
        " FROM session_live l JOIN unnest($2::uuid[], $3::text[]) AS k (r, s) ON l.router_id = k.r AND l.session_key = k.s
           WHERE l.tenant_id = $1"
    ))
    .bind(tx.tenant())
    .bind(routers)
    .bind(keys)
    .fetch_all(tx.conn())
    .await?;
    let known = rows.into_iter().map(Known::from);
    Ok(known.map(|known| ((known.sighting.router, known.sighting.key.clone()), known)).collect())
}

/// What a batch changes, sorted by where it goes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Goes on, or began.
    live: Vec<Row>,
    /// Ended in this batch, or had ended before it was known.
    ended: Vec<(Row, Timestamp)>,
    /// Had ended, and more was heard of it.
    amended: Vec<(Row, Timestamp)>,
    /// Is live no more.
    left_live: Vec<SessionId>,
    /// Had been taken for ended.
    left_history: Vec<SessionId>,
}

impl Changes {
    pub(super) fn add(&mut self, before: Option<&Known>, row: Row, now: Timestamp) {
        if before.is_some_and(|before| before.sighting == row.sighting && before.customer == row.customer) {
            return;
        }
        let over = row.sighting.ended.is_some();
        match before.map(|before| before.closed_at) {
            Some(Some(closed_at)) if over => self.amended.push((row, closed_at)),
            Some(Some(_)) => {
                self.left_history.push(row.id);
                self.live.push(row);
            }
            Some(None) if over => {
                self.left_live.push(row.id);
                self.ended.push((row, now));
            }
            None if over => self.ended.push((row, now)),
            Some(None) | None => self.live.push(row),
        }
    }
}

pub(super) async fn apply(tx: &mut TenantTx, changes: Changes) -> Result<(), DbError> {
    for (table, ids) in [("session_live", &changes.left_live), ("session_history", &changes.left_history)] {
        if !ids.is_empty() {
            let statement = if table == "session_live" {
                sqlx::query("DELETE FROM session_live WHERE tenant_id = $1 AND id = ANY ($2)")
            } else {
                sqlx::query("DELETE FROM session_history WHERE tenant_id = $1 AND id = ANY ($2)")
            };
            statement.bind(tx.tenant()).bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>()).execute(tx.conn()).await?;
        }
    }
    if !changes.live.is_empty() {
        write_live(tx, &changes.live).await?;
    }
    if !changes.ended.is_empty() {
        write_history(tx, &changes.ended).await?;
    }
    if !changes.amended.is_empty() {
        amend_history(tx, &changes.amended).await?;
    }
    Ok(())
}

/// Binds the columns that both tables have, as $2 to $15.
macro_rules! bind_rows {
    ($query:expr, $tx:expr, $rows:expr) => {{
        fn column<'a, T>(rows: &[&'a Row], value: impl Fn(&'a Row) -> T) -> Vec<T> {
            rows.iter().map(|row| value(row)).collect()
        }
        let rows: &[&Row] = $rows;
        let bytes = |value: Option<Bytes>| value.map(|bytes| stored(bytes.0));
        $query
            .bind($tx.tenant())
            .bind(column(rows, |row| row.id.uuid()))
            .bind(column(rows, |row| row.sighting.router.uuid()))
            .bind(column(rows, |row| row.sighting.key.as_str()))
            .bind(column(rows, |row| row.sighting.acct_id.as_str()))
            .bind(column(rows, |row| row.customer.map(CustomerId::uuid)))
            .bind(column(rows, |row| row.sighting.kind.as_str()))
            .bind(column(rows, |row| row.sighting.login.as_str()))
            .bind(column(rows, |row| row.sighting.address.map(IpNetwork::from)))
            .bind(column(rows, |row| row.sighting.station.as_str()))
            .bind(column(rows, |row| row.sighting.started_at.to_sqlx()))
            .bind(column(rows, |row| row.sighting.seen_at.to_sqlx()))
            .bind(column(rows, |row| stored(row.sighting.online_seconds)))
            .bind(column(rows, |row| bytes(row.sighting.upload)))
            .bind(column(rows, |row| bytes(row.sighting.download)))
    }};
}

async fn write_live(tx: &mut TenantTx, rows: &[Row]) -> Result<(), DbError> {
    let rows: Vec<&Row> = rows.iter().collect();
    // The counters were joined before they came here; that none falls holds for the table too, whoever writes it.
    let query = sqlx::query(
        "INSERT INTO session_live AS l (tenant_id, id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at,
                seen_at, online_seconds, upload_bytes, download_bytes)
         SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::inet[], $10::text[],
                $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::bigint[], $15::bigint[])
         ON CONFLICT (tenant_id, id) DO UPDATE SET acct_id = excluded.acct_id, customer_id = excluded.customer_id, login = excluded.login,
                address = excluded.address, station = excluded.station, started_at = least(l.started_at, excluded.started_at),
                seen_at = greatest(l.seen_at, excluded.seen_at), online_seconds = greatest(l.online_seconds, excluded.online_seconds),
                upload_bytes = greatest(l.upload_bytes, excluded.upload_bytes), download_bytes = greatest(l.download_bytes, excluded.download_bytes)",
    );
    bind_rows!(query, tx, &rows).execute(tx.conn()).await?;
    Ok(())
}

fn ends(rows: &[(Row, Timestamp)]) -> (Vec<&Row>, Vec<SqlTimestamp>, Vec<&'static str>, Vec<SqlTimestamp>) {
    let end = |row: &Row| row.sighting.ended.expect("only what has ended comes here");
    (
        rows.iter().map(|(row, _)| row).collect(),
        rows.iter().map(|(row, _)| end(row).at.to_sqlx()).collect(),
        rows.iter().map(|(row, _)| end(row).cause.as_str()).collect(),
        rows.iter().map(|(_, closed_at)| closed_at.to_sqlx()).collect(),
    )
}

async fn write_history(tx: &mut TenantTx, rows: &[(Row, Timestamp)]) -> Result<(), DbError> {
    let (rows, ended_at, causes, closed_at) = ends(rows);
    let query = sqlx::query(
        "INSERT INTO session_history (tenant_id, id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at,
                seen_at, online_seconds, upload_bytes, download_bytes, ended_at, cause, closed_at)
         SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::inet[], $10::text[],
                $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::bigint[], $15::bigint[], $16::timestamptz[], $17::text[],
                $18::timestamptz[])",
    );
    bind_rows!(query, tx, &rows).bind(ended_at).bind(causes).bind(closed_at).execute(tx.conn()).await?;
    Ok(())
}

async fn amend_history(tx: &mut TenantTx, rows: &[(Row, Timestamp)]) -> Result<(), DbError> {
    let (rows, ended_at, causes, closed_at) = ends(rows);
    let query = sqlx::query(
        "UPDATE session_history h SET acct_id = n.acct_id, customer_id = n.customer_id, login = n.login, address = n.address,
                station = n.station, started_at = least(h.started_at, n.started_at), seen_at = greatest(h.seen_at, n.seen_at),
                online_seconds = greatest(h.online_seconds, n.online_seconds), upload_bytes = greatest(h.upload_bytes, n.upload_bytes),
                download_bytes = greatest(h.download_bytes, n.download_bytes), ended_at = n.ended_at, cause = n.cause
           FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::inet[], $10::text[],
                $11::timestamptz[], $12::timestamptz[], $13::bigint[], $14::bigint[], $15::bigint[], $16::timestamptz[], $17::text[],
                $18::timestamptz[])
             AS n (id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at, seen_at, online_seconds,
                upload_bytes, download_bytes, ended_at, cause, closed_at)
          WHERE h.tenant_id = $1 AND h.id = n.id AND h.closed_at = n.closed_at",
    );
    bind_rows!(query, tx, &rows).bind(ended_at).bind(causes).bind(closed_at).execute(tx.conn()).await?;
    Ok(())
}

pub(super) async fn add_usage(
    tx: &mut TenantTx,
    hours: &BTreeMap<(CustomerId, Timestamp, RouterId), Used>,
) -> Result<(), DbError> {
    if hours.is_empty() {
        return Ok(());
    }
    let keys = || hours.keys();
    // A router that tells nonsense must not keep the rest of its news from being written: a sum ends where the column does.
    sqlx::query(
        "INSERT INTO usage AS u (tenant_id, customer_id, hour, router_id, online_seconds, upload_bytes, download_bytes)
         SELECT $1, * FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[])
         ON CONFLICT (tenant_id, customer_id, hour, router_id) DO UPDATE SET
                online_seconds = least(u.online_seconds::numeric + excluded.online_seconds, 9223372036854775807)::bigint,
                upload_bytes = least(u.upload_bytes::numeric + excluded.upload_bytes, 9223372036854775807)::bigint,
                download_bytes = least(u.download_bytes::numeric + excluded.download_bytes, 9223372036854775807)::bigint",
    )
    .bind(tx.tenant())
    .bind(keys().map(|(customer, _, _)| customer.uuid()).collect::<Vec<_>>())
    .bind(keys().map(|(_, hour, _)| hour.to_sqlx()).collect::<Vec<_>>())
    .bind(keys().map(|(_, _, router)| router.uuid()).collect::<Vec<_>>())
    .bind(hours.values().map(|used| stored(used.online_seconds)).collect::<Vec<_>>())
    .bind(hours.values().map(|used| stored(used.upload_bytes.0)).collect::<Vec<_>>())
    .bind(hours.values().map(|used| stored(used.download_bytes.0)).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads the hours in which a customer used something, of all routers.
pub(super) async fn usage(
    tx: &mut TenantTx,
    customer: CustomerId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Timestamp, Used)>, DbError> {
    let rows: Vec<(SqlTimestamp, i64, i64, i64)> = sqlx::query_as(
        "SELECT hour, online_seconds, upload_bytes, download_bytes FROM usage
          WHERE tenant_id = $1 AND customer_id = $2 AND hour >= $3 AND hour < $4 ORDER BY hour",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(from.to_sqlx())
    .bind(until.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    let used = |online, upload, download| Used {
        online_seconds: count(online),
        upload_bytes: Bytes(count(upload)),
        download_bytes: Bytes(count(download)),
    };
    Ok(rows.into_iter().map(|(hour, online, upload, download)| (hour.to_jiff(), used(online, upload, download))).collect())
}
