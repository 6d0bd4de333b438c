//! Rules about rows. A tenant's are read through its own door as the app role, the platform's as the platform role.

use super::catalogue::{Catalogue, ForeignKey};
use super::{Check, Checked, Rule};
use crate::doors::{Db, DbError, Reach, TenantDoor, TenantTx};
use crate::registry::{self, Class, TABLES};
use model::{OperatorId, id_kinds};
use sqlx::{AssertSqlSafe, PgConnection, Postgres};

/// How a rule looks at one tenant's rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum TenantRule {
    /// A statement that counts what there is to look at, and one that returns place and text of each finding; `$1` is the tenant.
    Sql { count: &'static str, findings: &'static str },
    /// Every foreign key, as the catalogue has it.
    References,
    /// Every table, for rows of others.
    Wall,
    /// Every operator who is limited, for what they see.
    Reach,
    /// What the lines of the audit log are about.
    Targets,
}

/// How a rule looks at the platform's rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlatformRule {
    count: &'static str,
    findings: &'static str,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "wall",
        proves: "in each tenant's transaction no table shows a row of another tenant",
        remedy: "stop the controller, and see which of the rules above tells why; whoever was served meanwhile may have seen others' rows",
        check: Check::Tenant(TenantRule::Wall),
    },
    Rule {
        name: "references",
        proves: "what every row refers to is there, in its own tenant",
        remedy: "find out which row is meant from the audit log, and set the reference; a restore of the tenant from its backup does it for all",
        check: Check::Tenant(TenantRule::References),
    },
    Rule {
        name: "reach",
        proves: "operators who are limited see the routers assigned to them and what hangs on those, and no others",
        remedy: "see policy `reach` of the tables named; SELECT internal.limit_reach('the table') makes it anew",
        check: Check::Tenant(TenantRule::Reach),
    },
    Rule {
        name: "ledger",
        proves: "every journal has entries and balances in each currency",
        remedy: "book what is missing as a journal of its own; entries are never changed",
        check: Check::Tenant(TenantRule::Sql { count: LEDGER_COUNT, findings: LEDGER }),
    },
    Rule {
        name: "wallets",
        proves: "every wallet holds what its entries come to, and none of them is missing",
        remedy: "the entries are the truth: adjust the wallet by hand with a reason, then find out what wrote past the ledger",
        check: Check::Tenant(TenantRule::Sql { count: WALLETS_COUNT, findings: WALLETS }),
    },
    Rule {
        name: "addresses",
        proves: "every router in service has one address and one peer, which agree, inside the tenant's blocks; a router that was taken out has none",
        remedy: "mastwire-controller router reissue makes peer and address anew; for a router that is gone delete the rows named",
        check: Check::Tenant(TenantRule::Sql { count: ADDRESSES_COUNT, findings: ADDRESSES }),
    },
    Rule {
        name: "audit-chain",
        proves: "no line of a tenant's audit log was changed, removed or slipped in",
        remedy: "compare with a backup what the lines said; somebody with the rights of the database's owner did this",
        check: Check::Tenant(TenantRule::Sql { count: CHAIN_COUNT, findings: CHAIN }),
    },
    Rule {
        name: "audit-targets",
        proves: "what a line of a tenant's audit log is about is there, unless it is of a kind that is removed in time",
        remedy: "something was removed past the controller: take it from a backup, or find out who did it and write that down",
        check: Check::Tenant(TenantRule::Targets),
    },
    Rule {
        name: "platform-chain",
        proves: "no line of the platform's audit log was changed, removed or slipped in",
        remedy: "compare with a backup what the lines said; somebody with the rights of the database's owner did this",
        check: Check::Platform(PlatformRule { count: "SELECT count(*) FROM platform_audit", findings: PLATFORM_CHAIN }),
    },
];

const LEDGER_COUNT: &str = "SELECT count(*) FROM ledger_journal WHERE tenant_id = $1";
const LEDGER: &str = "
    SELECT 'journal ' || journal_id::text, format('debits and credits in %s differ by %s minor units', currency, sum(amount_minor))
      FROM ledger_entry WHERE tenant_id = $1 GROUP BY journal_id, currency HAVING sum(amount_minor) <> 0
    UNION ALL
    SELECT 'journal ' || j.id::text, 'has no entries' FROM ledger_journal j
     WHERE j.tenant_id = $1 AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.tenant_id = $1 AND e.journal_id = j.id)";

