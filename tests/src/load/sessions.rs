//! Who was online and is: sessions that ended, spread over twelve months, those that go on, and what was used in the last days.

use super::shape::Isp;
use super::sql::{chance, id, run};
use db::{DbError, TenantTx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// A month of the load, in days.
pub(super) const MONTH: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Sessions that ended within 30 days before `$3`. `$4` is how many a customer has on average: one in ten has four times as many, three
/// have a little more than that, and most have a third.
const ENDED: &str = concat!(
    "INSERT INTO session_history (tenant_id, id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at,
                                  seen_at, online_seconds, upload_bytes, download_bytes, ended_at, cause, closed_at)
     SELECT $1, ",
    id!("s.started_at", "'session' || s.login || s.n || s.started_at"),
    ", s.router_id, 'acct:1:' || s.acct || ':' || s.station, s.acct, s.id, s.kind, s.login,
            '10.20.0.0'::inet + (hashtext(s.login) & 65535), s.station, s.started_at, s.ended_at, extract(epoch FROM s.ended_at - s.started_at)::bigint,
            (s.much * 200000000)::bigint, (s.much * 3000000000)::bigint, s.ended_at, CASE WHEN s.much < 0.1 THEN 'lost_carrier' ELSE 'user_request' END,
            s.ended_at + interval '20 seconds'
       FROM (SELECT c.id, c.login, c.router_id, c.kind, n, upper(lpad(to_hex(hashtext(c.login || n)), 8, '0')) AS acct,
                    coalesce(c.mac, '02:11:' || substr(md5(c.login), 1, 2) || ':00:00:01') AS station, ",
    chance!("'much' || c.login || n || $3::text"),
    " AS much, l.ended_at, l.ended_at - (300 + ",
    chance!("'long' || c.login || n || $3::text"),
    " * 40000) * interval '1 second' AS started_at
               FROM customer c
              CROSS JOIN LATERAL (SELECT ",
    chance!("'heavy' || c.login"),
    " AS heavy, ",
    chance!("'part' || c.login || $3::text"),
    " AS part) w
              CROSS JOIN LATERAL generate_series(1, floor($4 * 1.0526 * CASE WHEN w.heavy < 0.1 THEN 4 WHEN w.heavy < 0.4 THEN 1.3333 ELSE 0.3333 END + w.part)::int) AS n
              CROSS JOIN LATERAL (SELECT $3 - (60 + ",
    chance!("'end' || c.login || n || $3::text"),
    " * 2591000) * interval '1 second' AS ended_at) l
              WHERE c.tenant_id = $1 AND c.kind <> 'static' AND c.created_at <= $3 - interval '30 days') s
      ORDER BY s.ended_at"
);
/// One customer in twenty is online.
const LIVE: &str = concat!(
    "INSERT INTO session_live (tenant_id, id, router_id, session_key, acct_id, customer_id, kind, login, address, station, started_at, seen_at,
                               online_seconds, upload_bytes, download_bytes)
     SELECT $1, ",
    id!("s.started_at", "'live' || s.login"),
    ", s.router_id, 'acct:2:' || s.login, upper(substr(md5(s.login), 1, 8)), s.id, s.kind, s.login, '10.20.0.0'::inet + (hashtext(s.login) & 65535),
            '02:11:00:00:00:01', s.started_at, $3, extract(epoch FROM $3 - s.started_at)::bigint, 1000000, 20000000
       FROM (SELECT c.id, c.login, c.router_id, c.kind, $3 - (60 + ",
    chance!("'since' || c.login"),
    " * 80000) * interval '1 second' AS started_at FROM customer c WHERE c.tenant_id = $1 AND c.kind <> 'static' AND ",
    chance!("'online' || c.login"),
    " < 0.0526) s ORDER BY s.started_at"
);
const SOURCES: &str = "
    INSERT INTO session_source (tenant_id, router_id, boot_at, listed_at)
    SELECT $1, id, created_at, $3 FROM router WHERE tenant_id = $1 AND $2::bigint IS NOT NULL";
const WATCHED: &str = "INSERT INTO watch (tenant_id, watched_at) SELECT $1, $3 WHERE $2::bigint IS NOT NULL";
/// An hour of each of the last three evenings for two customers in three.
const USED: &str = concat!(
    "INSERT INTO usage (tenant_id, customer_id, router_id, hour, online_seconds, upload_bytes, download_bytes)
     SELECT $1, c.id, c.router_id, date_trunc('hour', $3::timestamptz) - d * interval '24 hours', 3600, 50000000, 900000000
       FROM customer c CROSS JOIN generate_series(1, 3) AS d WHERE c.tenant_id = $1 AND ",
    chance!("'used' || c.login || d"),
    " < 0.67"
);

/// Writes an ISP's sessions of the 30 days before a time.
pub(super) async fn write_month(tx: &mut TenantTx, isp: &Isp, until: Timestamp, seed: i64) -> Result<(), DbError> {
    let (tenant, until) = (tx.tenant(), until.to_sqlx());
    sqlx::query(ENDED).bind(tenant).bind(seed).bind(until).bind(isp.sessions_a_month()).execute(tx.conn()).await?;
    Ok(())
}

/// Writes who is online now and what was used of late.
pub(super) async fn write_live(tx: &mut TenantTx, seed: i64, now: Timestamp) -> Result<(), DbError> {
    for statement in [SOURCES, WATCHED, LIVE, USED] {
        run(tx, statement, seed, now).await?;
    }
    Ok(())
}
