//! Sums over the ledger.

use super::MoneyDay;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx as _};
use model::{Money, RouterId};
use sqlx::FromRow;

#[derive(FromRow)]
struct Row {
    day: SqlDate,
    router_id: Option<RouterId>,
    method: Option<String>,
    currency: String,
    received: i64,
    sold: i64,
    into_wallets: i64,
    payments: i64,
    reversals: i64,
}

/// Sums the journals of each day. Only what is a payment, or takes one back, has a method; bills and expenses stand in a row without one.
pub(super) async fn money(tx: &mut TenantTx, days: &[(Date, Timestamp, Timestamp)]) -> Result<Vec<MoneyDay>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT d.day, j.router_id, j.method, e.currency,
                coalesce(sum(e.amount_minor) FILTER (WHERE a.type = 'asset' AND a.code <> 'receivables'), 0)::bigint AS received,
                coalesce(-sum(e.amount_minor) FILTER (WHERE a.type = 'income'), 0)::bigint AS sold,
                coalesce(-sum(e.amount_minor) FILTER (WHERE a.code = 'wallets'), 0)::bigint AS into_wallets,
                count(DISTINCT j.payment_id) FILTER (WHERE j.kind IN ('sale', 'top_up', 'unmatched', 'invoice_payment')) AS payments,
                count(DISTINCT j.id) FILTER (WHERE j.kind = 'reversal') AS reversals
           FROM unnest($2::date[], $3::timestamptz[], $4::timestamptz[]) AS d (day, starts_at, ends_at)
           JOIN ledger_journal j ON j.tenant_id = $1 AND j.at >= d.starts_at AND j.at < d.ends_at AND j.kind <> 'expense' AND j.expense_id IS NULL
           JOIN ledger_entry e ON e.tenant_id = $1 AND e.journal_id = j.id
           JOIN account a ON a.tenant_id = $1 AND a.code = e.account
          GROUP BY d.day, j.router_id, j.method, e.currency
          ORDER BY d.day, j.router_id NULLS LAST, j.method NULLS LAST, e.currency",
    )
    .bind(tx.tenant())
    .bind(days.iter().map(|day| day.0.to_sqlx()).collect::<Vec<_>>())
    .bind(days.iter().map(|day| day.1.to_sqlx()).collect::<Vec<_>>())
    .bind(days.iter().map(|day| day.2.to_sqlx()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    let item = |row: Row| {
        let currency = row.currency.parse().expect("the column's CHECK lets only currencies in");
        MoneyDay {
            day: row.day.to_jiff(),
            router: row.router_id,
            method: row.method,
            received: Money::new(row.received, currency),
            sold: Money::new(row.sold, currency),
            into_wallets: Money::new(row.into_wallets, currency),
            payments: row.payments,
            reversals: row.reversals,
        }
    };
    Ok(rows.into_iter().map(item).collect())
}