const WALLETS_COUNT: &str = "SELECT count(*) FROM wallet WHERE tenant_id = $1";
const WALLETS: &str = "
    WITH entry AS (
        SELECT customer_id, currency, wallet_number, wallet_balance_minor, amount_minor,
               row_number() OVER behind AS number, -sum(amount_minor) OVER behind AS balance
          FROM ledger_entry WHERE tenant_id = $1 AND account = 'wallets'
        WINDOW behind AS (PARTITION BY customer_id, currency ORDER BY wallet_number))
    SELECT 'wallet of ' || customer_id::text, format('holds %s minor units of %s in %s entries; its entries come to %s in %s',
               coalesce(w.balance_minor, 0), currency, coalesce(w.entries, 0), coalesce(e.balance, 0), coalesce(e.entries, 0))
      FROM (SELECT customer_id, currency, balance_minor, entries FROM wallet WHERE tenant_id = $1) AS w
      FULL JOIN (SELECT customer_id, currency, -sum(amount_minor) AS balance, count(*) AS entries FROM entry GROUP BY 1, 2) AS e
     USING (customer_id, currency)
     WHERE coalesce(w.balance_minor, 0) <> coalesce(e.balance, 0) OR coalesce(w.entries, 0) <> coalesce(e.entries, 0)
    UNION ALL
    SELECT 'wallet of ' || customer_id::text, format('entry %s says the balance behind it is %s, and it is number %s with %s',
               wallet_number, wallet_balance_minor, number, balance)
      FROM entry WHERE wallet_number <> number OR wallet_balance_minor <> balance";

const ADDRESSES_COUNT: &str = "SELECT count(*) FROM tunnel_address WHERE tenant_id = $1";
// The routers of a shadow are not in service: their addresses and peers are those of the tenant it is a copy of.
const ADDRESSES: &str = "
    SELECT 'peer of router ' || p.router_id::text, format('has address %s, which is not that router''s', host(p.address))
      FROM tunnel_peer p WHERE p.tenant_id = $1
       AND NOT EXISTS (SELECT FROM tunnel_address a WHERE a.tenant_id = $1 AND a.address = p.address AND a.router_id = p.router_id)
    UNION ALL
    SELECT 'address ' || host(a.address), 'lies outside of its block'
      FROM tunnel_address a JOIN tunnel_block b ON b.tenant_id = $1 AND b.id = a.block_id WHERE a.tenant_id = $1 AND NOT a.address <<= b.network
    UNION ALL
    SELECT 'router ' || r.id::text, CASE WHEN r.removed_at IS NULL THEN 'is in service without an address or a peer'
                                         ELSE 'was taken out and has an address or a peer' END
      FROM router r LEFT JOIN tunnel_address a ON a.tenant_id = $1 AND a.router_id = r.id LEFT JOIN tunnel_peer p ON p.tenant_id = $1 AND p.router_id = r.id
     WHERE r.tenant_id = $1 AND NOT EXISTS (SELECT FROM tenant t WHERE t.id = $1 AND t.shadow_of IS NOT NULL)
       AND CASE WHEN r.removed_at IS NOT NULL THEN a.address IS NOT NULL OR p.id IS NOT NULL
                WHEN r.stage IN ('joined', 'confirmed') THEN a.address IS NULL OR p.id IS NULL ELSE false END";

const CHAIN_COUNT: &str = "SELECT count(*) FROM audit_log WHERE tenant_id = $1";
// Lines and what dropped months left behind, in the order of their numbers. The text is that of internal.audit_text, written out here: whoever
// changes that function too is found all the same.
const CHAIN: &str = "
    WITH link AS (
        SELECT seq AS first, seq AS last, hash, convert_to(jsonb_build_array('audit_log', tenant_id, seq, id, (extract(epoch FROM at) * 1000000)::bigint,
                   actor, action, target, details, request_id, source)::text, 'UTF8') AS said
          FROM audit_log WHERE tenant_id = $1
        UNION ALL
        SELECT first_seq, last_seq, hash, NULL FROM audit_anchor WHERE tenant_id = $1),
    chain AS (
        SELECT *, coalesce(lag(last) OVER numbers, 0) AS before, coalesce(lag(hash) OVER numbers, decode(repeat('00', 32), 'hex')) AS hash_before
          FROM link WINDOW numbers AS (ORDER BY first, last)),
    tip AS (SELECT coalesce(max(last), 0) AS last, (array_agg(hash ORDER BY last DESC))[1] AS hash FROM link),
    head AS (SELECT seq, hash FROM audit_head WHERE tenant_id = $1)
    SELECT 'line ' || first::text, CASE WHEN first <= before THEN format('stands behind line %s', before)
                                        WHEN first > before + 1 THEN format('follows line %s: what stood between is gone', before)
                                        ELSE 'does not say what it said when it was written' END
      FROM chain WHERE first <> before + 1 OR (said IS NOT NULL AND hash <> sha256(hash_before || said))
    UNION ALL
    SELECT 'end of the log', format('is line %s, and the chain ended at %s', tip.last, coalesce(head.seq, 0))
      FROM tip LEFT JOIN head ON true WHERE tip.last <> coalesce(head.seq, 0) OR tip.hash IS DISTINCT FROM (CASE WHEN head.seq > 0 THEN head.hash END)";

