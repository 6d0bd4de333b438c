//! Takes everything that is ours off a router, when it leaves.

use super::facts::{FactsError, TUNNEL_INTERFACE};
use super::run::{self, Session, TUNNEL_KEYS};
use super::{ProvisionError, Turn, apply, settings, store};
use crate::app::App;
use db::TenantDoor;
use model::{RouterId, Tag};
use reconcile::{Desired, Openings, Policy, Site};
use routeros::catalogue::{self as cat, Menu};
use routeros::client::Client;
use routeros::{Command, Query};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the last commands may take, which cut the path they came on and so get no answer.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What enrolment put on the router besides the tunnel itself, in the order in which it can go: a group goes after its user.
const ACCOUNT: [&Menu; 2] = [&cat::user::MENU, &cat::user_group::MENU];
/// The tunnel itself and the rule that lets us in through it; the first of these cuts the path.
const TUNNEL: [&Menu; 4] = [
    &cat::ip_firewall_filter::MENU,
    &cat::ip_address::MENU,
    &cat::interface_wireguard_peers::MENU,
    &cat::interface_wireguard::MENU,
];

/// Removes all our objects from a router that can be reached: services and customers, then our account, then the tunnel.
/// Foreign objects stay as they are. The caller has the router's turn, and keeps it until the database no longer says what the router
/// should hold; otherwise its worker would put everything back.
///
/// # Errors
/// When the router is away or refuses. What was removed by then stays removed.
pub async fn clean(app: &App, door: &TenantDoor, router: RouterId, _turn: &Turn) -> Result<(), ProvisionError> {
    let session = Session::open(app, door, router).await?;
    let mut tx = app.db.tenant(door).await?;
    let tags = store::tags(&mut tx, router).await?;
    drop(tx);
    let tunnel: BTreeSet<Tag> = tags.iter().filter(|(key, _)| key.starts_with(TUNNEL_KEYS)).map(|(_, tag)| *tag).collect();
    let site = Site {
        facts: session.facts(app.clock.now()),
        hub: app.config.supernet.hub(),
        wireguard_interface: TUNNEL_INTERFACE.to_owned(),
        openings: Openings::default(),
        services: Vec::new(),
        portal: None,
        packages: Vec::new(),
        customers: Vec::new(),
        fuse_days: 0,
    };
    let nothing = Desired { objects: Vec::new(), findings: Vec::new() };
    let policy = Policy { keep: tunnel.clone(), ..Policy::default() };
    let observed = run::observe(session.client(), &reconcile::observe_list(&site), session.router_facts()).await?;
    apply::apply(session.client(), &reconcile::plan(&nothing, &observed, &policy)).await?;

    let api_off = settings::put_back(session.client(), &tags, app.config.supernet.hub()).await?;
    for menu in ACCOUNT {
        for command in removals(session.client(), menu, &tunnel).await? {
            session.client().call(&command).await.map_err(|source| FactsError::Call { menu: menu.path, source })?;
        }
    }
    let mut last: Vec<Command> = api_off.into_iter().collect();
    for menu in TUNNEL {
        last.extend(removals(session.client(), menu, &tunnel).await?);
    }
    // In one piece: they reach the router together, and the first that takes effect cuts the answers off, so that none means nothing.
    let _: Result<Result<_, _>, _> = tokio::time::timeout(LAST_WORDS, session.client().call_together(&last)).await;
    Ok(())
}

/// Builds the removal of every row of a menu that carries one of the tags.
async fn removals(client: &Client, menu: &'static Menu, tags: &BTreeSet<Tag>) -> Result<Vec<Command>, ProvisionError> {
    let marks = tags.iter().map(|tag| Query::Is(cat::user::COMMENT, tag.to_string())).collect();
    let print = Command::print(menu).proplist([cat::ID]).query(&Query::Any(marks));
    let response = client.call(&print).await.map_err(|source| FactsError::Call { menu: menu.path, source })?;
    Ok(response.rows.iter().filter_map(|row| row.id()).map(|id| Command::remove(menu, id)).collect())
}
