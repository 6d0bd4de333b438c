//! Printed codes that are worth a package: made or taken over in batches, used once.
//!
//! A code is stored as a fingerprint for finding it and sealed for printing it again. Every code that cannot be used gets the same answer,
//! so that codes cannot be told apart by trying.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::BatchView;

use crate::app::App;
use crate::customers::{self, CustomerError, NewCustomer, Origin};
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::packages::{self, PackageError, PackageKind};
use crate::payments::{self, PaymentError};
use crate::routers;
use crate::secrets::{Place, VaultError};
use crate::tenants::{self, Flag};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{CustomerId, PackageId, RouterId, Secret, VoucherBatchId, VoucherId};
use serde::{Deserialize, Serialize};
use store::NewVoucher;
use utoipa::ToSchema;

/// Draws of new codes for those that were there already. With a million codes in stock and the shortest length, one draw of a batch hits
/// about one in a million times the batch's size; two in a row already mean that something else is wrong.
const DRAWS_MAX: usize = 10;
/// Codes that are named when a list has some that are there already.
const TAKEN_SHOWN: usize = 20;

/// Why an operation on vouchers was refused.
#[derive(Debug, thiserror::Error)]
pub enum VoucherError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// Codes of the list are there already.
    #[error("codes of this list are there already; they end in {}", .0.join(", "))]
    CodesTaken(Vec<String>),
    /// There is no such batch.
    #[error("there is no such voucher batch")]
    NotFound,
    /// There is no such router.
    #[error("there is no such router")]
    NoRouter,
    /// The code is unknown, used, void, out of date, or for another router: which of them is not told.
    #[error("this code is not valid here")]
    Code,
    /// The package cannot be sold.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The customer cannot get it.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The payment cannot be counted.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A code could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Where a code stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoucherState {
    /// It can be used.
    Available,
    /// It was used.
    Redeemed,
    /// It was taken out of use.
    Void,
}

/// Vouchers to be made: `count` new codes, or the `codes` that are on paper already.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    /// What each is worth.
    pub package: PackageId,
    /// How many codes to draw, 1 to 10,000.
    pub count: Option<u16>,
    /// How long each drawn code is, 8 to 10 characters; 8 when left out.
    pub length: Option<u8>,
    /// Codes that are printed already, 1 to 10,000 of 6 to 32 letters and digits each; spaces and dashes do not count.
    #[schema(value_type = Option<Vec<String>>)]
    pub codes: Option<Vec<Secret<String>>>,
    /// The only router where they can be used.
    pub router: Option<RouterId>,
    /// When they can be used no more.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A batch that was made.
#[derive(Debug)]
pub struct NewlyMade {
    /// The batch.
    pub id: VoucherBatchId,
    /// Its codes.
    pub codes: Vec<Secret<String>>,
}

/// A code of a batch, to be printed again.
#[derive(Debug)]
pub struct PrintedCode {
    /// The code.
    pub code: Secret<String>,
    /// Where it stands.
    pub state: VoucherState,
}

/// A code to be used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redemption {
    /// The code as typed; capitals, spaces and dashes do not matter.
    #[schema(value_type = String)]
    pub code: Secret<String>,
    /// The router where it is used.
    pub router: RouterId,
    /// Who gets the time. Left out for a hotspot package, a customer is made whose login and password are the code in small letters.
    pub customer: Option<CustomerId>,
    /// The only device that the new customer may use.
    pub mac: Option<String>,
}

/// A code that was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Redeemed {
    /// Who got the time.
    pub customer: CustomerId,
    /// What it was counted as.
    #[serde(flatten)]
    pub taken: payments::Taken,
}

fn code_place(id: VoucherId) -> Place {
    Place { table: "voucher", column: "sealed_code", row: id.uuid() }
}

