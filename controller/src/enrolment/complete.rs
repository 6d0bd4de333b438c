//! What the controller does on a router that has proven itself, so that only the two of them know how to get in.

use super::store;
use super::{EnrolmentError, note, rules};
use crate::app::App;
use crate::provisioning::{self, API_WAS_OFF, Account, NTP_HAD_NO_SERVERS, NTP_WAS_OFF, OpenError};
use crate::secrets::Place;
use crate::tunnels::{self, TunnelError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use db::TenantDoor;
use model::{EnrolmentId, RouterId, Secret, Tag};
use routeros::catalogue::{
    ID, Menu, interface_wireguard_peers as peers, system_license as license, system_resource as resource,
    system_routerboard as routerboard, user,
};
use routeros::client::{CallError, Client};
use routeros::codec::Row;
use routeros::errors::TrapKind;
use routeros::{Command, Query};

/// Object keys of what stays on the router from one enrolment to the next.
pub(super) const LASTING: [&str; 7] =
    ["tunnel:interface", "tunnel:address", "tunnel:input", "tunnel:api-group", NTP_WAS_OFF, NTP_HAD_NO_SERVERS, API_WAS_OFF];
/// Object keys of what belongs to one enrolment; its id follows.
pub(super) const PEER: &str = "tunnel:peer";
pub(super) const ENROLMENT_PEER: &str = "tunnel:enrolment-peer";
pub(super) const ACCOUNT: &str = "tunnel:api-user";

/// Draws a password of 192 random bits.
pub(super) fn new_password(app: &App) -> Secret<String> {
    let mut bytes = [0; 24];
    app.entropy.fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// Where a router's password is sealed.
pub(super) const fn password_place(router: RouterId) -> Place {
    Place { table: "router", column: "api_password", row: router.uuid() }
}

struct Identity {
    serial: String,
    board: String,
    version: String,
}

/// Finishes with a router whose lasting peer is up: reads who it is, replaces its password, takes the enrolment peer away, reads back and
/// erases the enrolment's secrets. Returns false when there was nothing to finish. What goes wrong is written down for the operator.
///
/// # Errors
/// When the router cannot be logged in to, refuses, or is another than expected; it can be called again.
///
/// # Cancel safety
/// Dropping the future leaves a state from which the next call goes on.
pub async fn complete(app: &App, door: &TenantDoor, router: RouterId) -> Result<bool, EnrolmentError> {
    let mut tx = app.db.tenant(door).await?;
    if store::bound(&mut tx, router).await?.is_none() {
        return Ok(false);
    }
    drop(tx);
    // Another handshake, the timer and a removal may want to write to it as well; what they did meanwhile is looked at afterwards.
    let _turn = app.provisioner.turn(router).await;
    let mut tx = app.db.tenant(door).await?;
    let Some(id) = store::bound(&mut tx, router).await? else { return Ok(false) };
    drop(tx);
    let done = finish(app, door, router, id).await;
    // A router that is away is seen as such; what was noted before says more.
    let away = matches!(done, Err(EnrolmentError::Open(OpenError::Tunnel(TunnelError::Away))));
    if let Err(error) = &done
        && !away
    {
        note(app, door, id, &telemetry::chain(error).to_string()).await?;
    }
    done.map(|()| true)
}

async fn finish(app: &App, door: &TenantDoor, router: RouterId, id: EnrolmentId) -> Result<(), EnrolmentError> {
    let client = provisioning::open(app, door, router).await?;
    let identity = read_identity(&client).await?;
    let mut tx = app.db.tenant(door).await?;
    let known = store::serial(&mut tx, router).await?;
    if let Some(known) = known.filter(|known| *known != identity.serial) {
        return Err(EnrolmentError::OtherSerial { known, found: identity.serial });
    }
    if !store::set_identity(&mut tx, router, &identity.serial, &identity.board, &identity.version).await? {
        return Err(EnrolmentError::SerialTaken(identity.serial));
    }
    let (peer, enrolment_peer) = (
        store::tag(&mut tx, router, &format!("{PEER}:{id}"), &*app.entropy).await?,
        store::tag(&mut tx, router, &format!("{ENROLMENT_PEER}:{id}"), &*app.entropy).await?,
    );
    tx.commit().await?;
    if tagged(&client, &peers::MENU, peers::COMMENT, peer).await?.is_empty() {
        return Err(EnrolmentError::Missing("the lasting peer"));
    }
    let client = replace_password(app, door, router, &client).await?;
    for row in tagged(&client, &peers::MENU, peers::COMMENT, enrolment_peer).await? {
        let removed = client.call(&Command::remove(&peers::MENU, row.id().unwrap_or_default())).await;
        // Somebody else may have been faster; what counts is that it is gone.
        removed.map(drop).or_else(gone).map_err(call("removing the enrolment peer"))?;
    }
    if !tagged(&client, &peers::MENU, peers::COMMENT, enrolment_peer).await?.is_empty() {
        return Err(EnrolmentError::Missing("the end of the enrolment peer"));
    }

    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    store::set_joined(&mut tx, router).await?;
    store::forget_earlier_tags(&mut tx, router, id).await?;
    store::note(&mut tx, id, "The router has joined.", now).await?;
    if store::end(&mut tx, id, "completed", now).await? {
        tx.audit(now, "enrolment.complete", &router.to_string(), serde_json::json!({ "serial": identity.serial })).await?;
    }
    tx.commit().await?;
    app.tunnels.forget(id).await?;
    Ok(())
}

const fn call(step: &'static str) -> impl Fn(CallError) -> EnrolmentError {
    move |source| EnrolmentError::Call { step, source }
}

fn gone(error: CallError) -> Result<(), CallError> {
    match &error {
        CallError::Trap(trap) if TrapKind::classify(trap) == TrapKind::NoSuchItem => Ok(()),
        _ => Err(error),
    }
}

async fn tagged(client: &Client, menu: &'static Menu, comment: &'static str, tag: Tag) -> Result<Vec<Row>, EnrolmentError> {
    let print = Command::print(menu).proplist([ID]).query(&Query::Is(comment, tag.to_string()));
    Ok(client.call(&print).await.map_err(call("reading our objects"))?.rows)
}

async fn read_identity(client: &Client) -> Result<Identity, EnrolmentError> {
    let row = |rows: Vec<Row>| rows.into_iter().next().unwrap_or_default();
    let system = row(client
        .rows(&resource::MENU, &[resource::BOARD_NAME, resource::VERSION])
        .await
        .map_err(call("reading the version"))?);
    // Virtual routers have no such menu; their licence has an id instead.
    let hardware = match client.rows(&routerboard::MENU, &[routerboard::SERIAL_NUMBER]).await {
        Ok(rows) => row(rows).text(routerboard::SERIAL_NUMBER).map(str::to_owned),
        Err(CallError::Trap(_)) => None,
        Err(source) => return Err(call("reading the serial number")(source)),
    };
    let serial = match hardware.filter(|serial| !serial.is_empty()) {
        Some(serial) => serial,
        None => {
            let license =
                row(client.rows(&license::MENU, &[license::SYSTEM_ID]).await.map_err(call("reading the serial number"))?);
            license.text(license::SYSTEM_ID).unwrap_or_default().to_owned()
        }
    };
    if serial.is_empty() || serial.len() > 64 {
        return Err(EnrolmentError::Missing("a serial number"));
    }
    let text = |name| system.text(name).unwrap_or_default().to_owned();
    Ok(Identity { serial, board: text(resource::BOARD_NAME), version: text(resource::VERSION) })
}

/// Replaces the password that the block carried. It is stored before it is sent and the old one forgotten only after a login with the new
/// one, so after a crash at any point one of the two works.
async fn replace_password(app: &App, door: &TenantDoor, router: RouterId, client: &Client) -> Result<Client, EnrolmentError> {
    let mut tx = app.db.tenant(door).await?;
    let next = Place { column: "api_password_next", ..password_place(router) };
    let drawn = app.vault.seal(&mut tx, next, new_password(app).expose().as_bytes()).await?;
    let stored = store::set_next_password(&mut tx, router, &drawn).await?;
    let password = app.vault.open_text(&mut tx, next, &stored).await?;
    let address = tunnels::address(&mut tx, router).await?.ok_or(TunnelError::NoPeer)?;
    tx.commit().await?;

    let print = Command::print(&user::MENU).proplist([ID]).query(&Query::Is(user::NAME, rules::API_USER.to_owned()));
    let rows = client.call(&print).await.map_err(call("finding our account"))?.rows;
    let account = rows.first().and_then(Row::id).ok_or(EnrolmentError::Missing("our account"))?;
    let set = Command::set(&user::MENU, account).with(user::PASSWORD, password.expose());
    client.call(&set).await.map_err(call("changing our password"))?;
    let login = Account { address, user: rules::API_USER.to_owned(), passwords: vec![password.clone()] };
    let client = provisioning::open_with(app, &login).await?;

    let mut tx = app.db.tenant(door).await?;
    let sealed = app.vault.seal(&mut tx, password_place(router), password.expose().as_bytes()).await?;
    store::promote_password(&mut tx, router, &sealed).await?;
    tx.commit().await?;
    Ok(client)
}
