//! Joining: one router, one text to paste, one use.
//!
//! An enrolment is `pending` until the hub has seen a router prove that it holds the block's pre-shared key, `bound` to that router's key
//! from then on, and `completed` when the controller has logged in through the lasting peer, replaced the password and taken the
//! enrolment peer away. Its secrets are erased when it ends. `docs/enrolment.md` names what can go wrong and the test for each.
//!
//! **Invariant:** every step may be done again: after a crash, by a second event, by a block that is pasted twice.

mod complete;
mod routes;
mod rules;
mod store;

pub use complete::complete;
pub use routes::routes;
pub use rules::{API_USER, INTERFACE, LINE_HEADER};
pub use store::{EnrolmentState, EnrolmentView};

use crate::app::App;
use crate::operators::tokens::{self, TokenKind};
use crate::provisioning::OpenError;
use crate::secrets::{Place, VaultError};
use crate::tunnels::{self, TunnelError};
use db::{DbError, TenantDoor, TenantTx};
use jiff::Timestamp;
use model::{EnrolmentId, RouterId, Secret, Tag, WgPublicKey};
use routeros::client::CallError;
use rules::{Block, BlockTags, OPEN_PER_HUB, OPEN_PER_TENANT, Unfit};
use std::net::SocketAddr;
use tunnel::Pending;