const PLATFORM_CHAIN: &str = "
    WITH chain AS (
        SELECT seq, hash, convert_to(jsonb_build_array('platform_audit', seq, id, (extract(epoch FROM at) * 1000000)::bigint, actor, reason,
                   request_id, source)::text, 'UTF8') AS said,
               coalesce(lag(seq) OVER numbers, 0) AS before, coalesce(lag(hash) OVER numbers, decode(repeat('00', 32), 'hex')) AS hash_before
          FROM platform_audit WINDOW numbers AS (ORDER BY seq)),
    tip AS (SELECT coalesce(max(seq), 0) AS seq, (array_agg(hash ORDER BY seq DESC))[1] AS hash FROM platform_audit)
    SELECT 'line ' || seq::text, CASE WHEN seq <> before + 1 THEN format('follows line %s: what stood between is gone', before)
                                      ELSE 'does not say what it said when it was written' END
      FROM chain WHERE seq <> before + 1 OR hash <> sha256(hash_before || said)
    UNION ALL
    SELECT 'end of the log', format('is line %s, and the chain ended at %s', tip.seq, head.seq)
      FROM tip CROSS JOIN platform_audit_head head WHERE tip.seq <> head.seq OR tip.hash IS DISTINCT FROM (CASE WHEN head.seq > 0 THEN head.hash END)";

impl PlatformRule {
    pub(super) async fn run(self, connection: &mut PgConnection) -> Result<Checked, DbError> {
        let count: i64 = sqlx::query_scalar(self.count).fetch_one(&mut *connection).await?;
        let rows: Vec<(String, String)> = sqlx::query_as(limited(self.findings)).fetch_all(&mut *connection).await?;
        Ok(told(count, "the platform", rows))
    }
}

impl TenantRule {
    pub(super) async fn run(self, db: &Db, door: &TenantDoor, catalogue: &Catalogue) -> Result<Checked, DbError> {
        let mut tx = db.tenant(door).await?;
        // The same statements for every tenant, of hundreds of tables and their months: planning them costs more than running them.
        sqlx::query("SET LOCAL plan_cache_mode = force_generic_plan").execute(tx.conn()).await?;
        match self {
            Self::Sql { count, findings } => {
                let count: i64 = sqlx::query_scalar(count).bind(tx.tenant()).fetch_one(tx.conn()).await?;
                let rows: Vec<(String, String)> =
                    sqlx::query_as(limited(findings)).bind(tx.tenant()).fetch_all(tx.conn()).await?;
                Ok(told(count, &tx.tenant().to_string(), rows))
            }
            Self::References => references(&mut tx, catalogue).await,
            Self::Wall => wall(&mut tx, catalogue).await,
            Self::Reach => reach(db, door, &mut tx, catalogue).await,
            Self::Targets => targets(&mut tx, catalogue).await,
        }
    }
}

/// Bounds what a statement returns; whoever has more findings has enough to do.
fn limited(findings: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT * FROM ({findings}) AS finding LIMIT 1000"))
}

fn told(count: i64, whose: &str, rows: Vec<(String, String)>) -> Checked {
    let mut checked = Checked { checked: u64::try_from(count).unwrap_or(0), ..Checked::default() };
    for (place, what) in rows {
        checked.find(format!("{whose}, {place}"), what);
    }
    checked
}

/// Names a table, column or the like in a statement. All names come from the catalogue.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// References that one statement follows: each way to the database costs more than following one.
const REFERENCES_AT_ONCE: usize = 50;

