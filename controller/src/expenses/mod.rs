//! What the ISP itself spends, once or again and again. A rule that repeats is carried out by the controller, each period once, however long
//! it was away.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::{ExpenseView, RecurringView};

use crate::app::App;
use crate::ledger::{self, About, Account, AccountCode, AccountKind, Entry, JournalKind, LedgerError, Source};
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::tenants;
use db::{DbError, TenantDoor, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{ExpenseId, Money, RecurringExpenseId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Rules that repeat, of one tenant.
pub const RECURRING_MAX: i64 = 500;
/// Periods that one run catches up of one rule; the next run goes on.
const CATCH_UP_MAX: usize = 1_000;

/// Why an operation on expenses was refused.
#[derive(Debug, thiserror::Error)]
pub enum ExpenseError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such expense or rule.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It was taken back already.
    #[error("the expense was reversed already")]
    Reversed,
    /// The rule has ended.
    #[error("this recurring expense has ended: make a new one")]
    Ended,
    /// Too many rules.
    #[error("a tenant may have {RECURRING_MAX} recurring expenses: end one first")]
    TooMany,
    /// It cannot be booked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a period is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months by the calendar: the 31st is the last day where a month is shorter.
    Month,
}

impl Unit {
    const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == name)
    }
}

/// An expense to be noted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExpense {
    /// What it was for: the code of an open account of type expense; `expenses` when left out.
    pub account: Option<AccountCode>,
    /// Whom it went to, up to 100 characters.
    #[serde(default)]
    pub vendor: String,
    /// How much.
    pub amount: Money,
    /// Where it came from: the code of an open account of type asset; `cash` when left out.
    pub paid_from: Option<AccountCode>,
    /// The day it was spent; today when left out.
    #[schema(value_type = Option<String>, format = Date)]
    pub spent_on: Option<Date>,
    /// What else there is to say, up to 500 characters.
    #[serde(default)]
    pub note: String,
}

/// A rule by which the ISP spends again and again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecurring {
    /// What it is for: the code of an open account of type expense; `expenses` when left out.
    pub account: Option<AccountCode>,
    /// Whom it goes to, up to 100 characters.
    #[serde(default)]
    pub vendor: String,
    /// How much, each time.
    pub amount: Money,
    /// Where it comes from: the code of an open account of type asset; `cash` when left out.
    pub paid_from: Option<AccountCode>,
    /// What else there is to say, up to 500 characters.
    #[serde(default)]
    pub note: String,
    /// Every so many units, 1 to 365; 1 when left out.
    pub every: Option<u16>,
    /// What the period is counted in.
    pub unit: Unit,
    /// The first day; at most a year ago.
    #[schema(value_type = String, format = Date, example = "2027-01-31")]
    pub first_on: Date,
    /// The last day, if there is one.
    #[schema(value_type = Option<String>, format = Date)]
    pub last_on: Option<Date>,
}

async fn today(tx: &mut TenantTx, now: Timestamp) -> Result<Date, DbError> {
    let zone = TimeZone::get(&tenants::current(tx).await?.time_zone).unwrap_or(TimeZone::UTC);
    Ok(now.to_zoned(zone).date())
}

/// Checks what every expense has, and fills in its accounts.
async fn accounts(
    tx: &mut TenantTx,
    account: Option<AccountCode>,
    paid_from: Option<AccountCode>,
    amount: Money,
    (vendor, note): (&str, &str),
) -> Result<(AccountCode, AccountCode), ExpenseError> {
    if let Some((field, message)) = rules::fault(amount, vendor, note) {
        return Err(ExpenseError::Field { field, message });
    }
    if amount.currency != tenants::current(tx).await?.currency {
        return Err(ExpenseError::Field { field: "amount", message: "give it in the currency that you sell in" });
    }
    let account = account.unwrap_or_else(|| Account::Expenses.into());
    let paid_from = paid_from.unwrap_or_else(|| Account::Cash.into());
    ledger::expect_account(tx, "account", &account, AccountKind::Expense).await?;
    if paid_from == Account::Receivables.into() {
        return Err(ExpenseError::Field { field: "paid_from", message: "what customers owe cannot be spent" });
    }
    ledger::expect_account(tx, "paid_from", &paid_from, AccountKind::Asset).await?;
    Ok((account, paid_from))
}

