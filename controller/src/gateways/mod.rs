//! Ways by which money and messages travel: each with its provider's keys, sealed, and with a place in the order in which they are tried.

mod credentials;
mod reports;
mod routes;
mod rules;
mod store;

pub use credentials::{HttpTexts, Provider};
pub use routes::routes;
pub use store::GatewayView;

use crate::app::App;
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::routers;
use crate::secrets::{Place, VaultError};
use db::{DbError, TenantTx};
use model::{GatewayId, RouterId, Secret};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Gateways that a tenant may have.
pub const GATEWAYS_MAX: i64 = 100;

/// Why an operation on gateways was refused.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: String },
    /// There is no such gateway.
    #[error("there is no such gateway")]
    NotFound,
    /// There is no such router.
    #[error("there is no such router")]
    NoRouter,
    /// The name is in use.
    #[error("a gateway with this name exists")]
    NameTaken,
    /// There is a default for this already.
    #[error("another gateway is the default for this kind and purpose: take that from it first")]
    DefaultTaken,
    /// Too many.
    #[error("a tenant may have {GATEWAYS_MAX} gateways: remove one first")]
    TooMany,
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The keys could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            /// The name as stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn from_stored(name: &str) -> Option<Self> {
                [$(Self::$variant),*].into_iter().find(|one| one.as_str() == name)
            }
        }
    };
}

words! {
    /// What travels through a gateway.
    Kind {
        /// Money from customers.
        Money = "money",
        /// Text messages.
        Sms = "sms",
        /// WhatsApp messages.
        Whatsapp = "whatsapp",
        /// E-mail.
        Email = "email",
    }
}

words! {
    /// Whose matters travel through a gateway.
    Purpose {
        /// Guests of hotspots.
        Hotspot = "hotspot",
        /// Customers who dial in.
        Pppoe = "pppoe",
        /// Everybody.
        All = "all",
    }
}

words! {
    /// Whether what happens is real.
    Environment {
        /// A provider's playground: its money is none.
        Sandbox = "sandbox",
        /// The real thing.
        Production = "production",
    }
}

/// A gateway to be set up.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGateway {
    /// Its name for people, 1 to 100 characters, unique in the tenant.
    pub name: String,
    /// Who runs it; this says what kind of gateway it is, and which credentials it needs.
    pub provider: Provider,
    /// Whose matters travel through it.
    pub purpose: Purpose,
    /// Only for customers of this router.
    pub router: Option<RouterId>,
    /// Whether it comes before others of its kind and purpose.
    #[serde(default)]
    pub default: bool,
    /// Its place among those that fit equally well, 0 to 1000; the lowest is tried first.
    #[serde(default)]
    pub position: u16,
    /// Whether what happens is real.
    pub environment: Environment,
    /// The provider's keys, by name; never shown again.
    #[schema(value_type = BTreeMap<String, String>)]
    pub credentials: BTreeMap<String, Secret<String>>,
}

/// What of a gateway is to change; what is left out stays. Its provider and environment stay: make another gateway.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayChange {
    /// Its name for people.
    pub name: Option<String>,
    /// Whose matters travel through it.
    pub purpose: Option<Purpose>,
    /// Only for customers of this router; null for all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RouterId>)]
    pub router: Option<Option<RouterId>>,
    /// Whether it comes before others of its kind and purpose.
    pub default: Option<bool>,
    /// Its place among those that fit equally well, 0 to 1000.
    pub position: Option<u16>,
    /// Whether it is used at all.
    pub enabled: Option<bool>,
}

/// Tells a null from a field that was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// New keys for a gateway.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// The provider's keys, by name, all of them; never shown again.
    #[schema(value_type = BTreeMap<String, String>)]
    pub credentials: BTreeMap<String, Secret<String>>,
}

fn place(id: GatewayId) -> Place {
    Place { table: "gateway", column: "credentials", row: id.uuid() }
}

fn field((field, message): (&'static str, &'static str)) -> GatewayError {
    GatewayError::Field { field, message: message.to_owned() }
}

