//! Hands messages that are due to gateways. Each is claimed under a lease and tried at one gateway after the other while it is certain that
//! none took it; where an answer was lost, or the controller ended in between, it stays `unknown`.

use super::rules::answers::{Holes, Outcome};
use super::rules::timing;
use super::store::{self, Due};
use super::{Channel, MessageError, MessageState, outbound};
use crate::app::App;
use crate::backups;
use crate::customers;
use crate::gateways::{self, Environment, GatewayError, HttpTexts, Kind, Purpose};
use crate::packages::PackageKind;
use crate::tenants::{self, LimitError};
use db::{DbError, TenantDoor, TenantTx};
use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use model::GatewayId;
use reqwest::Client;
use std::collections::HashMap;
use std::sync::Arc;

/// Tenants, and messages of one tenant, that are sent at the same time.
const TENANTS_AT_ONCE: usize = 8;
const AT_ONCE: usize = 4;
/// Messages of one tenant that are claimed at once.
const BATCH: i64 = 20;
/// Gateways that are tried for one message in one round.
const GATEWAYS_MAX: usize = 3;
/// How long a claim lasts; far longer than a batch can take at the gateways' time limits.
const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// How often it is looked again whether there is a gateway.
const GATEWAY_AGAIN: SignedDuration = SignedDuration::from_mins(5);

const NO_GATEWAY: &str = "there is no gateway for it: set one up with `gateway add` (http_sms or http_whatsapp, in production)";
const RESTORED: &str = "it came back from a backup: it may have been sent after that was taken";
const LOST: &str = "the controller ended while it was being sent: it may have arrived";

/// A gateway with its opened keys.
struct Way {
    id: GatewayId,
    name: String,
    texts: HttpTexts,
}

/// A message on its way, with the gateways to try.
struct Parcel {
    due: Due,
    ways: Vec<Arc<Way>>,
}

/// Sends what is due in every tenant; returns how many messages were looked at.
///
/// # Errors
/// When the database does not answer; a tenant in which it fails keeps none from theirs.
///
/// # Cancel safety
/// A message that is cut off on its way becomes `unknown` when its lease has ended.
pub async fn send_due(app: &App) -> Result<usize, MessageError> {
    let doors = app.db.locator().tenants_with_messages(app.clock.now()).await?;
    if doors.is_empty() {
        return Ok(0);
    }
    let client = outbound::client(&app.config)?;
    let done: Vec<Result<usize, MessageError>> =
        stream::iter(doors).map(|door| send_of(app, &client, door)).buffer_unordered(TENANTS_AT_ONCE).collect().await;
    done.into_iter().sum()
}