/// Counts a tenant's references by one key, and those that lead nowhere in the tenant: as the app role, which sees nothing else.
fn reference_query(number: usize, key: &ForeignKey) -> String {
    let pairs = key.columns.iter().zip(&key.targets);
    let equal: Vec<String> = pairs.map(|(here, there)| format!("t.{} = f.{}", quoted(there), quoted(here))).collect();
    let given: Vec<String> = key.columns.iter().map(|column| format!("f.{} IS NOT NULL", quoted(column))).collect();
    format!(
        "SELECT {number}, count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM {} t WHERE {}))
           FROM {} f WHERE f.tenant_id = $1 AND {}",
        quoted(&key.target),
        equal.join(" AND "),
        quoted(&key.table),
        given.join(" AND ")
    )
}

async fn references(tx: &mut TenantTx, catalogue: &Catalogue) -> Result<Checked, DbError> {
    let mut checked = Checked::default();
    let of_tenants = |key: &&ForeignKey| registry::find(&key.table).is_some_and(|table| table.class == Class::Tenant);
    // What the app role may not read it cannot follow either; PostgreSQL itself keeps such a key, and rule `foreign-keys` its shape.
    let keys: Vec<&ForeignKey> = catalogue.foreign_keys.iter().filter(of_tenants).filter(|key| key.app_reads).collect();
    for some in keys.chunks(REFERENCES_AT_ONCE) {
        let parts: Vec<String> = some.iter().enumerate().map(|(number, key)| reference_query(number, key)).collect();
        let query = sqlx::query_as::<Postgres, (i32, i64, i64)>(AssertSqlSafe(parts.join(" UNION ALL ")));
        for (number, count, broken) in query.bind(tx.tenant()).fetch_all(tx.conn()).await? {
            checked.checked += u64::try_from(count).unwrap_or(0);
            let key = usize::try_from(number).ok().and_then(|number| some.get(number));
            if let Some(key) = key.filter(|_| broken > 0) {
                let place = format!("{}, {}.{}", tx.tenant(), key.table, key.columns.last().map_or("", String::as_str));
                checked.find(place, format!("{broken} rows refer to a {} that is not there", key.target));
            }
        }
    }
    Ok(checked)
}

/// Tables that the app role can read whole rows of; of others it sees too little to tell.
async fn readable(tx: &mut TenantTx, catalogue: &Catalogue) -> Result<Vec<String>, DbError> {
    let tables =
        TABLES.iter().filter(|table| table.class == Class::Tenant && catalogue.tables().any(|there| there.name == table.name));
    let names: Vec<&str> = tables.map(|table| table.name).collect();
    Ok(sqlx::query_scalar(
        "SELECT t FROM unnest($1::text[]) AS t WHERE has_column_privilege(t, 'tenant_id', 'SELECT') ORDER BY t",
    )
    .bind(names)
    .fetch_all(tx.conn())
    .await?)
}

async fn wall(tx: &mut TenantTx, catalogue: &Catalogue) -> Result<Checked, DbError> {
    let mut checked = Checked::default();
    let names = readable(tx, catalogue).await?;
    checked.look(names.len());
    let parts: Vec<String> = names
        .iter()
        .map(|name| format!("SELECT '{name}' WHERE EXISTS (SELECT FROM {} WHERE tenant_id <> $1)", quoted(name)))
        .collect();
    let query = sqlx::query_scalar::<Postgres, String>(AssertSqlSafe(parts.join(" UNION ALL ")));
    for name in query.bind(tx.tenant()).fetch_all(tx.conn()).await? {
        checked.find(format!("{}, {name}", tx.tenant()), "shows rows of another tenant");
    }
    Ok(checked)
}

/// Kinds of things that stay for good, each with its table: nobody may delete a row of it, and no copy goes without it.
fn lasting(catalogue: &Catalogue) -> impl Iterator<Item = (&'static str, String)> {
    let may_delete = |table: &str| {
        catalogue.grants.iter().any(|grant| grant.schema == "public" && grant.name == table && grant.right == "DELETE")
    };
    let kinds = id_kinds().iter().map(|(prefix, kind)| (*prefix, kind.replace(' ', "_").to_lowercase()));
    kinds.filter(move |(_, name)| {
        registry::find(name).is_some_and(|table| {
            table.class == Class::Tenant && table.kept.is_none() && table.left_out.is_empty() && table.partitioned_by.is_none()
        }) && !may_delete(name)
    })
}