/// The fingerprint by which a code is found.
///
/// # Errors
/// When the code could not be one, or the tenant's key cannot be read.
pub async fn fingerprint(app: &App, tx: &mut TenantTx, typed: &Secret<String>) -> Result<[u8; 32], VoucherError> {
    let code = rules::normalised(typed.expose()).ok_or(VoucherError::Code)?;
    Ok(app.vault.fingerprint(tx, "voucher", code.expose()).await?)
}

/// Makes a batch of vouchers and returns its codes, for an operator who may.
///
/// # Errors
/// When a field is wrong, the package is not on sale, the router is not there, or a given code is in use.
pub async fn create(app: &App, tx: &mut TenantTx, new: NewBatch, now: Timestamp) -> Result<NewlyMade, VoucherError> {
    tenants::expect_on(tx, Flag::Vouchers).await.map_err(OperatorError::from)?;
    let wanted = rules::wanted(&new, now).map_err(|(field, message)| VoucherError::Field { field, message })?;
    packages::on_sale(tx, new.package).await?;
    if let Some(router) = new.router
        && !routers::stands(tx, router).await?
    {
        return Err(VoucherError::NoRouter);
    }
    if let Some(router) = new.router
        && !packages::in_scope(tx, new.package, router).await?
    {
        return Err(packages::PackageError::OutOfScope.into());
    }
    let id = VoucherBatchId::generate(now, &*app.entropy);
    store::insert_batch(tx, id, &new, wanted.size(), now).await?;
    let codes = match wanted {
        rules::Wanted::Given(codes) => {
            let taken = insert(app, tx, id, &codes, now).await?;
            if !taken.is_empty() {
                return Err(VoucherError::CodesTaken(
                    taken.iter().take(TAKEN_SHOWN).map(|code| rules::tail(code).to_owned()).collect(),
                ));
            }
            codes
        }
        rules::Wanted::Drawn { count, length } => draw(app, tx, id, count, length, now).await?,
    };
    let details = serde_json::json!({ "package": new.package, "size": codes.len(), "router": new.router });
    tx.audit(now, "voucher_batch.create", &id.to_string(), details).await?;
    Ok(NewlyMade { id, codes })
}

/// Draws codes until there are enough that are not in use.
async fn draw(
    app: &App,
    tx: &mut TenantTx,
    batch: VoucherBatchId,
    count: usize,
    length: usize,
    now: Timestamp,
) -> Result<Vec<Secret<String>>, VoucherError> {
    let mut made: Vec<Secret<String>> = Vec::with_capacity(count);
    for _ in 0..DRAWS_MAX {
        let drawn = rules::draw(count - made.len(), length, &*app.entropy);
        let taken = insert(app, tx, batch, &drawn, now).await?;
        made.extend(drawn.into_iter().filter(|code| !taken.contains(code)));
        if made.len() == count {
            return Ok(made);
        }
    }
    Err(VoucherError::Field { field: "length", message: "too few codes of this length are left: choose longer ones" })
}

/// Writes codes and returns those that were there already.
async fn insert(
    app: &App,
    tx: &mut TenantTx,
    batch: VoucherBatchId,
    codes: &[Secret<String>],
    now: Timestamp,
) -> Result<Vec<Secret<String>>, VoucherError> {
    let mut vouchers = Vec::with_capacity(codes.len());
    for code in codes {
        let id = VoucherId::generate(now, &*app.entropy);
        vouchers.push(NewVoucher {
            id,
            hmac: app.vault.fingerprint(tx, "voucher", code.expose()).await?,
            sealed: app.vault.seal(tx, code_place(id), code.expose().as_bytes()).await?,
            tail: rules::tail(code).to_owned(),
        });
    }
    let written = store::insert(tx, batch, &vouchers).await?;
    let taken = vouchers.iter().zip(codes).filter(|(voucher, _)| !written.contains(&voucher.id));
    Ok(taken.map(|(_, code)| code.clone()).collect())
}