async fn send_of(app: &App, client: &Client, door: TenantDoor) -> Result<usize, MessageError> {
    let (count, parcels) = load(app, &door).await?;
    let results: Vec<Result<(), MessageError>> = stream::iter(parcels)
        .map(async |parcel| {
            let (gateway, outcome) = carry(app, client, &parcel).await;
            note(app, &door, &parcel.due, gateway, outcome).await
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(count)
}

/// Claims what is due, and ends what nobody needs any more. Returns how many messages were looked at, and those that are to be sent.
async fn load(app: &App, door: &TenantDoor) -> Result<(usize, Vec<Parcel>), MessageError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    store::give_up_leased(&mut tx, LOST, now).await?;
    let all = store::take_due(&mut tx, now, BATCH).await?;
    let restored = if all.is_empty() { None } else { backups::last_restore(&mut tx).await? };
    let count = all.len();
    let (mut ways, mut opened) = (HashMap::new(), HashMap::new());
    let mut parcels = Vec::new();
    for due in all {
        if let Some((state, reason)) = over(&mut tx, &due, restored, now).await? {
            store::finish(&mut tx, due.id, state, reason).await?;
            continue;
        }
        let found = match ways.get(&(due.channel.as_str(), due.kind.as_str(), due.router)) {
            Some(found) => Vec::clone(found),
            None => find(app, &mut tx, &due, &mut opened).await?,
        };
        ways.insert((due.channel.as_str(), due.kind.as_str(), due.router), found.clone());
        if found.is_empty() {
            store::put_off(&mut tx, due.id, NO_GATEWAY, now + GATEWAY_AGAIN).await?;
        } else if let Err(error) = count_once(&mut tx, &due, now).await? {
            store::finish(&mut tx, due.id, MessageState::Failed, &error.to_string()).await?;
        } else {
            store::start(&mut tx, due.id, now + LEASE).await?;
            parcels.push(Parcel { due, ways: found });
        }
    }
    tx.commit().await?;
    Ok((count, parcels))
}

/// Says how a message ends that nobody needs any more.
async fn over(
    tx: &mut TenantTx,
    due: &Due,
    restored: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<(MessageState, &'static str)>, DbError> {
    if restored.is_some_and(|restored| due.at < restored) {
        return Ok(Some((MessageState::Unknown, RESTORED)));
    }
    if due.not_after < now {
        return Ok(Some((MessageState::Failed, "it could not be sent in time, and nobody needs it now")));
    }
    let Some(end) = due.about_end else { return Ok(None) };
    let moved = customers::last_end(tx, due.customer).await? != Some(end);
    Ok(moved
        .then_some((MessageState::Cancelled, "the end that it speaks of has moved: the customer has paid, or was given time")))
}

/// Counts a message against the month's limit, if it was not counted when it was written.
async fn count_once(tx: &mut TenantTx, due: &Due, now: Timestamp) -> Result<Result<(), LimitError>, DbError> {
    if due.counted {
        return Ok(Ok(()));
    }
    match tenants::spend_messages(tx, 1, now).await {
        Err(LimitError::Db(error)) => Err(error),
        outcome => Ok(outcome),
    }
}

/// Finds the gateways for a message in the order in which they are tried, with their keys. A playground carries nobody's messages.
async fn find(
    app: &App,
    tx: &mut TenantTx,
    due: &Due,
    opened: &mut HashMap<GatewayId, Arc<Way>>,
) -> Result<Vec<Arc<Way>>, MessageError> {
    let kind = match due.channel {
        Channel::Sms => Kind::Sms,
        Channel::Whatsapp => Kind::Whatsapp,
    };
    let purpose = match due.kind {
        PackageKind::Hotspot => Purpose::Hotspot,
        PackageKind::Pppoe | PackageKind::Static => Purpose::Pppoe,
    };
    let all = match gateways::in_order(tx, kind, purpose, Some(due.router)).await {
        // It was taken out since.
        Err(GatewayError::NoRouter) => gateways::in_order(tx, kind, purpose, None).await?,
        all => all?,
    };
    let usable =
        |gateway: &gateways::GatewayView| gateway.provider.takes_http_texts() && gateway.environment == Environment::Production;
    let mut ways = Vec::new();
    for gateway in all.into_iter().filter(usable).take(GATEWAYS_MAX) {
        let way = match opened.get(&gateway.id) {
            Some(way) => way.clone(),
            None => {
                let texts = gateways::http_texts(app, tx, gateway.id).await?;
                Arc::new(Way { id: gateway.id, name: gateway.name, texts })
            }
        };
        opened.insert(way.id, way.clone());
        ways.push(way);
    }
    Ok(ways)
}

/// Tries a message's gateways until one takes it, or may have. Returns the last one that was asked and what became of it.
async fn carry(app: &App, client: &Client, parcel: &Parcel) -> (GatewayId, Outcome) {
    let id = parcel.due.id.to_string();
    let holes = Holes { id: &id, phone: &parcel.due.recipient, text: &parcel.due.text };
    // While one of them may take it later, it is not over.
    let (mut last, mut later) = (None, None);
    for way in &parcel.ways {
        let named = |reason: String| format!("gateway {}: {reason}", way.name);
        match outbound::ask(client, &app.config, &way.texts, &holes).await {
            Outcome::Taken(receipt) => return (way.id, Outcome::Taken(receipt)),
            Outcome::Unknown(reason) => return (way.id, Outcome::Unknown(named(reason))),
            Outcome::Refused(reason) => last = Some((way.id, Outcome::Refused(named(reason)))),
            Outcome::NotTaken(reason) => later = Some((way.id, Outcome::NotTaken(named(reason)))),
        }
    }
    later.or(last).expect("a message without gateways is not carried")
}

/// Writes down what became of a message.
async fn note(app: &App, door: &TenantDoor, due: &Due, gateway: GatewayId, outcome: Outcome) -> Result<(), MessageError> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(door).await?;
    match outcome {
        Outcome::Taken(receipt) => store::set_sent(&mut tx, due.id, gateway, &receipt, now).await?,
        Outcome::Refused(reason) => store::set_tried(&mut tx, due.id, gateway, MessageState::Failed, &reason).await?,
        Outcome::Unknown(reason) => store::set_tried(&mut tx, due.id, gateway, MessageState::Unknown, &reason).await?,
        Outcome::NotTaken(reason) => match timing::again(due.attempts + 1, now) {
            Some(at) => store::try_again(&mut tx, due.id, gateway, &reason, at).await?,
            None => store::set_tried(&mut tx, due.id, gateway, MessageState::Failed, &reason).await?,
        },
    }
    Ok(tx.commit().await?)
}
