//! Accounts, journals and wallets in the database. A journal or an entry is never updated, and there is no grant for it.

use super::rules::Entry;
use super::{About, AccountCode, AccountKind, LedgerError, Source};
use crate::app::App;
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{
    AccountId, Currency, CustomerId, ExpenseId, InvoiceId, JournalId, LedgerEntryId, Money, PaymentId, RouterId, TenantId,
};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// The account.
    pub id: AccountId,
    /// Its code.
    pub code: String,
    /// Its name for people.
    pub name: String,
    /// What stands in it.
    #[serde(rename = "type")]
    pub kind: AccountKind,
    /// Whether the program books in it itself.
    pub system: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
}

/// What stands in an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Balance {
    /// The account's code.
    pub account: AccountCode,
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
    /// What it is of, such as `sale`, `top_up`, `invoice`, `expense` or `reversal`.
    pub kind: String,
    /// The payment it is about.
    pub payment: Option<PaymentId>,
    /// The bill it is about.
    pub invoice: Option<InvoiceId>,
    /// The expense it is about.
    pub expense: Option<ExpenseId>,
    /// The journal that it takes back.
    pub reversal_of: Option<JournalId>,
    /// Why, where somebody had to say.
    pub reason: String,
    /// Its lines, which sum to zero.
    pub entries: Vec<EntryView>,
}

/// One line of a journal.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// The account's code.
    pub account: AccountCode,
    /// Positive for a debit, negative for a credit.
    pub amount: Money,
    /// Whose, in wallets and receivables.
    pub customer: Option<CustomerId>,
}

/// One line of a wallet's statement.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementLine {
    /// Counts the wallet's lines from 1, without a gap.
    pub number: i64,
    /// When it was booked.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What it was.
    pub kind: String,
    /// What was put in; below zero, what was taken out.
    pub amount: Money,
    /// What the wallet held then.
    pub balance: Money,
    /// The payment.
    pub payment: Option<PaymentId>,
    /// Why, where somebody had to say.
    pub reason: String,
    /// The journal.
    pub journal: JournalId,
}

impl PageItem for JournalView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

impl PageItem for StatementLine {
    fn cursor(&self) -> Uuid {
        Uuid::from_u128(u128::try_from(self.number).expect("the column's CHECK lets only positive numbers in"))
    }
}

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, currency.parse().expect("the column's CHECK lets only currencies in"))
}

fn code(stored: String) -> AccountCode {
    AccountCode::try_from(stored).expect("the column's CHECK lets only codes in")
}

/// An account to be written.
pub(super) struct NewRow<'a> {
    pub(super) id: AccountId,
    pub(super) code: &'a str,
    pub(super) name: &'a str,
    pub(super) kind: AccountKind,
    pub(super) system: bool,
}