/// Opens the codes of a batch, to print them again; the audit log says who did.
///
/// # Errors
/// When the role may not, or there is no such batch.
pub async fn reprint(app: &App, scope: &TenantScope, batch: VoucherBatchId) -> Result<Vec<PrintedCode>, VoucherError> {
    let now = app.clock.now();
    let mut tx = scope.read(app, Permission::VouchersRead).await?;
    let codes = opened(app, &mut tx, batch).await?;
    tx.audit(now, "voucher_batch.print", &batch.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(codes)
}

/// Opens the codes of a batch.
async fn opened(app: &App, tx: &mut TenantTx, batch: VoucherBatchId) -> Result<Vec<PrintedCode>, VoucherError> {
    let sealed = store::sealed_codes(tx, batch).await?;
    // A batch has at least one code, so an empty answer means that there is no batch.
    if sealed.is_empty() {
        return Err(VoucherError::NotFound);
    }
    let mut codes = Vec::with_capacity(sealed.len());
    for (id, sealed, state) in sealed {
        codes.push(PrintedCode { code: app.vault.open_text(tx, code_place(id), &sealed).await?, state });
    }
    Ok(codes)
}

/// Takes what is left of a batch out of use, such as one that was stolen; returns how many codes that were. What was used stays used.
///
/// # Errors
/// When the reason is missing or there is no such batch.
pub async fn void(tx: &mut TenantTx, batch: VoucherBatchId, reason: &str, now: Timestamp) -> Result<u64, VoucherError> {
    if !rules::is_reason(reason) {
        return Err(VoucherError::Field { field: "reason", message: "say why, in 1 to 200 characters" });
    }
    let voided = store::void(tx, batch, reason, now).await?.ok_or(VoucherError::NotFound)?;
    tx.audit(now, "voucher_batch.void", &batch.to_string(), serde_json::json!({ "reason": reason, "voided": voided })).await?;
    Ok(voided)
}

/// Uses a code up: one statement takes it, and payment, ledger, entitlement and the router's generation follow in the same transaction.
/// `received_at` is when the request arrived.
///
/// # Errors
/// When the code is not valid here, or its package is not for the customer.
pub async fn redeem(app: &App, tx: &mut TenantTx, request: Redemption, received_at: Timestamp) -> Result<Redeemed, VoucherError> {
    let fingerprint = fingerprint(app, tx, &request.code).await?;
    let customer = request.customer.unwrap_or_else(|| CustomerId::generate(received_at, &*app.entropy));
    let taken = store::take(tx, &fingerprint, request.router, customer, received_at).await?;
    let (voucher, package) = taken.ok_or(VoucherError::Code)?;
    let package = packages::get(tx, package).await?;
    match request.customer {
        Some(_) if request.mac.is_some() => {
            return Err(VoucherError::Field { field: "mac", message: "the customer's device is set on the customer" });
        }
        Some(known) => {
            if customers::lock(tx, known).await?.router != request.router {
                return Err(VoucherError::Field { field: "customer", message: "this customer is on another router" });
            }
        }
        None if package.kind != PackageKind::Hotspot => {
            return Err(VoucherError::Field {
                field: "customer",
                message: "say who gets the time: the package is not for a hotspot",
            });
        }
        None => {
            let login = rules::normalised(request.code.expose()).ok_or(VoucherError::Code)?.expose().to_ascii_lowercase();
            let password = Some(Secret::new(login.clone()));
            let new = NewCustomer { password, mac: request.mac, ..NewCustomer::named(login, request.router, package.id) };
            customers::add(app, tx, customer, new, &package, Origin::Voucher, received_at).await?;
        }
    }
    let taken = payments::take_voucher(app, tx, customer, &package, voucher, received_at).await?;
    tx.audit(received_at, "voucher.redeem", &voucher.to_string(), serde_json::json!({ "customer": customer })).await?;
    Ok(Redeemed { customer, taken })
}