/// Notes an expense.
///
/// # Errors
/// When a field is wrong or an account is not there.
pub async fn add(app: &App, tx: &mut TenantTx, new: NewExpense, now: Timestamp) -> Result<ExpenseId, ExpenseError> {
    let today = today(tx, now).await?;
    let spent_on = new.spent_on.unwrap_or(today);
    if !rules::may_be_spent_on(spent_on, today) {
        return Err(ExpenseError::Field { field: "spent_on", message: "name a day of the last ten years, today at the latest" });
    }
    let (account, paid_from) = accounts(tx, new.account, new.paid_from, new.amount, (&new.vendor, &new.note)).await?;
    let row = store::NewRow {
        id: ExpenseId::generate(now, &*app.entropy),
        account,
        vendor: new.vendor,
        amount: new.amount,
        paid_from,
        spent_on,
        note: new.note,
        period: None,
    };
    write(app, tx, &row, now).await?;
    Ok(row.id)
}

/// Writes an expense with its journal, unless its period has one; says whether it did.
async fn write(app: &App, tx: &mut TenantTx, row: &store::NewRow, now: Timestamp) -> Result<bool, ExpenseError> {
    if !store::insert(tx, row, now).await? {
        return Ok(false);
    }
    let about = About { expense: Some(row.id), reason: "", ..About::default() };
    let entries = vec![Entry::debit(row.account.clone(), row.amount), Entry::credit(row.paid_from.clone(), row.amount)];
    ledger::record(app, tx, JournalKind::Expense, about, entries, now).await?;
    let details = json!({
        "account": row.account, "amount": row.amount, "vendor": row.vendor, "paid_from": row.paid_from, "spent_on": row.spent_on,
        "recurring": row.period.map(|(rule, _)| rule)
    });
    tx.audit(now, "expense.add", &row.id.to_string(), details).await?;
    Ok(true)
}

/// Takes an expense back, once.
///
/// # Errors
/// When there is no such expense, it was taken back already, or the reason is missing.
pub async fn reverse(app: &App, tx: &mut TenantTx, id: ExpenseId, reason: &str, now: Timestamp) -> Result<(), ExpenseError> {
    if !rules::is_reason(reason) {
        return Err(ExpenseError::Field { field: "reason", message: "say why, in 1 to 200 characters" });
    }
    store::get(tx, id).await?.ok_or(ExpenseError::NotFound("expense"))?;
    if !store::reverse(tx, id, reason, now).await? {
        return Err(ExpenseError::Reversed);
    }
    ledger::reverse(app, tx, Source::Expense(id), reason, now).await?;
    tx.audit(now, "expense.reverse", &id.to_string(), json!({ "reason": reason })).await?;
    Ok(())
}

/// Makes a rule that repeats. What lies behind today is caught up by the next run.
///
/// # Errors
/// When the role may not, a field is wrong, an account is not there, or there are too many.
pub async fn add_recurring(app: &App, scope: &TenantScope, new: NewRecurring) -> Result<RecurringExpenseId, ExpenseError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    let today = today(&mut tx, now).await?;
    if let Some((field, message)) = rules::recurring_fault(&new, today) {
        return Err(ExpenseError::Field { field, message });
    }
    if store::count_recurring(&mut tx).await? >= RECURRING_MAX {
        return Err(ExpenseError::TooMany);
    }
    let (account, paid_from) =
        accounts(&mut tx, new.account.clone(), new.paid_from.clone(), new.amount, (&new.vendor, &new.note)).await?;
    let id = RecurringExpenseId::generate(now, &*app.entropy);
    store::insert_recurring(&mut tx, id, &new, &account, &paid_from, now).await?;
    let details = json!({
        "account": account, "amount": new.amount, "vendor": new.vendor, "every": new.every.unwrap_or(1), "unit": new.unit,
        "first_on": new.first_on
    });
    tx.audit(now, "recurring_expense.add", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

/// Lets a rule rest. What falls due until it goes on is left out.
///
/// # Errors
/// When the role may not, there is no such rule, or it has ended.
pub async fn pause(app: &App, scope: &TenantScope, id: RecurringExpenseId) -> Result<(), ExpenseError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    let rule = lock(&mut tx, id).await?;
    if rule.paused_at.is_some() {
        return Ok(());
    }
    store::set_paused(&mut tx, id, Some(now)).await?;
    tx.audit(now, "recurring_expense.pause", &id.to_string(), json!({})).await?;
    Ok(tx.commit().await?)
}

