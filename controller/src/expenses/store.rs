//! Expenses in the database.

use super::{NewRecurring, Unit};
use crate::http::{Page, PageItem};
use crate::ledger::AccountCode;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ExpenseId, Money, RecurringExpenseId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// Money that the ISP spent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpenseView {
    /// The expense.
    pub id: ExpenseId,
    /// What it was for.
    pub account: AccountCode,
    /// Whom it went to.
    pub vendor: String,
    /// How much.
    pub amount: Money,
    /// Where it came from.
    pub paid_from: AccountCode,
    /// The day it was spent.
    #[schema(value_type = String, format = Date)]
    pub spent_on: Date,
    /// What else there is to say.
    pub note: String,
    /// The rule by which it was spent.
    pub recurring: Option<RecurringExpenseId>,
    /// Who noted it.
    pub noted_by: String,
    /// When it was noted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reversed_at: Option<Timestamp>,
    /// Why it was taken back.
    pub reversal_reason: Option<String>,
}

/// A rule by which the ISP spends again and again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecurringView {
    /// The rule.
    pub id: RecurringExpenseId,
    /// What it is for.
    pub account: AccountCode,
    /// Whom it goes to.
    pub vendor: String,
    /// How much, each time.
    pub amount: Money,
    /// Where it comes from.
    pub paid_from: AccountCode,
    /// What else there is to say.
    pub note: String,
    /// Every so many units.
    pub every: u16,
    /// What the period is counted in.
    pub unit: Unit,
    /// The first day.
    #[schema(value_type = String, format = Date)]
    pub first_on: Date,
    /// The last day, if there is one.
    #[schema(value_type = Option<String>, format = Date)]
    pub last_on: Option<Date>,
    /// How many times have passed.
    pub periods: i64,
    /// When it falls due next.
    #[schema(value_type = String, format = Date)]
    pub next_due: Date,
    /// Since when it rests.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl PageItem for ExpenseView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

impl PageItem for RecurringView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

fn code(stored: String) -> AccountCode {
    AccountCode::try_from(stored).expect("the column refers to an account")
}

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, currency.parse().expect("the column's CHECK lets only currencies in"))
}

/// An expense to be written.
pub(super) struct NewRow {
    pub(super) id: ExpenseId,
    pub(super) account: AccountCode,
    pub(super) vendor: String,
    pub(super) amount: Money,
    pub(super) paid_from: AccountCode,
    pub(super) spent_on: Date,
    pub(super) note: String,
    /// The rule, and which of its days it is.
    pub(super) period: Option<(RecurringExpenseId, Date)>,
}

/// Writes an expense, unless its period has one; says whether it did.
pub(super) async fn insert(tx: &mut TenantTx, row: &NewRow, now: Timestamp) -> Result<bool, DbError> {
    let noted_by = tx.actor().as_str().to_owned();
    let done = sqlx::query(
        "INSERT INTO expense (tenant_id, id, account, vendor, amount_minor, currency, paid_from, spent_on, note, recurring_id, due_on, noted_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT ON CONSTRAINT expense_period_unique DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(row.id)
    .bind(row.account.as_str())
    .bind(&row.vendor)
    .bind(row.amount.minor)
    .bind(row.amount.currency.as_str())
    .bind(row.paid_from.as_str())
    .bind(row.spent_on.to_sqlx())
    .bind(&row.note)
    .bind(row.period.map(|(rule, _)| rule))
    .bind(row.period.map(|(_, day)| day.to_sqlx()))
    .bind(noted_by)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks an expense as taken back, once.
pub(super) async fn reverse(tx: &mut TenantTx, id: ExpenseId, reason: &str, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE expense SET reversed_at = $3, reversal_reason = $4 WHERE tenant_id = $1 AND id = $2 AND reversed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(FromRow)]
struct Row {
    id: ExpenseId,
    account: String,
    vendor: String,
    amount_minor: i64,
    currency: String,
    paid_from: String,
    spent_on: SqlDate,
    note: String,
    recurring_id: Option<RecurringExpenseId>,
    noted_by: String,
    created_at: SqlTimestamp,
    reversed_at: Option<SqlTimestamp>,
    reversal_reason: Option<String>,
}

impl From<Row> for ExpenseView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            account: code(row.account),
            vendor: row.vendor,
            amount: money(row.amount_minor, &row.currency),
            paid_from: code(row.paid_from),
            spent_on: row.spent_on.to_jiff(),
            note: row.note,
            recurring: row.recurring_id,
            noted_by: row.noted_by,
            created_at: row.created_at.to_jiff(),
            reversed_at: row.reversed_at.map(SqlTimestamp::to_jiff),
            reversal_reason: row.reversal_reason,
        }
    }
}

