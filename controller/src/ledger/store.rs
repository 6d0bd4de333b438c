//! Journals in the database. There is no UPDATE here, and no grant for one.

use super::Account;
use super::rules::Entry;
use crate::app::App;
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{JournalId, LedgerEntryId, Money, PaymentId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// What stands in an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Balance {
    /// The account.
    pub account: Account,
    /// The sum of all its entries: debits less credits.
    pub balance: Money,
}

/// A journal.
#[derive(Debug, Serialize, ToSchema)]
pub struct JournalView {
    /// The journal.
    pub id: JournalId,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `sale` or `reversal`.
    pub kind: String,
    /// The payment it is about.
    pub payment: PaymentId,
    /// The journal that it takes back.
    pub reversal_of: Option<JournalId>,
    /// Its lines, which sum to zero.
    pub entries: Vec<EntryView>,
}

/// One line of a journal.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// The account.
    pub account: Account,
    /// Positive for a debit, negative for a credit.
    pub amount: Money,
}

impl PageItem for JournalView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct EntryRow {
    journal_id: JournalId,
    account: String,
    amount_minor: i64,
    currency: String,
}

impl EntryRow {
    fn entry(&self) -> Entry {
        Entry { account: account(&self.account), amount: money(self.amount_minor, &self.currency) }
    }
}

fn account(name: &str) -> Account {
    Account::from_stored(name).expect("the column's CHECK lets only accounts in")
}

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, currency.parse().expect("the column's CHECK lets only currencies in"))
}

pub(super) async fn insert(
    app: &App,
    tx: &mut TenantTx,
    id: JournalId,
    payment: PaymentId,
    reversal_of: Option<JournalId>,
    entries: &[Entry],
    now: Timestamp,
) -> Result<(), DbError> {
    let kind = if reversal_of.is_some() { "reversal" } else { "sale" };
    sqlx::query("INSERT INTO ledger_journal (tenant_id, id, at, kind, payment_id, reversal_of) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .bind(kind)
        .bind(payment)
        .bind(reversal_of)
        .execute(tx.conn())
        .await?;
    for entry in entries {
        sqlx::query(
            "INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(tx.tenant())
        .bind(LedgerEntryId::generate(now, &*app.entropy))
        .bind(id)
        .bind(entry.account.as_str())
        .bind(entry.amount.minor)
        .bind(entry.amount.currency.as_str())
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

async fn entries(tx: &mut TenantTx, journals: &[JournalId]) -> Result<HashMap<JournalId, Vec<Entry>>, DbError> {
    let ids: Vec<Uuid> = journals.iter().map(|id| id.uuid()).collect();
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT journal_id, account, amount_minor, currency FROM ledger_entry
          WHERE tenant_id = $1 AND journal_id = ANY ($2) ORDER BY amount_minor DESC",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let mut by_journal: HashMap<JournalId, Vec<Entry>> = HashMap::new();
    for row in rows {
        by_journal.entry(row.journal_id).or_default().push(row.entry());
    }
    Ok(by_journal)
}

/// Reads the journal of a payment's sale; a payment of nothing has none.
pub(super) async fn sale_of(tx: &mut TenantTx, payment: PaymentId) -> Result<Option<(JournalId, Vec<Entry>)>, DbError> {
    let id: Option<JournalId> =
        sqlx::query_scalar("SELECT id FROM ledger_journal WHERE tenant_id = $1 AND payment_id = $2 AND kind = 'sale'")
            .bind(tx.tenant())
            .bind(payment)
            .fetch_optional(tx.conn())
            .await?;
    let Some(id) = id else { return Ok(None) };
    Ok(entries(tx, &[id]).await?.remove(&id).map(|entries| (id, entries)))
}

pub(super) async fn balances(tx: &mut TenantTx) -> Result<Vec<Balance>, DbError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT account, currency, sum(amount_minor)::bigint FROM ledger_entry WHERE tenant_id = $1
          GROUP BY account, currency ORDER BY account, currency",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    let balance =
        |(name, currency, minor): (String, String, i64)| Balance { account: account(&name), balance: money(minor, &currency) };
    Ok(rows.into_iter().map(balance).collect())
}

#[derive(FromRow)]
struct JournalRow {
    id: JournalId,
    at: SqlTimestamp,
    kind: String,
    payment_id: PaymentId,
    reversal_of: Option<JournalId>,
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<JournalView>, DbError> {
    let rows: Vec<JournalRow> = sqlx::query_as(
        "SELECT id, at, kind, payment_id, reversal_of FROM ledger_journal WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<JournalId> = rows.iter().map(|row| row.id).collect();
    let mut by_journal = entries(tx, &ids).await?;
    let view = |row: JournalRow| JournalView {
        at: row.at.to_jiff(),
        kind: row.kind,
        payment: row.payment_id,
        reversal_of: row.reversal_of,
        entries: by_journal
            .remove(&row.id)
            .into_iter()
            .flatten()
            .map(|Entry { account, amount }| EntryView { account, amount })
            .collect(),
        id: row.id,
    };
    Ok(rows.into_iter().map(view).collect())
}