/// Sets a gateway up.
///
/// # Errors
/// When the role may not, a field is wrong, the name is in use, the router is not there, or there are too many.
pub async fn add(app: &App, scope: &TenantScope, new: NewGateway) -> Result<GatewayId, GatewayError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::GatewaysWrite).await?;
    if let Some(fault) = rules::fault(&new.name, new.position) {
        return Err(field(fault));
    }
    let checked = credentials::check(new.provider, &new.credentials, app.config.private_gateways)
        .map_err(|message| GatewayError::Field { field: "credentials", message })?;
    if store::count(&mut tx).await? >= GATEWAYS_MAX {
        return Err(GatewayError::TooMany);
    }
    expect_router(&mut tx, new.router).await?;
    let id = GatewayId::generate(now, &*app.entropy);
    let sealed = app.vault.seal(&mut tx, place(id), checked.text.expose().as_bytes()).await?;
    store::insert(&mut tx, id, &new, &sealed, &checked.fields, now).await?;
    let details = json!({
        "name": new.name, "provider": new.provider, "purpose": new.purpose, "environment": new.environment, "router": new.router,
        "fields": checked.fields
    });
    tx.audit(now, "gateway.add", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

async fn expect_router(tx: &mut TenantTx, router: Option<RouterId>) -> Result<(), GatewayError> {
    match router {
        Some(router) if !routers::stands(tx, router).await? => Err(GatewayError::NoRouter),
        Some(_) | None => Ok(()),
    }
}

/// Changes where a gateway stands in the order, its name, or whether it is used.
///
/// # Errors
/// When the role may not, a field is wrong, there is no such gateway, or the name is in use.
pub async fn change(app: &App, scope: &TenantScope, id: GatewayId, change: GatewayChange) -> Result<(), GatewayError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::GatewaysWrite).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(GatewayError::NotFound)?;
    let after = rules::changed(&before, &change);
    if let Some(fault) = rules::fault(&after.name, u16::try_from(after.position).unwrap_or(u16::MAX)) {
        return Err(field(fault));
    }
    if after.router != before.router {
        expect_router(&mut tx, after.router).await?;
    }
    store::update(&mut tx, &after, now).await?;
    tx.audit_change(now, "gateway.change", &id.to_string(), &before, &after).await?;
    Ok(tx.commit().await?)
}

/// Gives a gateway new keys; what is done from then on is done with them.
///
/// # Errors
/// When the role may not, a key is wrong or missing, or there is no such gateway.
pub async fn set_credentials(app: &App, scope: &TenantScope, id: GatewayId, new: NewCredentials) -> Result<(), GatewayError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::GatewaysWrite).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(GatewayError::NotFound)?;
    let checked = credentials::check(before.provider, &new.credentials, app.config.private_gateways)
        .map_err(|message| GatewayError::Field { field: "credentials", message })?;
    let sealed = app.vault.seal(&mut tx, place(id), checked.text.expose().as_bytes()).await?;
    store::set_credentials(&mut tx, id, &sealed, &checked.fields, now).await?;
    tx.audit(now, "gateway.credentials", &id.to_string(), json!({ "fields": checked.fields })).await?;
    Ok(tx.commit().await?)
}

/// Takes a gateway out of use for good; its history stays and its keys are forgotten.
///
/// # Errors
/// When the role may not, or there is no such gateway.
pub async fn remove(app: &App, scope: &TenantScope, id: GatewayId) -> Result<(), GatewayError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::GatewaysWrite).await?;
    let before = store::lock(&mut tx, id).await?.ok_or(GatewayError::NotFound)?;
    store::remove(&mut tx, id, now).await?;
    tx.audit(now, "gateway.remove", &id.to_string(), json!({ "name": before.name })).await?;
    Ok(tx.commit().await?)
}

/// Opens a gateway's keys for whoever is about to use it, with their version, by which what was fetched with older ones is known to be old.
///
/// # Errors
/// When there is no such gateway, or its keys cannot be opened.
pub async fn credentials(app: &App, tx: &mut TenantTx, id: GatewayId) -> Result<(Secret<String>, i64), GatewayError> {
    let (sealed, version) = store::sealed(tx, id).await?.ok_or(GatewayError::NotFound)?;
    Ok((app.vault.open_text(tx, place(id), &sealed).await?, version))
}

/// Opens how a gateway takes messages by one POST.
///
/// # Errors
/// When there is no such gateway, it takes none so, or its keys cannot be opened.
pub async fn http_texts(app: &App, tx: &mut TenantTx, id: GatewayId) -> Result<HttpTexts, GatewayError> {
    let (text, _) = credentials(app, tx, id).await?;
    HttpTexts::from_sealed(&text).ok_or(GatewayError::NotFound)
}

/// Reads a gateway, a removed one too: money that was on its way when it went still counts.
///
/// # Errors
/// When there is no such gateway.
pub async fn get(tx: &mut TenantTx, id: GatewayId) -> Result<GatewayView, GatewayError> {
    store::get(tx, id).await?.ok_or(GatewayError::NotFound)
}

/// Lists the gateways of a kind in the order in which they are tried for a purpose, on a router.
///
/// # Errors
/// When there is no such router.
pub async fn in_order(
    tx: &mut TenantTx,
    kind: Kind,
    purpose: Purpose,
    router: Option<RouterId>,
) -> Result<Vec<GatewayView>, GatewayError> {
    expect_router(tx, router).await?;
    Ok(rules::in_order(store::live(tx).await?, kind, purpose, router))
}