macro_rules! expenses {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, vendor, amount_minor, currency, paid_from, spent_on, note, recurring_id, noted_by, created_at, reversed_at,
                    reversal_reason
               FROM expense WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(super) async fn get(tx: &mut TenantTx, id: ExpenseId) -> Result<Option<ExpenseView>, DbError> {
    let row: Option<Row> = sqlx::query_as(expenses!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(ExpenseView::from))
}

pub(super) async fn list(tx: &mut TenantTx, account: Option<&AccountCode>, page: &Page) -> Result<Vec<ExpenseView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(expenses!("id < $2 AND ($3::text IS NULL OR account = $3) ORDER BY id DESC LIMIT $4"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(account.map(AccountCode::as_str))
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(ExpenseView::from).collect())
}

pub(super) async fn count_recurring(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM recurring_expense WHERE tenant_id = $1 AND ended_at IS NULL")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn insert_recurring(
    tx: &mut TenantTx,
    id: RecurringExpenseId,
    new: &NewRecurring,
    account: &AccountCode,
    paid_from: &AccountCode,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO recurring_expense (tenant_id, id, account, vendor, amount_minor, currency, paid_from, note, every, unit, first_on, last_on,
                next_due, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $13)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(account.as_str())
    .bind(&new.vendor)
    .bind(new.amount.minor)
    .bind(new.amount.currency.as_str())
    .bind(paid_from.as_str())
    .bind(&new.note)
    .bind(i32::from(new.every.unwrap_or(1)))
    .bind(new.unit.as_str())
    .bind(new.first_on.to_sqlx())
    .bind(new.last_on.map(|day| day.to_sqlx()))
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct RecurringRow {
    id: RecurringExpenseId,
    account: String,
    vendor: String,
    amount_minor: i64,
    currency: String,
    paid_from: String,
    note: String,
    every: i32,
    unit: String,
    first_on: SqlDate,
    last_on: Option<SqlDate>,
    periods: i64,
    next_due: SqlDate,
    paused_at: Option<SqlTimestamp>,
    ended_at: Option<SqlTimestamp>,
    created_at: SqlTimestamp,
}

impl From<RecurringRow> for RecurringView {
    fn from(row: RecurringRow) -> Self {
        Self {
            id: row.id,
            account: code(row.account),
            vendor: row.vendor,
            amount: money(row.amount_minor, &row.currency),
            paid_from: code(row.paid_from),
            note: row.note,
            every: u16::try_from(row.every).expect("the column's CHECK ends at 365"),
            unit: Unit::from_stored(&row.unit).expect("the column's CHECK lets only units in"),
            first_on: row.first_on.to_jiff(),
            last_on: row.last_on.map(SqlDate::to_jiff),
            periods: row.periods,
            next_due: row.next_due.to_jiff(),
            paused_at: row.paused_at.map(SqlTimestamp::to_jiff),
            ended_at: row.ended_at.map(SqlTimestamp::to_jiff),
            created_at: row.created_at.to_jiff(),
        }
    }
}

macro_rules! recurring {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, vendor, amount_minor, currency, paid_from, note, every, unit, first_on, last_on, periods, next_due, paused_at,
                    ended_at, created_at
               FROM recurring_expense WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(super) async fn lock_recurring(tx: &mut TenantTx, id: RecurringExpenseId) -> Result<Option<RecurringView>, DbError> {
    let row: Option<RecurringRow> =
        sqlx::query_as(recurring!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(RecurringView::from))
}

pub(super) async fn get_recurring(tx: &mut TenantTx, id: RecurringExpenseId) -> Result<Option<RecurringView>, DbError> {
    let row: Option<RecurringRow> =
        sqlx::query_as(recurring!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(RecurringView::from))
}

pub(super) async fn list_recurring(tx: &mut TenantTx, page: &Page) -> Result<Vec<RecurringView>, DbError> {
    let rows: Vec<RecurringRow> = sqlx::query_as(recurring!("id < $2 ORDER BY id DESC LIMIT $3"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(RecurringView::from).collect())
}

/// Lists the rules that have something due; their number is limited.
pub(super) async fn due(tx: &mut TenantTx, today: Date) -> Result<Vec<RecurringExpenseId>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM recurring_expense WHERE tenant_id = $1 AND next_due <= $2 AND paused_at IS NULL AND ended_at IS NULL ORDER BY next_due",
    )
    .bind(tx.tenant())
    .bind(today.to_sqlx())
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn set_next(tx: &mut TenantTx, id: RecurringExpenseId, periods: i64, next_due: Date) -> Result<(), DbError> {
    sqlx::query("UPDATE recurring_expense SET periods = $3, next_due = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(periods)
        .bind(next_due.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn set_paused(tx: &mut TenantTx, id: RecurringExpenseId, at: Option<Timestamp>) -> Result<(), DbError> {
    sqlx::query("UPDATE recurring_expense SET paused_at = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(at.map(|at| at.to_sqlx()))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn end_recurring(tx: &mut TenantTx, id: RecurringExpenseId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE recurring_expense SET ended_at = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}
