//! What the people of an ISP did: houses and devices, tickets, prospects, visits, outages, runs on routers, and the audit log of it all.

use super::sql::{chance, id, run};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

const HOUSES: &str = concat!(
    "INSERT INTO site (tenant_id, id, parent_id, kind, name, created_at)
     SELECT $1, ",
    id!("c.created_at", "'house' || c.login"),
    ", r.site_id, 'building', 'House ' || c.login, c.created_at
       FROM customer c JOIN router r ON r.tenant_id = $1 AND r.id = c.router_id WHERE c.tenant_id = $1 AND $3::timestamptz IS NOT NULL AND ",
    chance!("'house' || c.login"),
    " < 0.1"
);
const AT_HOUSES: &str = "
    UPDATE customer c SET site_id = s.id FROM site s
     WHERE c.tenant_id = $1 AND s.tenant_id = $1 AND s.kind = 'building' AND s.name = 'House ' || c.login
       AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL";
const DEVICES: &str = concat!(
    "INSERT INTO device (tenant_id, id, kind, name, site_id, router_id, customer_id, mac, created_at)
     SELECT $1, ",
    id!("c.created_at", "'device' || c.login"),
    ", 'cpe', 'Radio of ' || c.login, c.site_id, c.router_id, c.id, '02:22:' || upper(substr(h, 1, 2) || ':' || substr(h, 3, 2) || ':' || substr(h, 5, 2) || ':' || substr(h, 7, 2)),
            c.created_at
       FROM customer c CROSS JOIN LATERAL (SELECT substr(c.login, 2) || '00' AS h) AS m WHERE c.tenant_id = $1 AND $3::timestamptz IS NOT NULL AND ",
    chance!("'device' || c.login"),
    " < 0.2"
);
const CREDENTIALS: &str = concat!(
    "INSERT INTO customer_credential (tenant_id, id, customer_id, kind, value, since, until)
     SELECT $1, ",
    id!("c.created_at", "'credential' || c.login || n"),
    ", c.id, 'phone', '2547' || lpad((hashtext(c.login || n) & 16777215)::text, 8, '0'), c.created_at - interval '30 days' * n, c.created_at
       FROM customer c CROSS JOIN generate_series(1, 2) AS n WHERE c.tenant_id = $1 AND $3::timestamptz IS NOT NULL AND ",
    chance!("'credential' || c.login"),
    " < 0.1"
);
/// One ticket for each fifth customer; one in ten of them is still open.
const TICKETS: &str = concat!(
    "INSERT INTO ticket (tenant_id, id, number, category, priority, status, status_since, title, body, customer_id, router_id, site_id, device_id, opened_by, opened_at)
     SELECT $1, ",
    id!("s.at", "'ticket' || s.login"),
    ", row_number() OVER (ORDER BY s.at, s.login), CASE WHEN s.way < 0.5 THEN 'no_internet' WHEN s.way < 0.8 THEN 'slow' ELSE 'billing' END, 'normal',
            CASE WHEN s.way < 0.05 THEN 'open' WHEN s.way < 0.1 THEN 'in_progress' ELSE 'closed' END, s.at + interval '2 hours',
            'Slow since the evening', 'Called twice.', s.id, s.router_id, s.site_id, d.id, 'system:load', s.at
       FROM (SELECT c.id, c.login, c.router_id, c.site_id, ",
    chance!("'about' || c.login"),
    " AS way, $3 - ",
    chance!("'called' || c.login"),
    " * interval '200 days' AS at FROM customer c WHERE c.tenant_id = $1 AND ",
    chance!("'ticket' || c.login"),
    " < 0.2) s LEFT JOIN device d ON d.tenant_id = $1 AND d.customer_id = s.id"
);
const TICKET_COUNTER: &str = "
    INSERT INTO ticket_counter (tenant_id, last)
    SELECT $1, max(number) FROM ticket WHERE tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL HAVING count(*) > 0";
const NOTES: &str = concat!(
    "INSERT INTO ticket_note (tenant_id, id, ticket_id, at, author, to_customer, text)
     SELECT $1, ",
    id!("t.opened_at + n * interval '1 hour'", "'note' || t.id || n"),
    ", t.id, t.opened_at + n * interval '1 hour', 'system:load', n = 2, 'Looked at the mast.'
       FROM ticket t CROSS JOIN generate_series(1, 3) AS n WHERE t.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const LEADS: &str = concat!(
    "INSERT INTO lead (tenant_id, id, name, phone, source, stage, follow_up_on, notes, created_at)
     SELECT $1, ",
    id!("s.at", "'lead' || s.login"),
    ", 'Neighbour of ' || s.login, '254711000000', 'a neighbour', CASE WHEN s.way < 0.3 THEN 'new' WHEN s.way < 0.5 THEN 'contacted' ELSE 'lost' END,
            s.at::date + 7, '', s.at
       FROM (SELECT c.login, ",
    chance!("'stage' || c.login"),
    " AS way, $3 - ",
    chance!("'asked' || c.login"),
    " * interval '100 days' AS at FROM customer c WHERE c.tenant_id = $1 AND ",
    chance!("'lead' || c.login"),
    " < 0.1) s"
);
const VISITS: &str = concat!(
    "INSERT INTO work_entry (tenant_id, id, kind, operator_id, started_at, minutes, customer_id, router_id, site_id, ticket_id, materials, note, created_at)
     SELECT $1, ",
    id!("t.opened_at", "'visit' || t.id"),
    ", 'support', m.operator_id, t.opened_at, 45, t.customer_id, t.router_id, t.site_id, t.id, '[]', 'Turned the antenna.', t.opened_at
       FROM ticket t JOIN membership m ON m.tenant_id = $1 WHERE t.tenant_id = $1 AND $2::bigint IS NOT NULL AND $3::timestamptz IS NOT NULL"
);
const OUTAGES_OF_ROUTERS: &str = concat!(
    "INSERT INTO outage (tenant_id, id, router_id, started_at, ended_at, ending)
     SELECT $1, ",
    id!("s.at", "'outage' || s.name || s.n"),
    ", s.id, s.at, CASE WHEN s.n > 0 OR s.at < $3 - interval '1 day' THEN s.at + interval '40 minutes' END, CASE WHEN s.n > 0 OR s.at < $3 - interval '1 day' THEN 'back' END
       FROM (SELECT r.id, r.name, n, $3 - ",
    chance!("'away' || r.name || n"),
    " * interval '90 days' AS at FROM router r CROSS JOIN generate_series(0, 19) AS n WHERE r.tenant_id = $1) s"
);
const OUTAGES: &str = concat!(
    "INSERT INTO outage (tenant_id, id, router_id, customer_id, started_at, ended_at, ending)
     SELECT $1, ",
    id!("s.at", "'outage' || s.login"),
    ", s.router_id, s.id, s.at, CASE WHEN s.at < $3 - interval '3 days' THEN s.at + interval '40 minutes' END, CASE WHEN s.at < $3 - interval '3 days' THEN 'back' END
       FROM (SELECT c.id, c.login, c.router_id, $3 - ",
    chance!("'dark' || c.login"),
    " * interval '90 days' AS at FROM customer c WHERE c.tenant_id = $1 AND ",
    chance!("'outage' || c.login"),
    " < 0.3) s"
);
const RUNS: &str = concat!(
    "INSERT INTO change_set (tenant_id, id, router_id, generation, started_at, outcome, writes, changes, timing_us)
     SELECT $1, ",
    id!("s.at", "'run' || s.name || s.n"),
    ", s.id, s.n, s.at, 'applied', 3, '{\"changes\": [], \"kicks\": [], \"findings\": []}',
            '{\"read_us\": 900, \"connect_us\": 0, \"observe_us\": 41000, \"plan_us\": 300, \"apply_us\": 9000, \"read_back_us\": 40000}'
       FROM (SELECT r.id, r.name, n, $3 - ",
    chance!("'ran' || r.name || n"),
    " * interval '60 days' AS at FROM router r CROSS JOIN generate_series(1, 60) AS n WHERE r.tenant_id = $1) s ORDER BY s.at"
);
const USE: &str = "
    INSERT INTO tenant_usage (tenant_id, day, routers, customers, customers_served, operators, api_tokens, messages, api_requests, storage_bytes,
                              tables, measured_at)
    SELECT $1, $3::date - d, (SELECT count(*) FROM router r WHERE r.tenant_id = $1), c.n, c.n * 8 / 10, 1, 0, 0, 100, c.n * 20000, '{}', $3
      FROM (SELECT count(*) AS n FROM customer WHERE tenant_id = $1 AND $2::bigint IS NOT NULL) c CROSS JOIN generate_series(1, 30) AS d";
/// What was done in the 30 days before `$4`, chained by the database line by line: a line for each customer, and one for each third. In one
/// transaction each line makes the next one dearer, as the end of the chain is a row that is changed and changed again.
const LOG: &str = concat!(
    "INSERT INTO audit_log (tenant_id, id, at, actor, action, target, details)
     SELECT $1, ",
    id!("s.at", "'line' || s.login || s.n"),
    ", s.at, 'operator:opr_' || replace(m.operator_id::text, '-', ''), CASE WHEN s.n = 0 THEN 'customer.create' ELSE 'payment.take' END,
            'cus_' || replace(s.id::text, '-', ''), jsonb_build_object('login', s.login)
       FROM (SELECT c.id, c.login, n, $3 - (0.02 + ",
    chance!("'done' || c.login || n"),
    " * 0.9) * interval '360 days' AS at FROM customer c CROSS JOIN generate_series(0, 1) AS n
              WHERE c.tenant_id = $1 AND (n = 0 OR ",
    chance!("'third' || c.login"),
    " < 0.34)) s JOIN membership m ON m.tenant_id = $1 WHERE s.at >= $4 - interval '30 days' AND s.at < $4 ORDER BY s.at"
);
/// The routers hold what they were to.
const SETTLED: &str = "UPDATE router_state SET applied = desired, applied_at = $3, attempted_at = $3 WHERE tenant_id = $1 AND $2::bigint IS NOT NULL";

const STATEMENTS: &[&str] = &[
    HOUSES,
    AT_HOUSES,
    DEVICES,
    CREDENTIALS,
    TICKETS,
    TICKET_COUNTER,
    NOTES,
    LEADS,
    VISITS,
    OUTAGES_OF_ROUTERS,
    OUTAGES,
    RUNS,
    USE,
    SETTLED,
];

/// Writes an ISP's office.
pub(super) async fn write(tx: &mut TenantTx, seed: i64, now: Timestamp) -> Result<(), DbError> {
    for statement in STATEMENTS {
        run(tx, statement, seed, now).await?;
    }
    Ok(())
}

/// Writes what was done in the 30 days before a time.
pub(super) async fn write_log(tx: &mut TenantTx, until: Timestamp, seed: i64, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant();
    sqlx::query(LOG).bind(tenant).bind(seed).bind(now.to_sqlx()).bind(until.to_sqlx()).execute(tx.conn()).await?;
    Ok(())
}
