//! The end of a tenant: every row, key and login of it is removed, and a certificate says what was there.
//!
//! The data key goes first, so that what is sealed can be read by nobody from that moment on. Rows go in small transactions, each of which
//! writes into the certificate what it removed: a purge that is broken off anywhere goes on where it stood, and counts every row once.

use super::rules::{self, NotYet, circles};
use super::store::purge as store;
use super::{TenantError, store as tenants};
use crate::app::App;
use crate::{backups, tunnels};
use db::PlatformActor;
use jiff::Timestamp;
use model::{CertificateId, Standing, TenantId};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Rows that go with one statement.
const BATCH: i32 = 2_000;
/// Statements of one transaction.
const STATEMENTS: usize = 10;
/// How long the request that begins a purge works on it before it answers; what is left, the sweep does.
const AT_ONCE: Duration = Duration::from_secs(20);

/// What of a table went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[schema(as = PurgedRows)]
pub struct Removed {
    /// How many rows.
    pub rows: i64,
    /// SHA-256 over what they held, batch after batch, in hexadecimal digits.
    pub sha256: String,
}

/// What a purge removed, and what proves it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Certificate {
    /// The certificate.
    pub id: CertificateId,
    /// The tenant that is no more.
    pub tenant: TenantId,
    /// What it was called.
    pub name: String,
    /// Who asked for the purge.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// When nothing was left; empty while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What went, table by table.
    pub tables: BTreeMap<String, Removed>,
    /// People who served this tenant and nobody else.
    pub people_removed: i64,
    /// Blocks of tunnel addresses that rest for 30 days.
    pub blocks_retired: i64,
    /// Backup files.
    pub backups_removed: i64,
    /// SHA-256 over all of the above, in hexadecimal digits, when it is finished.
    pub sha256: Option<String>,
    /// Whether that hash is still right.
    pub intact: bool,
}

impl Certificate {
    /// The hash over everything but itself: the fields by name, as JSON.
    pub(super) fn hash(&self) -> [u8; 32] {
        let content = serde_json::json!({
            "id": self.id, "tenant": self.tenant, "name": self.name, "requested_by": self.requested_by, "reason": self.reason,
            "requested_at": self.requested_at, "finished_at": self.finished_at, "tables": self.tables,
            "people_removed": self.people_removed, "blocks_retired": self.blocks_retired, "backups_removed": self.backups_removed,
        });
        Sha256::digest(content.to_string()).into()
    }
}

/// What the platform's operator confirms.
#[derive(Debug)]
pub(super) struct Wish {
    /// The tenant's name once more.
    pub name: String,
    pub reason: String,
    /// Leaves the 30 days of rest out.
    pub immediately: bool,
}

/// Begins a purge, and works on it for a while. From the first moment nobody can log in, nothing sealed can be opened, and no router reaches
/// the hub.
///
/// # Errors
/// When there is no such tenant, it is not suspended or has not rested long enough, or the name is another.
pub(super) async fn begin(app: &App, actor: &PlatformActor, id: TenantId, wish: Wish) -> Result<Certificate, TenantError> {
    let reason = super::expect_reason(&wish.reason)?;
    let now = app.clock.now();
    let mut tx = app.db.platform(actor, &format!("{id} is purged: {reason}"), now).await?;
    let tenant =
        tenants::lock(&mut tx, id).await?.filter(|tenant| tenant.status != Standing::Purged).ok_or(TenantError::NotFound)?;
    rules::may_purge(tenant.status, tenant.status_since, now, wish.immediately).map_err(|why| match why {
        NotYet::Standing => TenantError::Standing { from: tenant.status, to: Standing::Purging },
        NotYet::Until(until) => TenantError::NotYet(format!(
            "a suspended ISP rests 30 days before it is purged, this one until {until}; to purge it now all the same, say so and why"
        )),
    })?;
    if wish.name != tenant.name {
        return Err(TenantError::Field { field: "name", message: "repeat the ISP's name exactly as it stands in the list" });
    }
    if store::has_shadow(&mut tx, id).await? {
        return Err(TenantError::NotYet("a shadow of this ISP holds a copy of its data: purge the shadow first".to_owned()));
    }
    let from = rules::sources(Standing::Purging);
    if !tenants::change_standing(&mut tx, id, &from, Standing::Purging, reason, tenant.service_ends_at, now).await? {
        return Err(TenantError::Standing { from: tenant.status, to: Standing::Purging });
    }
    let certificate = CertificateId::generate(now, &*app.entropy);
    store::begin(&mut tx, certificate, &tenant, actor.label().as_str(), reason, now).await?;
    store::count_backups(&mut tx, id, count_files(app, id)?).await?;
    // First of all what opens everything else: keys and logins.
    for table in FIRST {
        store::remove(&mut tx, id, &[(*table).to_owned()], i32::MAX).await?;
    }
    store::retire_blocks(&mut tx, id, now + tunnels::QUARANTINE).await?;
    tx.commit().await?;
    tracing::warn!(tenant.id = %id, "the purge of a tenant has begun");
    let until = Instant::now() + AT_ONCE;
    cut_off(app, id).await?;
    while Instant::now() < until {
        if purge_on(app, id).await? {
            break;
        }
    }
    show(app, actor, id).await
}

