//! Tunnels of real packets, as `/interface/wireguard`, its peers and `/ip/address` describe them, and the API inside.

use crate::api;
use crate::device::{TunnelConfig, TunnelPeer, TunnelPeerStatus};
use crate::shell::Shared;
use ::tunnel::io::{SpokeHandle, TunnelListener, spawn_spoke};
use ::tunnel::{SpokeConfig, SpokePeer};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::{AbortHandle, JoinSet};

/// How often peers are asked how they are, and names that did not resolve are tried again.
const LOOK: Duration = Duration::from_millis(250);
/// The most API connections out of one tunnel at once.
const CONNECTIONS_MAX: usize = 64;

/// A tunnel that is up.
struct Running {
    config: TunnelConfig,
    boots: u64,
    spoke: SpokeHandle,
    /// The peers as the spoke was told, with their addresses resolved.
    told: Vec<SpokePeer>,
    api: Option<(u16, AbortHandle)>,
}

/// Keeps tunnels as the router's configuration says, until it is dropped.
///
/// # Cancel safety
/// Dropping it ends every tunnel.
pub async fn run(shared: Arc<Shared>) {
    let mut changes = shared.changes();
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => report(&shared, &running).await,
            changed = changes.changed() => if changed.is_err() { return },
        }
        while tasks.try_join_next().is_some() {}
        let (wanted, boots) = shared.with(|router, _| {
            let wanted = if router.faults.link { router.device().tunnels() } else { Vec::new() };
            (wanted, router.boots())
        });
        end_unwanted(&shared, &mut running, &wanted, boots).await;
        for config in wanted {
            if let Err(error) = keep(&shared, &mut running, &mut tasks, config, boots).await {
                tracing::warn!(%error, "a tunnel could not be set up: {error}");
            }
        }
    }
}

async fn end_unwanted(shared: &Shared, running: &mut BTreeMap<String, Running>, wanted: &[TunnelConfig], boots: u64) {
    let stays = |tunnel: &Running| {
        let same = |config: &TunnelConfig| {
            (&config.name, &config.private_key, config.mtu, config.listen_port)
                == (&tunnel.config.name, &tunnel.config.private_key, tunnel.config.mtu, tunnel.config.listen_port)
        };
        tunnel.boots == boots && wanted.iter().any(same)
    };
    let ended: Vec<String> = running.iter().filter(|(_, tunnel)| !stays(tunnel)).map(|(name, _)| name.clone()).collect();
    for name in ended {
        if let Some(tunnel) = running.remove(&name) {
            shared.note_tunnel(&name, None);
            // The spoke first: a link that is cut answers nobody, not even with a refusal.
            tunnel.spoke.shutdown().await;
            if let Some((_, task)) = tunnel.api {
                task.abort();
            }
        }
    }
}

/// Starts a tunnel that is new, and tells one that runs what changed.
async fn keep(
    shared: &Arc<Shared>,
    running: &mut BTreeMap<String, Running>,
    tasks: &mut JoinSet<()>,
    config: TunnelConfig,
    boots: u64,
) -> io::Result<()> {
    if !running.contains_key(&config.name) {
        let socket = bind(config.listen_port).await?;
        let mut spoke = SpokeConfig::new(config.private_key.clone(), config.address);
        spoke.mtu = usize::from(config.mtu);
        let spoke = spawn_spoke(socket, &spoke)?;
        shared.note_tunnel(&config.name, Some(spoke.clone()));
        running.insert(config.name.clone(), Running { config: config.clone(), boots, spoke, told: Vec::new(), api: None });
    }
    let Some(tunnel) = running.get_mut(&config.name) else { return Ok(()) };
    if tunnel.config.address != config.address {
        tunnel.spoke.set_address(config.address).await.map_err(io::Error::other)?;
    }
    tunnel.config = config;
    // The door is open before anybody can knock.
    let port = open_port(shared, &tunnel.config);
    if tunnel.api.as_ref().map(|(port, _)| *port) != port {
        if let Some((_, task)) = tunnel.api.take() {
            task.abort();
        }
        if let Some(port) = port {
            let listener = tunnel.spoke.listen(port).await?;
            let task = tasks.spawn(serve_api(Arc::clone(shared), listener, tunnel.config.clone(), port));
            tunnel.api = Some((port, task));
        }
    }
    let mut peers = Vec::new();
    for peer in &tunnel.config.peers {
        peers.push(resolve(peer).await);
    }
    if peers != tunnel.told {
        tunnel.spoke.set_peers(peers.clone()).await.map_err(io::Error::other)?;
        tunnel.told = peers;
    }
    Ok(())
}

/// Takes the port that the interface is configured for, or any where another program has it.
async fn bind(port: u16) -> io::Result<UdpSocket> {
    match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await {
        Ok(socket) => Ok(socket),
        Err(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await,
    }
}

async fn resolve(peer: &TunnelPeer) -> SpokePeer {
    let endpoint = match &peer.endpoint {
        Some((host, port)) => match host.parse::<IpAddr>() {
            Ok(address) => Some(SocketAddr::new(address, *port)),
            Err(_) => tokio::net::lookup_host((host.as_str(), *port)).await.ok().and_then(|mut found| found.next()),
        },
        None => None,
    };
    let none = *peer.preshared_key.expose() == [0; 32];
    SpokePeer {
        public_key: peer.public_key,
        preshared_key: (!none).then(|| peer.preshared_key.clone()),
        allowed: peer.allowed.clone(),
        endpoint,
        keepalive_secs: peer.keepalive,
    }
}

/// Returns the API's port when the router takes API connections from any host that the tunnel's peers are.
fn open_port(shared: &Shared, config: &TunnelConfig) -> Option<u16> {
    let hosts = config.peers.iter().flat_map(|peer| &peer.allowed).filter(|network| network.prefix() == 32);
    shared.with(|router, _| {
        let port = router.device().api_port();
        let open = |source| router.device().api_open_inside(&config.name, config.address, source, port);
        hosts.into_iter().any(|network| open(network.ip())).then_some(port)
    })
}

async fn serve_api(shared: Arc<Shared>, mut listener: TunnelListener, config: TunnelConfig, port: u16) {
    let mut connections = JoinSet::new();
    while let Ok((stream, source)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let open = shared.with(|router, _| router.device().api_open_inside(&config.name, config.address, source, port));
        if !open || connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        let shared = Arc::clone(&shared);
        let inside = api::Inside { interface: config.name.clone(), own: config.address, source, port };
        connections.spawn(async move {
            if let Err(error) = api::serve(shared, stream, Some(IpAddr::V4(source)), Some(inside)).await {
                tracing::debug!(%error, "an API connection ended: {error}");
            }
        });
    }
}

async fn report(shared: &Shared, running: &BTreeMap<String, Running>) {
    for tunnel in running.values() {
        let Ok(statuses) = tunnel.spoke.peers().await else { continue };
        shared.with(|router, now| {
            for peer in &tunnel.config.peers {
                let Some(status) = statuses.iter().find(|status| status.public_key == peer.public_key) else { continue };
                let since = status.last_handshake.and_then(|since| SignedDuration::try_from(since).ok());
                let status = TunnelPeerStatus {
                    last_handshake: since.and_then(|since| now.checked_sub(since).ok()),
                    endpoint: status.endpoint,
                    received: status.rx_bytes,
                    sent: status.tx_bytes,
                };
                router.device_mut().report_peer(peer.id, status);
            }
        });
    }
}