pub(super) async fn insert_account(
    connection: &mut PgConnection,
    tenant: TenantId,
    row: &NewRow<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO account (tenant_id, id, code, name, type, system, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(tenant)
        .bind(row.id)
        .bind(row.code)
        .bind(row.name)
        .bind(row.kind.as_str())
        .bind(row.system)
        .bind(now.to_sqlx())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn code_taken(error: DbError) -> LedgerError {
    let DbError::Sqlx(source) = &error;
    if on_constraint(source) == Some("account_code_unique") { LedgerError::CodeTaken } else { error.into() }
}

#[derive(FromRow)]
struct AccountRow {
    id: AccountId,
    code: String,
    name: String,
    r#type: String,
    system: bool,
    created_at: SqlTimestamp,
    closed_at: Option<SqlTimestamp>,
}

impl From<AccountRow> for AccountView {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            code: row.code,
            name: row.name,
            kind: AccountKind::from_stored(&row.r#type).expect("the column's CHECK lets only kinds in"),
            system: row.system,
            created_at: row.created_at.to_jiff(),
            closed_at: row.closed_at.map(SqlTimestamp::to_jiff),
        }
    }
}

macro_rules! accounts {
    ($rest:literal) => {
        concat!("SELECT id, code, name, type, system, created_at, closed_at FROM account WHERE tenant_id = $1 ", $rest)
    };
}

/// Lists all accounts, by code; their number is limited.
pub(super) async fn accounts(tx: &mut TenantTx) -> Result<Vec<AccountView>, DbError> {
    let rows: Vec<AccountRow> = sqlx::query_as(accounts!("ORDER BY code")).bind(tx.tenant()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(AccountView::from).collect())
}

pub(super) async fn account_by_id(tx: &mut TenantTx, id: AccountId) -> Result<Option<AccountView>, DbError> {
    let row: Option<AccountRow> =
        sqlx::query_as(accounts!("AND id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(AccountView::from))
}

pub(super) async fn account_by_code(tx: &mut TenantTx, code: &AccountCode) -> Result<Option<AccountView>, DbError> {
    let row: Option<AccountRow> =
        sqlx::query_as(accounts!("AND code = $2")).bind(tx.tenant()).bind(code.as_str()).fetch_optional(tx.conn()).await?;
    Ok(row.map(AccountView::from))
}

pub(super) async fn count_accounts(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM account WHERE tenant_id = $1").bind(tx.tenant()).fetch_one(tx.conn()).await?)
}

pub(super) async fn rename_account(tx: &mut TenantTx, id: AccountId, name: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE account SET name = $3 WHERE tenant_id = $1 AND id = $2 AND NOT system")
        .bind(tx.tenant())
        .bind(id)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn close_account(tx: &mut TenantTx, id: AccountId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE account SET closed_at = $3 WHERE tenant_id = $1 AND id = $2 AND NOT system AND closed_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A journal to be written.
pub(super) struct NewJournal<'a> {
    pub(super) id: JournalId,
    pub(super) kind: &'static str,
    pub(super) about: About<'a>,
    pub(super) reversal_of: Option<JournalId>,
    pub(super) entries: &'a [Entry],
}

pub(super) async fn insert(app: &App, tx: &mut TenantTx, new: &NewJournal<'_>, now: Timestamp) -> Result<(), LedgerError> {
    let about = new.about;
    sqlx::query(
        "INSERT INTO ledger_journal (tenant_id, id, at, kind, payment_id, invoice_id, expense_id, router_id, method, reason, reversal_of)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(now.to_sqlx())
    .bind(new.kind)
    .bind(about.payment)
    .bind(about.invoice)
    .bind(about.expense)
    .bind(about.router)
    .bind(about.method)
    .bind(about.reason)
    .bind(new.reversal_of)
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    for entry in new.entries {
        let behind = match entry.customer.filter(|_| entry.account.as_str() == "wallets") {
            Some(customer) => Some(move_wallet(tx, customer, entry.amount, now).await?),
            None => None,
        };
        sqlx::query(
            "INSERT INTO ledger_entry (tenant_id, id, journal_id, account, amount_minor, currency, customer_id, wallet_number, wallet_balance_minor)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(tx.tenant())
        .bind(LedgerEntryId::generate(now, &*app.entropy))
        .bind(new.id)
        .bind(entry.account.as_str())
        .bind(entry.amount.minor)
        .bind(entry.amount.currency.as_str())
        .bind(entry.customer)
        .bind(behind.map(|(number, _)| number))
        .bind(behind.map(|(_, balance)| balance))
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
    }
    Ok(())
}

/// Moves a wallet by an entry (a credit fills it) and returns the entry's number and the balance behind it. One statement decides, so two
/// at once cannot take the same money.
async fn move_wallet(tx: &mut TenantTx, customer: CustomerId, entry: Money, now: Timestamp) -> Result<(i64, i64), LedgerError> {
    sqlx::query(
        "INSERT INTO wallet (tenant_id, customer_id, currency, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, customer_id, currency) DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(entry.currency.as_str())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    let moved: Option<(i64, i64)> = sqlx::query_as(
        "UPDATE wallet SET balance_minor = balance_minor - $4, entries = entries + 1, changed_at = $5
          WHERE tenant_id = $1 AND customer_id = $2 AND currency = $3 AND balance_minor - $4 >= 0
          RETURNING entries, balance_minor",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(entry.currency.as_str())
    .bind(entry.minor)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    match moved {
        Some(moved) => Ok(moved),
        None => Err(LedgerError::Wallet { has: wallet_balance(tx, customer, entry.currency).await?, needs: entry }),
    }
}

/// Reads what a wallet holds in a currency.
///
/// # Errors
/// When the database does not answer.
pub async fn wallet_balance(tx: &mut TenantTx, customer: CustomerId, currency: Currency) -> Result<Money, DbError> {
    let minor: Option<i64> =
        sqlx::query_scalar("SELECT balance_minor FROM wallet WHERE tenant_id = $1 AND customer_id = $2 AND currency = $3")
            .bind(tx.tenant())
            .bind(customer)
            .bind(currency.as_str())
            .fetch_optional(tx.conn())
            .await?;
    Ok(Money::new(minor.unwrap_or(0), currency))
}

/// Reads what a wallet holds in each currency.
///
/// # Errors
/// When the database does not answer.
pub async fn wallet_balances(tx: &mut TenantTx, customer: CustomerId) -> Result<Vec<Money>, DbError> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT balance_minor, currency FROM wallet WHERE tenant_id = $1 AND customer_id = $2 ORDER BY currency")
            .bind(tx.tenant())
            .bind(customer)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|(minor, currency)| money(minor, &currency)).collect())
}

/// Reads what a customer owes by issued bills, less what was paid of them, in each currency.
///
/// # Errors
/// When the database does not answer.
pub async fn owed(tx: &mut TenantTx, customer: CustomerId) -> Result<Vec<Money>, DbError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT sum(amount_minor)::bigint, currency FROM ledger_entry
          WHERE tenant_id = $1 AND customer_id = $2 AND account = 'receivables' GROUP BY currency ORDER BY currency",
    )
    .bind(tx.tenant())
    .bind(customer)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(minor, currency)| money(minor, &currency)).collect())
}