/// Tables whose rows go in the transaction that begins a purge.
const FIRST: &[&str] = &["data_key", "login_session", "api_token"];

/// Takes away what lies outside of the database: the opened keys, the routers' places on the hub, the backup files.
async fn cut_off(app: &App, id: TenantId) -> Result<(), TenantError> {
    app.vault.forget(id);
    app.rates.forget(id);
    let held = app.db.locator().on_hub(id).await?;
    for address in held.peers {
        app.tunnels.remove(address).await?;
    }
    for enrolment in held.enrolments {
        app.tunnels.forget(enrolment).await?;
    }
    backups::delete_files(&app.config.data, id)?;
    Ok(())
}

/// Counts the backup files of a tenant in this controller's data folder.
fn count_files(app: &App, id: TenantId) -> Result<i64, TenantError> {
    match std::fs::read_dir(backups::folder(&app.config.data, id)) {
        Ok(files) => Ok(i64::try_from(files.count()).unwrap_or(i64::MAX)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Does one transaction's worth of a purge that has begun; says whether it is finished.
///
/// # Errors
/// When the database does not answer.
pub async fn purge_on(app: &App, id: TenantId) -> Result<bool, TenantError> {
    let now = app.clock.now();
    let mut tx = app.db.platform(&PlatformActor::system("purge"), &format!("the purge of {id} goes on"), now).await?;
    // Two controllers, or a request and the sweep, take turns here.
    let Some(certificate) = store::lock(&mut tx, id).await? else { return Err(TenantError::NoCertificate) };
    if certificate.finished_at.is_some() {
        return Ok(true);
    }
    let tables = store::tables_of_tenants(&mut tx).await?;
    let groups = circles::order(&tables, &store::references(&mut tx).await?);
    let mut statements = 0;
    for group in &groups {
        while store::has_rows(&mut tx, id, group).await? {
            if statements == STATEMENTS {
                tx.commit().await?;
                return Ok(false);
            }
            store::remove(&mut tx, id, group, BATCH).await?;
            statements += 1;
        }
    }
    store::remove_people(&mut tx, id).await?;
    let mut finished = store::lock(&mut tx, id).await?.ok_or(TenantError::NoCertificate)?;
    finished.finished_at = Some(now);
    store::finish(&mut tx, &finished, now).await?;
    tx.commit().await?;
    tracing::warn!(tenant.id = %id, "a tenant is purged");
    Ok(true)
}

/// Goes on with every purge that is not finished, for a while.
///
/// # Errors
/// When the database does not answer.
pub async fn resume_purges(app: &App) -> Result<(), TenantError> {
    for tenant in app.db.locator().tenants_standing(&[Standing::Purging]).await? {
        cut_off(app, tenant.id).await?;
        let until = Instant::now() + AT_ONCE;
        while Instant::now() < until && !purge_on(app, tenant.id).await? {}
    }
    Ok(())
}

/// Shows a tenant's certificate.
///
/// # Errors
/// When it was not purged.
pub(super) async fn show(app: &App, actor: &PlatformActor, id: TenantId) -> Result<Certificate, TenantError> {
    let mut tx = app.db.platform(actor, &format!("the purge certificate of {id} was read"), app.clock.now()).await?;
    let certificate = store::find(&mut tx, id).await?.ok_or(TenantError::NoCertificate)?;
    tx.commit().await?;
    Ok(certificate)
}

/// Lists the certificates, newest first.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn list(
    app: &App,
    actor: &PlatformActor,
    page: &crate::http::Page,
) -> Result<crate::http::List<Certificate>, TenantError> {
    let mut tx = app.db.platform(actor, "the purge certificates were listed", app.clock.now()).await?;
    let items = store::list(&mut tx, page).await?;
    tx.commit().await?;
    Ok(page.list(items))
}
