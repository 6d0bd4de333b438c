//! What customers are recognised by: their login, their device, their telephone. What holds now stands on the customer and nowhere else;
//! what they had before is kept, so that it can be said whose a device was on a day. A device's address is one credential among others:
//! telephones make a new one up for each network.

use super::store::{self, Customer, Span};
use super::{CustomerError, phones, rules};
use crate::app::App;
use crate::http::{List, Page};
use crate::operators::{Permission, TenantScope};
use crate::tenants;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::CustomerId;
use serde::Serialize;
use utoipa::ToSchema;

/// How many holders of one thing are named, newest first.
const HOLDERS_MAX: i64 = 200;

/// By what kind of thing a customer is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// The name used to dial or log in.
    Login,
    /// The device.
    Mac,
    /// The telephone.
    Phone,
}

impl CredentialKind {
    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Mac => "mac",
            Self::Phone => "phone",
        }
    }

    pub(super) fn from_stored(name: &str) -> Option<Self> {
        [Self::Login, Self::Mac, Self::Phone].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something by which a customer was recognised until now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) kind: CredentialKind,
    pub(super) value: String,
    pub(super) since: Timestamp,
}

/// Something by which a customer is or was recognised.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CredentialView {
    /// Whose.
    pub customer: CustomerId,
    /// The customer's login today.
    pub login: String,
    /// Of what kind it is.
    pub kind: CredentialKind,
    /// What it is.
    pub value: String,
    /// Whether the device made its address up, as telephones do for each network; only devices have this.
    pub made_up: Option<bool>,
    /// Since when it was the customer's.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until when; it still is when this is empty.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl From<Span> for CredentialView {
    fn from(span: Span) -> Self {
        Self {
            customer: span.customer,
            login: span.login,
            kind: span.kind,
            made_up: (span.kind == CredentialKind::Mac).then(|| rules::is_made_up(&span.value)),
            value: span.value,
            since: span.since,
            until: span.until,
        }
    }
}

/// By what a customer is and was recognised.
#[derive(Debug, Serialize, ToSchema)]
pub struct Credentials {
    /// What holds now, or held until the customer left.
    pub current: Vec<CredentialView>,
    /// What they had before, newest first.
    pub items: Vec<CredentialView>,
    /// Give it as `cursor` to get the page behind this one; empty at the end.
    pub next: Option<String>,
}

/// Whose something was, to be asked by exactly one kind.
#[derive(Debug, Default)]
pub struct Wanted {
    /// A login.
    pub login: Option<String>,
    /// A device.
    pub mac: Option<String>,
    /// A telephone.
    pub phone: Option<String>,
    /// At which time; ever, when left out.
    pub at: Option<Timestamp>,
}

/// What a customer is recognised by as they stand.
pub(super) fn held(customer: &Customer) -> Vec<Past> {
    let login = Some((CredentialKind::Login, customer.login.clone(), customer.since.login));
    let mac = customer.mac.clone().zip(customer.since.mac).map(|(mac, since)| (CredentialKind::Mac, mac, since));
    let phone = customer.since.phone.map(|since| (CredentialKind::Phone, customer.phone.clone(), since));
    [login, mac, phone].into_iter().flatten().map(|(kind, value, since)| Past { kind, value, since }).collect()
}

/// Sets since when the customer has what is new about them, and returns what they had instead.
pub(super) fn replaced(before: &Customer, after: &mut Customer, now: Timestamp) -> Vec<Past> {
    if after.login != before.login {
        after.since.login = now;
    }
    if after.mac != before.mac {
        after.since.mac = after.mac.as_ref().map(|_| now);
    }
    if after.phone != before.phone {
        after.since.phone = Some(now).filter(|_| !after.phone.is_empty());
    }
    let kept = held(after);
    held(before).into_iter().filter(|past| !kept.contains(past)).collect()
}

/// Lists by what a customer is and was recognised.
///
/// # Errors
/// When the role may not, or there is no such customer.
pub async fn credentials(app: &App, scope: &TenantScope, id: CustomerId, page: &Page) -> Result<Credentials, CustomerError> {
    let mut tx = scope.read(app, Permission::CustomersRead).await?;
    let customer = store::get(&mut tx, id, app.clock.now()).await?.ok_or(CustomerError::NotFound)?.customer;
    let past = page.list(store::past_of(&mut tx, id, page).await?);
    let current = held(&customer).into_iter().map(|held| {
        let until = customer.terminated_at;
        Span {
            id: None,
            customer: id,
            login: customer.login.clone(),
            kind: held.kind,
            value: held.value,
            since: held.since,
            until,
        }
    });
    let List { items, next } = past;
    Ok(Credentials {
        current: current.map(CredentialView::from).collect(),
        items: items.into_iter().map(CredentialView::from).collect(),
        next,
    })
}

/// Says whose a login, device or telephone is and was: at a time, or ever; at most 200, the newest first.
///
/// # Errors
/// When the role may not, or not exactly one thing is asked for, in a form that it can have.
pub async fn whose(app: &App, scope: &TenantScope, wanted: Wanted) -> Result<Vec<CredentialView>, CustomerError> {
    let mut tx = scope.read(app, Permission::CustomersRead).await?;
    let (kind, value) = match (wanted.login, wanted.mac, wanted.phone) {
        (Some(login), None, None) => (CredentialKind::Login, login),
        (None, Some(mac), None) => (CredentialKind::Mac, rules::mac(&mac)?),
        (None, None, Some(phone)) => (CredentialKind::Phone, phone_of(&mut tx, &phone).await?),
        _ => return Err(CustomerError::Field { field: "mac", message: "ask for one of login, mac and phone" }),
    };
    let spans = store::whose(&mut tx, kind, &value, wanted.at, HOLDERS_MAX).await?;
    Ok(spans.into_iter().map(CredentialView::from).collect())
}

/// Reads a phone number as the transaction's tenant writes it; returns its digits with the country in front.
///
/// # Errors
/// When it is none, or the database does not answer.
pub async fn phone_of(tx: &mut TenantTx, text: &str) -> Result<String, CustomerError> {
    let country = tenants::country(tx).await?;
    Ok(phones::normalised(text, country)?)
}

/// Writes down what a customer is recognised by no more.
pub(super) async fn remember(
    app: &App,
    tx: &mut TenantTx,
    customer: &Customer,
    past: &[Past],
    until: Timestamp,
) -> Result<(), DbError> {
    if past.is_empty() { Ok(()) } else { store::insert_past(tx, customer, past, until, &*app.entropy).await }
}