#[derive(FromRow)]
struct StatementRow {
    wallet_number: i64,
    wallet_balance_minor: i64,
    amount_minor: i64,
    currency: String,
    at: SqlTimestamp,
    kind: String,
    payment_id: Option<PaymentId>,
    reason: String,
    journal_id: JournalId,
}

/// Reads a page of a wallet's statement in one currency, the newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn statement(
    tx: &mut TenantTx,
    customer: CustomerId,
    currency: Currency,
    page: &Page,
) -> Result<Vec<StatementLine>, DbError> {
    // The cursor is the line's number in the clothes of an id.
    let before = i64::try_from(page.before().as_u128()).unwrap_or(i64::MAX);
    let rows: Vec<StatementRow> = sqlx::query_as(
        "SELECT e.wallet_number, e.wallet_balance_minor, e.amount_minor, e.currency, j.at, j.kind, j.payment_id, j.reason, e.journal_id
           FROM ledger_entry e JOIN ledger_journal j ON j.tenant_id = $1 AND j.id = e.journal_id
          WHERE e.tenant_id = $1 AND e.customer_id = $2 AND e.currency = $3 AND e.wallet_number < $4
          ORDER BY e.wallet_number DESC LIMIT $5",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(currency.as_str())
    .bind(before)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let line = |row: StatementRow| StatementLine {
        number: row.wallet_number,
        at: row.at.to_jiff(),
        kind: row.kind,
        amount: money(-row.amount_minor, &row.currency),
        balance: money(row.wallet_balance_minor, &row.currency),
        payment: row.payment_id,
        reason: row.reason,
        journal: row.journal_id,
    };
    Ok(rows.into_iter().map(line).collect())
}

#[derive(FromRow)]
struct EntryRow {
    journal_id: JournalId,
    account: String,
    amount_minor: i64,
    currency: String,
    customer_id: Option<CustomerId>,
}

async fn entries(tx: &mut TenantTx, journals: &[JournalId]) -> Result<HashMap<JournalId, Vec<Entry>>, DbError> {
    let ids: Vec<Uuid> = journals.iter().map(|id| id.uuid()).collect();
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT journal_id, account, amount_minor, currency, customer_id FROM ledger_entry
          WHERE tenant_id = $1 AND journal_id = ANY ($2) ORDER BY amount_minor DESC",
    )
    .bind(tx.tenant())
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let mut by_journal: HashMap<JournalId, Vec<Entry>> = HashMap::new();
    for row in rows {
        let entry =
            Entry { amount: money(row.amount_minor, &row.currency), account: code(row.account), customer: row.customer_id };
        by_journal.entry(row.journal_id).or_default().push(entry);
    }
    Ok(by_journal)
}