/// Why joining did not go on.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The tenant has as many open enrolments as it may.
    #[error("{OPEN_PER_TENANT} routers are waiting to join already; finish or remove one first")]
    TenantLimit,
    /// The hub has as many open enrolments as it may.
    #[error("the hub has {OPEN_PER_HUB} routers waiting to join, which is all it takes; try again later")]
    HubLimit,
    /// The line's token is unknown, used up or expired.
    #[error("this line was used, has expired or was never made: paste the block, or ask for new texts")]
    Line,
    /// A setting cannot be written into a script.
    #[error("the block cannot be written")]
    Unfit(#[from] Unfit),
    /// The router cannot be logged in to.
    #[error("the router cannot be logged in to")]
    Open(#[from] OpenError),
    /// The router did not do what was asked.
    #[error("{step} failed on the router")]
    Call {
        step: &'static str,
        #[source]
        source: CallError,
    },
    /// What the block sets up is not there.
    #[error("{0} is missing on the router: paste its block again")]
    Missing(&'static str),
    /// Another box than the one that is known under this name.
    #[error(
        "the serial number is {found}, and this router is known as {known}: for new hardware, remove the router and add it anew"
    )]
    OtherSerial { known: String, found: String },
    /// Another router of the tenant has the serial number.
    #[error("another router of yours has the serial number {0} already: remove it first")]
    SerialTaken(String),
    /// The tunnel does not work.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// A secret does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a person pastes into a router; either text is enough.
#[derive(Debug)]
pub struct Texts {
    /// The enrolment.
    pub id: EnrolmentId,
    /// The whole script.
    pub block: Secret<String>,
    /// A line that fetches it; none where that would send its token unprotected.
    pub line: Option<Secret<String>>,
    /// Until when they can be used.
    pub expires_at: Timestamp,
}

const fn place(column: &'static str, id: EnrolmentId) -> Place {
    Place { table: "enrolment", column, row: id.uuid() }
}

/// Makes an enrolment for a router that has an address, in place of one that is open, and lets its router knock. The texts are good once
/// the transaction is committed; if it is not, the caller takes the enrolment off the hub again (`Tunnels::forget`).
///
/// # Errors
/// When a limit is reached or the database does not answer.
pub async fn create(app: &App, tx: &mut TenantTx, router: RouterId) -> Result<Texts, EnrolmentError> {
    let now = app.clock.now();
    cancel(app, tx, router, now).await?;
    if store::count_open(tx).await? >= OPEN_PER_TENANT {
        return Err(EnrolmentError::TenantLimit);
    }
    if app.db.locator().pending_enrolments().await? >= OPEN_PER_HUB {
        return Err(EnrolmentError::HubLimit);
    }
    let id = EnrolmentId::generate(now, &*app.entropy);
    let draw = || {
        let mut bytes = [0; 32];
        app.entropy.fill(&mut bytes);
        Secret::new(bytes)
    };
    let (hub_key, one_time, lasting) = (draw(), draw(), draw());
    let password = complete::new_password(app);
    let token = tokens::generate(TokenKind::Line, &*app.entropy);
    let line = rules::line(&app.config.public_url, &token.text);
    let expires_at = now + rules::LIFE;
    let row = store::NewRow {
        id,
        router,
        hub_public_key: tunnels::public_key(&hub_key),
        hub_private_key: app.vault.seal(tx, place("hub_private_key", id), hub_key.expose()).await?,
        preshared_key: app.vault.seal(tx, place("preshared_key", id), one_time.expose()).await?,
        lasting_preshared_key: app.vault.seal(tx, place("lasting_preshared_key", id), lasting.expose()).await?,
        api_password: app.vault.seal(tx, place("api_password", id), password.expose().as_bytes()).await?,
        line_token_hash: line.is_some().then_some(token.hash),
        created_at: now,
        expires_at,
    };
    store::insert(tx, row).await?;
    let block = block(app, tx, id).await?;
    app.tunnels.admit(Pending { id: id.uuid().into_bytes(), hub_private_key: hub_key, preshared_key: one_time }).await?;
    Ok(Texts { id, block, line, expires_at })
}

/// Ends a router's open enrolment, if there is one. What it had bound stays until the next one is bound.
///
/// # Errors
/// When the database does not answer.
pub async fn cancel(app: &App, tx: &mut TenantTx, router: RouterId, now: Timestamp) -> Result<(), EnrolmentError> {
    if let Some(open) = store::open_of(tx, router).await? {
        store::end(tx, open, "cancelled", now).await?;
        app.tunnels.forget(open).await?;
    }
    Ok(())
}

/// Writes the block of an open enrolment.
async fn block(app: &App, tx: &mut TenantTx, id: EnrolmentId) -> Result<Secret<String>, EnrolmentError> {
    let row = store::open(tx, id).await?.ok_or(EnrolmentError::Line)?;
    let address = tunnels::address(tx, row.router_id).await?.ok_or(TunnelError::NoPeer)?;
    let tags = block_tags(app, tx, row.router_id, id).await?;
    let block = Block {
        id,
        expires_at: row.expires_at.to_jiff(),
        endpoint_host: app.config.endpoint_host.clone(),
        endpoint_port: app.config.endpoint_port,
        supernet: app.config.supernet,
        address,
        hub_key: app.tunnels.public_key(),
        enrolment_key: WgPublicKey::from_bytes(
            row.hub_public_key.as_slice().try_into().expect("the column's CHECK lets only 32 bytes in"),
        ),
        enrolment_psk: open_key(app, tx, place("preshared_key", id), &row.preshared_key).await?,
        lasting_psk: open_key(app, tx, place("lasting_preshared_key", id), &row.lasting_preshared_key).await?,
        password: app.vault.open_text(tx, place("api_password", id), &row.api_password).await?,
        tags,
    };
    Ok(block.render()?)
}

/// What stays on the router has one tag for good; what carries an enrolment's secrets has a tag of that enrolment, by which the block
/// knows whether it has been there.
async fn block_tags(app: &App, tx: &mut TenantTx, router: RouterId, id: EnrolmentId) -> Result<BlockTags, EnrolmentError> {
    let mut tags = Vec::new();
    for object in complete::LASTING {
        tags.push(store::tag(tx, router, object, &*app.entropy).await?);
    }
    for object in [complete::PEER, complete::ENROLMENT_PEER, complete::ACCOUNT] {
        tags.push(store::tag(tx, router, &format!("{object}:{id}"), &*app.entropy).await?);
    }
    let tags: [Tag; 10] = tags.try_into().expect("seven and three");
    let [interface, address, input, group, ntp, servers, api, peer, enrolment, user] = tags;
    Ok(BlockTags { interface, address, input, group, ntp, servers, api, peer, enrolment, user })
}

async fn open_key(app: &App, tx: &mut TenantTx, place: Place, sealed: &[u8]) -> Result<Secret<[u8; 32]>, VaultError> {
    let opened = app.vault.open(tx, place, sealed).await?;
    let key = opened.expose().as_slice().try_into();
    key.map(Secret::new).map_err(|_| VaultError::DoesNotOpen { table: place.table, column: place.column })
}

/// Hands out the block to the holder of a line's token, once.
///
/// # Errors
/// When the token is unknown, used up or expired.
pub async fn fetch_block(app: &App, token: &str) -> Result<Secret<String>, EnrolmentError> {
    let Some((TokenKind::Line, hash)) = tokens::recognise(token) else { return Err(EnrolmentError::Line) };
    let (door, id) = app.db.locator().enrolment_line(&hash).await?.ok_or(EnrolmentError::Line)?;
    let now = app.clock.now();
    let mut tx = app.db.tenant(&door).await?;
    if !store::use_line(&mut tx, id, &hash, now).await? {
        return Err(EnrolmentError::Line);
    }
    let block = block(app, &mut tx, id).await?;
    tx.audit(now, "enrolment.fetch", &id.to_string(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(block)
}

/// How a proof was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The router's key is the enrolment's from now on, or was already.
    Yes(RouterId),
    /// Another router's was, or the enrolment is over.
    No,
}

/// Takes the hub's word that a router has proven to hold an enrolment's block: the first key is bound, by one compare-and-set, and gets
/// the lasting peer; then the hub calls the router.
///
/// # Errors
/// When the key is another router's, or the database does not answer. Nothing is bound then, and the router may prove itself again.
pub async fn proven(app: &App, id: EnrolmentId, public_key: WgPublicKey, endpoint: SocketAddr) -> Result<Bound, EnrolmentError> {
    let Some(door) = app.db.locator().enrolment(id).await? else {
        app.tunnels.forget(id).await?;
        return Ok(Bound::No);
    };
    let bound = bind(app, &door, id, public_key, endpoint).await;
    match &bound {
        Ok(Bound::Yes(router)) => app.tunnels.install(app, &door, *router).await?,
        Ok(Bound::No) => {}
        Err(error) => {
            note(app, &door, id, &error.to_string()).await?;
            // The hub has told of this key and would not again: it starts anew with this enrolment.
            readmit(app, &door, id).await?;
        }
    }
    bound
}

async fn bind(
    app: &App,
    door: &TenantDoor,
    id: EnrolmentId,
    public_key: WgPublicKey,
    endpoint: SocketAddr,
) -> Result<Bound, EnrolmentError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    let Some(router) = store::bind(&mut tx, id, &public_key, &endpoint.to_string(), now).await? else {
        let standing = store::standing(&mut tx, id).await?;
        let same = standing.as_ref().is_some_and(|standing| standing.router_public_key == Some(public_key));
        return Ok(match standing {
            Some(standing) if same && standing.state == EnrolmentState::Bound => Bound::Yes(standing.router),
            // A completed one needs nothing more, and the others are over.
            Some(_) | None if same => Bound::No,
            Some(_) | None => {
                store::note(&mut tx, id, &second_router(&public_key, endpoint), now).await?;
                tx.commit().await?;
                Bound::No
            }
        });
    };
    let row = store::open(&mut tx, id).await?.ok_or(EnrolmentError::Line)?;
    let lasting = open_key(app, &mut tx, place("lasting_preshared_key", id), &row.lasting_preshared_key).await?;
    let password = app.vault.open_text(&mut tx, place("api_password", id), &row.api_password).await?;
    let sealed = app.vault.seal(&mut tx, complete::password_place(router), password.expose().as_bytes()).await?;
    store::set_account(&mut tx, router, rules::API_USER, &sealed).await?;
    let before = tunnels::unbind_peer(&mut tx, router).await?;
    let address = tunnels::bind_peer(app, &mut tx, router, public_key, lasting.expose(), endpoint).await?;
    store::note(&mut tx, id, &format!("A router came from {endpoint} and proved that it holds the block."), now).await?;
    tx.audit(now, "enrolment.bind", &router.to_string(), serde_json::json!({ "key": public_key, "endpoint": endpoint })).await?;
    tx.commit().await?;
    if before.is_some() {
        // Even with the same key: its session was made with the earlier pre-shared key, and that it is up again has to be news.
        app.tunnels.remove(address).await?;
    }
    Ok(Bound::Yes(router))
}

fn second_router(key: &WgPublicKey, endpoint: SocketAddr) -> String {
    format!("A second router (key {key}, from {endpoint}) used this block and was refused: each router needs a block of its own.")
}

/// Writes down in plain words what the hub saw besides a proof, for the person who waits.
///
/// # Errors
/// When the database does not answer.
pub async fn attempted(app: &App, id: EnrolmentId, what: &str) -> Result<(), EnrolmentError> {
    match app.db.locator().enrolment(id).await? {
        Some(door) => note(app, &door, id, what).await,
        None => Ok(()),
    }
}

async fn note(app: &App, door: &TenantDoor, id: EnrolmentId, text: &str) -> Result<(), EnrolmentError> {
    let mut tx = app.db.tenant(door).await?;
    store::note(&mut tx, id, text, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

async fn readmit(app: &App, door: &TenantDoor, id: EnrolmentId) -> Result<(), EnrolmentError> {
    app.tunnels.forget(id).await?;
    let mut tx = app.db.tenant(door).await?;
    let Some(row) = store::open(&mut tx, id).await? else { return Ok(()) };
    let pending = pending(app, &mut tx, &row).await?;
    drop(tx);
    Ok(app.tunnels.admit(pending).await?)
}

async fn pending(app: &App, tx: &mut TenantTx, row: &store::OpenRow) -> Result<Pending, VaultError> {
    Ok(Pending {
        id: row.id.uuid().into_bytes(),
        hub_private_key: open_key(app, tx, place("hub_private_key", row.id), &row.hub_private_key).await?,
        preshared_key: open_key(app, tx, place("preshared_key", row.id), &row.preshared_key).await?,
    })
}

/// Lets the routers of all open enrolments knock, after a start. Their lasting peers are installed with everybody else's.
///
/// # Errors
/// When the database does not answer. An enrolment whose secrets do not open is logged and passed over.
pub async fn resume(app: &App) -> Result<usize, EnrolmentError> {
    let mut resumed = 0;
    for door in app.db.locator().tenants("enrolment").await? {
        let mut tx = app.db.tenant(&door).await?;
        for row in store::all_open(&mut tx).await? {
            let admitted = match pending(app, &mut tx, &row).await {
                Ok(pending) => app.tunnels.admit(pending).await,
                Err(error) => Err(error.into()),
            };
            match admitted {
                Ok(()) => resumed += 1,
                Err(error) => {
                    tracing::error!(enrolment.id = %row.id, error = %telemetry::chain(&error), "an enrolment cannot go on")
                }
            }
        }
    }
    Ok(resumed)
}

/// Goes on with every router that is bound and not finished, for a timer: one whose API was closed opens without a new handshake.
///
/// # Errors
/// When the database does not answer. What fails for a router is written down for its operator.
pub async fn finish_bound(app: &App) -> Result<usize, EnrolmentError> {
    let mut finished = 0;
    for door in app.db.locator().tenants("enrolment").await? {
        let mut tx = app.db.tenant(&door).await?;
        let routers = store::all_bound(&mut tx).await?;
        drop(tx);
        for router in routers {
            if let Ok(true) = complete(app, &door, router).await {
                finished += 1;
            }
        }
    }
    Ok(finished)
}

/// Ends every enrolment whose time is up: its secrets are erased and it is taken off the hub. A router that never finished joining loses
/// what it was given; an address that nobody used is free again at once.
///
/// # Errors
/// When the database does not answer.
pub async fn expire(app: &App) -> Result<usize, EnrolmentError> {
    let now = app.clock.now();
    let mut expired = 0;
    for door in app.db.locator().tenants("enrolment").await? {
        let mut tx = app.db.tenant(&door).await?;
        let due = store::due(&mut tx, now).await?;
        drop(tx);
        for (id, router) in due {
            let mut tx = app.db.tenant(&door).await?;
            if !store::end(&mut tx, id, "expired", now).await? {
                continue;
            }
            let mut gone = None;
            if store::never_joined(&mut tx, router).await? {
                gone = tunnels::unbind_peer(&mut tx, router).await?;
                tunnels::release_address(app, &mut tx, router, gone.is_some()).await?;
            }
            tx.audit(now, "enrolment.expire", &router.to_string(), serde_json::json!({ "enrolment": id })).await?;
            tx.commit().await?;
            app.tunnels.forget(id).await?;
            if let Some((_, address)) = gone {
                app.tunnels.remove(address).await?;
            }
            expired += 1;
        }
    }
    Ok(expired)
}

/// Returns the latest enrolment of each of some routers.
///
/// # Errors
/// When the database does not answer.
pub async fn latest(tx: &mut TenantTx, routers: &[RouterId]) -> Result<Vec<(RouterId, EnrolmentView)>, DbError> {
    store::latest(tx, routers).await
}