/// Lets a rule go on, from the first day that is not behind.
///
/// # Errors
/// When the role may not, there is no such rule, or it has ended.
pub async fn resume(app: &App, scope: &TenantScope, id: RecurringExpenseId) -> Result<(), ExpenseError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    let rule = lock(&mut tx, id).await?;
    if rule.paused_at.is_none() {
        return Ok(());
    }
    let today = today(&mut tx, now).await?;
    let (periods, next_due) = rules::first_from(rule.first_on, rule.every, rule.unit, rule.periods, today)
        .ok_or(ExpenseError::Field { field: "id", message: "the rule leads out of the calendar" })?;
    store::set_paused(&mut tx, id, None).await?;
    store::set_next(&mut tx, id, periods, next_due).await?;
    tx.audit(now, "recurring_expense.resume", &id.to_string(), json!({ "next_due": next_due })).await?;
    Ok(tx.commit().await?)
}

/// Ends a rule for good; what was spent by it stays.
///
/// # Errors
/// When the role may not, or there is no such rule.
pub async fn end(app: &App, scope: &TenantScope, id: RecurringExpenseId) -> Result<(), ExpenseError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    let rule = store::lock_recurring(&mut tx, id).await?.ok_or(ExpenseError::NotFound("recurring expense"))?;
    if rule.ended_at.is_some() {
        return Ok(());
    }
    store::end_recurring(&mut tx, id, now).await?;
    tx.audit(now, "recurring_expense.end", &id.to_string(), json!({})).await?;
    Ok(tx.commit().await?)
}

async fn lock(tx: &mut TenantTx, id: RecurringExpenseId) -> Result<RecurringView, ExpenseError> {
    let rule = store::lock_recurring(tx, id).await?.ok_or(ExpenseError::NotFound("recurring expense"))?;
    if rule.ended_at.is_some() { Err(ExpenseError::Ended) } else { Ok(rule) }
}

/// Notes what has fallen due in all tenants, each period once; returns how many were noted. One tenant's fault does not keep the others
/// waiting: the last one is told when all were looked at.
///
/// # Errors
/// When the database does not answer, or something could not be booked.
pub async fn run_due(app: &App) -> Result<usize, ExpenseError> {
    let (mut noted, mut fault) = (0, None);
    for door in app.db.locator().tenants("expenses").await? {
        match run_tenant(app, &door).await {
            Ok(done) => noted += done,
            Err(error) => fault = Some(error),
        }
    }
    fault.map_or(Ok(noted), Err)
}

async fn run_tenant(app: &App, door: &TenantDoor) -> Result<usize, ExpenseError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let today = today(&mut tx, now).await?;
    let due = store::due(&mut tx, today).await?;
    drop(tx);
    let mut noted = 0;
    for id in due {
        // A transaction for each rule: one that cannot be booked does not hold up the others, and none is long.
        let mut tx = app.db.tenant(door).await?;
        noted += run_rule(app, &mut tx, id, today, now).await?;
        tx.commit().await?;
    }
    Ok(noted)
}

async fn run_rule(
    app: &App,
    tx: &mut TenantTx,
    id: RecurringExpenseId,
    today: Date,
    now: Timestamp,
) -> Result<usize, ExpenseError> {
    // Another controller, or a person, may have been faster.
    let Some(rule) = store::lock_recurring(tx, id).await?.filter(|rule| rule.paused_at.is_none() && rule.ended_at.is_none())
    else {
        return Ok(0);
    };
    let mut noted = 0;
    let (mut periods, mut next_due) = (rule.periods, rule.next_due);
    let within = |day: Date| day <= today && rule.last_on.is_none_or(|last| day <= last);
    for _ in 0..CATCH_UP_MAX {
        if !within(next_due) {
            break;
        }
        let row = store::NewRow {
            id: ExpenseId::generate(now, &*app.entropy),
            account: rule.account.clone(),
            vendor: rule.vendor.clone(),
            amount: rule.amount,
            paid_from: rule.paid_from.clone(),
            spent_on: next_due,
            note: rule.note.clone(),
            period: Some((id, next_due)),
        };
        noted += usize::from(write(app, tx, &row, now).await?);
        periods += 1;
        let Some(next) = rules::due(rule.first_on, rule.every, rule.unit, periods) else {
            store::end_recurring(tx, id, now).await?;
            return Ok(noted);
        };
        next_due = next;
    }
    store::set_next(tx, id, periods, next_due).await?;
    if rule.last_on.is_some_and(|last| next_due > last) {
        store::end_recurring(tx, id, now).await?;
    }
    Ok(noted)
}