#[derive(FromRow)]
struct JournalRow {
    id: JournalId,
    at: SqlTimestamp,
    kind: String,
    payment_id: Option<PaymentId>,
    invoice_id: Option<InvoiceId>,
    expense_id: Option<ExpenseId>,
    router_id: Option<RouterId>,
    method: Option<String>,
    reason: String,
    reversal_of: Option<JournalId>,
}

/// A journal that was not taken back.
pub(super) struct Standing {
    pub(super) id: JournalId,
    pub(super) entries: Vec<Entry>,
    row: JournalRow,
}

impl Standing {
    pub(super) fn about(&self) -> About<'_> {
        About {
            payment: self.row.payment_id,
            invoice: self.row.invoice_id,
            expense: self.row.expense_id,
            router: self.row.router_id,
            method: self.row.method.as_deref(),
            reason: "",
        }
    }
}

/// Reads the journals of a source that stand, the newest first.
pub(super) async fn standing(tx: &mut TenantTx, source: Source) -> Result<Vec<Standing>, DbError> {
    let (payment, invoice, expense) = match source {
        Source::Payment(id) => (Some(id), None, None),
        Source::Invoice(id) => (None, Some(id), None),
        Source::Expense(id) => (None, None, Some(id)),
    };
    let rows: Vec<JournalRow> = sqlx::query_as(
        "SELECT id, at, kind, payment_id, invoice_id, expense_id, router_id, method, reason, reversal_of FROM ledger_journal j
          WHERE tenant_id = $1 AND kind <> 'reversal'
            AND (payment_id = $2 OR invoice_id = $3 AND kind = 'invoice' OR expense_id = $4)
            AND NOT EXISTS (SELECT 1 FROM ledger_journal r WHERE r.tenant_id = $1 AND r.reversal_of = j.id)
          ORDER BY at DESC, id DESC",
    )
    .bind(tx.tenant())
    .bind(payment)
    .bind(invoice)
    .bind(expense)
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<JournalId> = rows.iter().map(|row| row.id).collect();
    let mut by_journal = entries(tx, &ids).await?;
    let standing = |row: JournalRow| Standing { id: row.id, entries: by_journal.remove(&row.id).unwrap_or_default(), row };
    Ok(rows.into_iter().map(standing).collect())
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
        |(name, currency, minor): (String, String, i64)| Balance { account: code(name), balance: money(minor, &currency) };
    Ok(rows.into_iter().map(balance).collect())
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<JournalView>, DbError> {
    let rows: Vec<JournalRow> = sqlx::query_as(
        "SELECT id, at, kind, payment_id, invoice_id, expense_id, router_id, method, reason, reversal_of FROM ledger_journal
          WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
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
        invoice: row.invoice_id,
        expense: row.expense_id,
        reversal_of: row.reversal_of,
        reason: row.reason,
        entries: by_journal
            .remove(&row.id)
            .into_iter()
            .flatten()
            .map(|Entry { account, amount, customer }| EntryView { account, amount, customer })
            .collect(),
        id: row.id,
    };
    Ok(rows.into_iter().map(view).collect())
}
