//! The chart of accounts: the program's own, which stay, and the tenant's.

use super::store::{self, NewRow};
use super::{ACCOUNTS_MAX, Account, AccountCode, AccountKind, LedgerError, rules};
use crate::app::App;
use crate::operators::{Permission, TenantScope};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use model::{AccountId, TenantId};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// An account to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its code, which stays: 2 to 40 small letters, digits and `_`, beginning with a letter.
    pub code: String,
    /// Its name for people, 1 to 100 characters.
    pub name: String,
    /// What stands in it: `expense`, `asset` or `equity`.
    #[serde(rename = "type")]
    pub kind: AccountKind,
}

/// What of an account is to change.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Its name for people, 1 to 100 characters.
    pub name: String,
}

/// Gives a new tenant the accounts that the program books in, in the transaction that makes the tenant.
///
/// # Errors
/// When the database does not answer.
pub async fn open_system_accounts(app: &App, tx: &mut PlatformTx, tenant: TenantId, now: Timestamp) -> Result<(), DbError> {
    for account in Account::ALL {
        let (name, kind) = account.description();
        let row = NewRow { id: AccountId::generate(now, &*app.entropy), code: account.as_str(), name, kind, system: true };
        store::insert_account(tx.conn(), tenant, &row, now).await?;
    }
    Ok(())
}

/// Makes an account.
///
/// # Errors
/// When the role may not, a field is wrong, the code is taken, or there are too many.
pub async fn add_account(app: &App, scope: &TenantScope, new: NewAccount) -> Result<AccountId, LedgerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    if let Some((field, message)) = rules::account_fault(&new.code, &new.name).or_else(|| rules::kind_fault(new.kind)) {
        return Err(LedgerError::Field { field, message });
    }
    if store::count_accounts(&mut tx).await? >= ACCOUNTS_MAX {
        return Err(LedgerError::TooManyAccounts);
    }
    let id = AccountId::generate(now, &*app.entropy);
    let tenant = tx.tenant();
    let row = NewRow { id, code: &new.code, name: &new.name, kind: new.kind, system: false };
    store::insert_account(tx.conn(), tenant, &row, now).await.map_err(store::code_taken)?;
    tx.audit(now, "account.add", &id.to_string(), json!({ "code": new.code, "name": new.name, "type": new.kind })).await?;
    tx.commit().await?;
    Ok(id)
}

/// Gives an account another name.
///
/// # Errors
/// When the role may not, there is no such account, or it is the program's own.
pub async fn change_account(app: &App, scope: &TenantScope, id: AccountId, change: AccountChange) -> Result<(), LedgerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    if let Some((field, message)) = rules::name_fault(&change.name) {
        return Err(LedgerError::Field { field, message });
    }
    let before = own(&mut tx, id).await?;
    store::rename_account(&mut tx, id, &change.name).await?;
    tx.audit(now, "account.change", &id.to_string(), json!({ "before": before.name, "after": change.name })).await?;
    Ok(tx.commit().await?)
}

/// Closes an account: nothing new is booked in it, and what stands in it stays.
///
/// # Errors
/// When the role may not, there is no such account, or it is the program's own.
pub async fn close_account(app: &App, scope: &TenantScope, id: AccountId) -> Result<(), LedgerError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::ExpensesWrite).await?;
    let before = own(&mut tx, id).await?;
    if before.closed_at.is_some() {
        return Ok(());
    }
    store::close_account(&mut tx, id, now).await?;
    tx.audit(now, "account.close", &id.to_string(), json!({ "code": before.code })).await?;
    Ok(tx.commit().await?)
}

async fn own(tx: &mut TenantTx, id: AccountId) -> Result<store::AccountView, LedgerError> {
    let account = store::account_by_id(tx, id).await?.ok_or(LedgerError::NoAccount)?;
    if account.system { Err(LedgerError::System) } else { Ok(account) }
}

/// Checks that an account is there, open, and of a kind; `field` is named when it is not.
///
/// # Errors
/// When it is not, or the database does not answer.
pub async fn expect_account(
    tx: &mut TenantTx,
    field: &'static str,
    code: &AccountCode,
    kind: AccountKind,
) -> Result<(), LedgerError> {
    let found = store::account_by_code(tx, code).await?.filter(|account| account.closed_at.is_none() && account.kind == kind);
    if found.is_some() {
        return Ok(());
    }
    let message = match kind {
        AccountKind::Asset => "there is no open account of type asset with this code: see `GET /accounts`",
        AccountKind::Expense => "there is no open account of type expense with this code: see `GET /accounts`",
        AccountKind::Liability | AccountKind::Income | AccountKind::Equity => {
            "there is no such open account: see `GET /accounts`"
        }
    };
    Err(LedgerError::Field { field, message })
}