async fn targets(tx: &mut TenantTx, catalogue: &Catalogue) -> Result<Checked, DbError> {
    let lost: Vec<String> = lasting(catalogue)
        .map(|(prefix, name)| {
            format!(
                "SELECT target FROM about WHERE kind = '{prefix}' AND NOT EXISTS (SELECT FROM {} t WHERE t.tenant_id = $1 AND t.id = about.id)",
                quoted(&name)
            )
        })
        .collect();
    let about = "WITH about AS MATERIALIZED (
        SELECT target, left(target, 3) AS kind, substr(target, 5)::uuid AS id
          FROM (SELECT DISTINCT target FROM audit_log WHERE tenant_id = $1 AND target ~ '^[a-z]{3}_[0-9a-f]{32}$') AS line)";
    let query = format!(
        "{about} SELECT (SELECT count(*) FROM about), coalesce(array_agg(target), '{{}}') FROM ({}) AS lost",
        lost.join(" UNION ALL ")
    );
    let (count, lost): (i64, Vec<String>) = sqlx::query_as(AssertSqlSafe(query)).bind(tx.tenant()).fetch_one(tx.conn()).await?;
    let lost = lost.into_iter().map(|target| (target, "is what a line of the audit log is about, and is not there".to_owned()));
    Ok(told(count, &tx.tenant().to_string(), lost.collect()))
}

/// Routers that are assigned to an operator, one by one or by a site at or above theirs.
const ASSIGNED: &str = "
    WITH RECURSIVE place (id) AS (
        SELECT site_id FROM assignment WHERE tenant_id = $1 AND operator_id = $2 AND site_id IS NOT NULL
        UNION SELECT s.id FROM site s JOIN place p ON s.parent_id = p.id WHERE s.tenant_id = $1)
    SELECT coalesce(array_agg(r.id), '{}') FROM router r WHERE r.tenant_id = $1
       AND (r.site_id IN (SELECT id FROM place)
         OR r.id IN (SELECT a.router_id FROM assignment a WHERE a.tenant_id = $1 AND a.operator_id = $2))";

async fn reach(db: &Db, door: &TenantDoor, tx: &mut TenantTx, catalogue: &Catalogue) -> Result<Checked, DbError> {
    let mut checked = Checked::default();
    let limited: Vec<OperatorId> =
        sqlx::query_scalar("SELECT operator_id FROM membership WHERE tenant_id = $1 AND reach = 'assigned'")
            .bind(tx.tenant())
            .fetch_all(tx.conn())
            .await?;
    if limited.is_empty() {
        return Ok(checked);
    }
    let names = readable(tx, catalogue).await?;
    let limits = |name: &&String| {
        let table = registry::find(name);
        let whole = table.is_some_and(|table| table.beyond_reach.is_none());
        whole && catalogue.columns_of(name).any(|column| column.name == "router_id")
    };
    let column = |name: &str| if name == "router" { "id" } else { "router_id" };
    let names: Vec<&str> = names.iter().filter(|name| *name == "router" || limits(name)).map(String::as_str).collect();
    let parts: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "SELECT '{name}' WHERE EXISTS (SELECT FROM {} WHERE tenant_id = $1 AND {} <> ALL ($2))",
                quoted(name),
                column(name)
            )
        })
        .collect();
    let strangers = parts.join(" UNION ALL ");
    for operator in limited {
        let wanted: Vec<uuid::Uuid> = sqlx::query_scalar(ASSIGNED).bind(tx.tenant()).bind(operator).fetch_one(tx.conn()).await?;
        checked.look(names.len());
        let mut inside = db.tenant(&door.reaching(Reach::AssignedTo(operator))).await?;
        let query = sqlx::query_scalar::<Postgres, String>(AssertSqlSafe(strangers.clone()));
        for name in query.bind(tx.tenant()).bind(&wanted).fetch_all(inside.conn()).await? {
            checked.find(
                format!("{}, {operator}", tx.tenant()),
                format!("sees rows of {name} that hang on a router not assigned to them"),
            );
        }
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM router WHERE tenant_id = $1 AND id = ANY ($2)")
            .bind(tx.tenant())
            .bind(&wanted)
            .fetch_one(inside.conn())
            .await?;
        if usize::try_from(seen) != Ok(wanted.len()) {
            checked.find(
                format!("{}, {operator}", tx.tenant()),
                format!("sees {seen} of the {} routers assigned to them", wanted.len()),
            );
        }
    }
    Ok(checked)
}
