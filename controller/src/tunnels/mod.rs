//! The hub as the controller runs it: its key, the routers' peers and addresses, and streams to routers.
//!
//! The database is the truth; the hub's live table is made from it at start and after each change. An address belongs to one router at a
//! time in all tenants, and rests 30 days before another gets it.

mod rules;
mod store;

use crate::app::App;
use crate::config::Config;
use crate::secrets::{Place, Vault, VaultError};
use db::{Db, DbError, PlatformActor, TenantDoor, TenantTx};
use jiff::{SignedDuration, Timestamp};
use model::{Clock, EnrolmentId, Entropy, HubKeyId, RouterId, Secret, TunnelBlockId, TunnelPeerId, WgPublicKey};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tunnel::io::{HubError, HubHandle, Stopped, TunnelStream};
use tunnel::{HubConfig, HubEvent, Peer, PeerStatus, Pending};
use x25519_dalek::{PublicKey, StaticSecret};

/// How long a released address rests.
pub const QUARANTINE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a connection to a router may take to open; on a bad link a lost SYN is sent again after a second or two.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Why something with the tunnel did not work.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The UDP port is taken.
    #[error(
        "UDP {0} is in use by another program (another hub, or the kernel's WireGuard): stop it, or choose another port with --hub"
    )]
    Taken(SocketAddr),
    /// The socket cannot be made.
    #[error("cannot listen on UDP {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// The supernet has no free block.
    #[error("the tunnel network has no free block of addresses")]
    Exhausted,
    /// The public key is another router's.
    #[error("this WireGuard key already belongs to another router: was its configuration restored from that router's backup?")]
    DuplicateKey,
    /// The router has no peer.
    #[error("the router has not joined the tunnel yet")]
    NoPeer,
    /// The router is not connected now.
    #[error("the router is not connected")]
    Away,
    /// A stream could not be opened.
    #[error("the router does not accept the connection")]
    Connect(#[source] std::io::Error),
    /// The hub refused.
    #[error("the hub refused")]
    Hub(#[from] HubError),
    /// The hub has ended.
    #[error("the hub has ended")]
    Stopped(#[from] Stopped),
    /// A sealed key does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The running hub.
#[derive(Debug, Clone)]
pub struct Tunnels {
    hub: HubHandle,
    public_key: WgPublicKey,
    address: SocketAddr,
}

impl Tunnels {
    /// Reads or makes the hub's key, binds its UDP port and starts it; returns what it will report.
    ///
    /// # Errors
    /// When the port is taken, the key does not open or the database does not answer.
    pub async fn start(
        db: &Db,
        vault: &Vault,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
        config: &Config,
    ) -> Result<(Self, mpsc::Receiver<HubEvent>), TunnelError> {
        let private_key = hub_key(db, vault, clock.now(), entropy).await?;
        let public_key = public_key(&private_key);
        let socket = UdpSocket::bind(config.hub).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => TunnelError::Taken(config.hub),
            _ => TunnelError::Bind { address: config.hub, source },
        })?;
        let bind = |source| TunnelError::Bind { address: config.hub, source };
        let address = socket.local_addr().map_err(bind)?;
        let hub_config = HubConfig { supernet: config.supernet, ..HubConfig::new(private_key) };
        let (hub, events) = tunnel::io::spawn_hub(socket, hub_config).map_err(bind)?;
        Ok((Self { hub, public_key, address }, events))
    }

    /// Returns the hub's public key, which every router knows.
    #[must_use]
    pub const fn public_key(&self) -> WgPublicKey {
        self.public_key
    }

    /// Returns the UDP address that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets an enrolment's router knock.
    ///
    /// # Errors
    /// When the hub holds as many as it may.
    pub async fn admit(&self, pending: Pending) -> Result<(), TunnelError> {
        Ok(self.hub.set_pending(pending).await?)
    }

    /// Lets an enrolment's router knock no more.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn forget(&self, enrolment: EnrolmentId) -> Result<bool, TunnelError> {
        Ok(self.hub.remove_pending(enrolment.uuid().into_bytes()).await?)
    }

    /// Gives the hub a router's peer as the database has it; with a known endpoint the hub calls the router at once.
    ///
    /// # Errors
    /// When the router has no peer or its key does not open.
    pub async fn install(&self, app: &App, door: &TenantDoor, router: RouterId) -> Result<(), TunnelError> {
        let mut tx = app.db.tenant(door).await?;
        let row = store::peer(&mut tx, router).await?.ok_or(TunnelError::NoPeer)?;
        let peer = open_peer(app, &mut tx, row).await?;
        drop(tx);
        Ok(self.hub.set_peer(peer).await?)
    }

    /// Takes a peer off the hub; its router can no longer connect.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn remove(&self, address: Ipv4Addr) -> Result<bool, TunnelError> {
        Ok(self.hub.remove_peer(address).await?)
    }

    /// Returns how a router's tunnel is now.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn status(&self, address: Ipv4Addr) -> Result<Option<PeerStatus>, TunnelError> {
        Ok(self.hub.peer(address).await?)
    }

    /// Opens a stream to a router that is connected now; one that is not is told at once.
    ///
    /// # Errors
    /// When the router is away, refuses, or does not answer within 10 s.
    ///
    /// # Cancel safety
    /// Dropping the future closes the half-open stream.
    pub async fn connect(&self, address: Ipv4Addr, port: u16) -> Result<TunnelStream, TunnelError> {
        if !self.status(address).await?.is_some_and(|status| status.up) {
            return Err(TunnelError::Away);
        }
        match tokio::time::timeout(CONNECT_LIMIT, self.hub.connect(address, port)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(TunnelError::Connect(error)),
            // A closed allow-list on the router drops silently, so it looks like this and not like a refusal.
            Err(_) => Err(TunnelError::Connect(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// Stops the hub.
    pub async fn shutdown(&self) {
        self.hub.shutdown().await;
    }
}

/// Gives the hub every peer of every tenant, after a start. The hub calls those whose endpoint it knows, paced.
///
/// # Errors
/// When the database does not answer. A peer whose key does not open is logged and passed over, so that one broken row does not keep
/// everybody else offline.
pub async fn install_all(app: &App) -> Result<usize, TunnelError> {
    let mut installed = 0;
    for door in app.db.locator().tenants("tunnels").await? {
        let mut tx = app.db.tenant(&door).await?;
        for row in store::peers(&mut tx).await? {
            let address = row.address;
            match open_peer(app, &mut tx, row).await {
                Ok(peer) => match app.tunnels.hub.set_peer(peer).await {
                    Ok(()) => installed += 1,
                    Err(error) => {
                        tracing::error!(tunnel.address = %address, error = %telemetry::chain(&error), "the hub refused a peer")
                    }
                },
                Err(error) => {
                    tracing::error!(tunnel.address = %address, error = %telemetry::chain(&error), "a peer's key does not open")
                }
            }
        }
    }
    Ok(installed)
}

async fn open_peer(app: &App, tx: &mut TenantTx, row: store::PeerRow) -> Result<Peer, TunnelError> {
    let place = Place { table: "tunnel_peer", column: "preshared_key", row: row.id.uuid() };
    let key = app.vault.open(tx, place, &row.preshared_key).await?;
    let key: [u8; 32] =
        key.expose().as_slice().try_into().map_err(|_| VaultError::DoesNotOpen { table: place.table, column: place.column })?;
    Ok(Peer {
        public_key: row.public_key,
        preshared_key: Secret::new(key),
        address: row.address,
        // An endpoint that cannot be read is only a call that is not made; the router will call.
        endpoint: row.endpoint.and_then(|text| text.parse().ok()),
    })
}

async fn hub_key(db: &Db, vault: &Vault, now: Timestamp, entropy: &dyn Entropy) -> Result<Secret<[u8; 32]>, TunnelError> {
    let mut tx = db.platform(&PlatformActor::system("tunnels"), "the hub's key was read", now).await?;
    let place = |id: HubKeyId| Place { table: "hub_key", column: "sealed_key", row: id.uuid() };
    let key = if let Some((id, sealed)) = store::hub_key(&mut tx).await? {
        let opened = vault.open_platform(place(id), &sealed)?;
        let key: [u8; 32] = opened
            .expose()
            .as_slice()
            .try_into()
            .map_err(|_| VaultError::DoesNotOpen { table: "hub_key", column: "sealed_key" })?;
        Secret::new(key)
    } else {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        let key = Secret::new(key);
        let id = HubKeyId::generate(now, entropy);
        let sealed = vault.seal_platform(place(id), key.expose());
        store::insert_hub_key(&mut tx, id, &public_key(&key), &sealed, now).await?;
        key
    };
    tx.commit().await?;
    Ok(key)
}

/// Returns the public half of a private key.
#[must_use]
pub fn public_key(private_key: &Secret<[u8; 32]>) -> WgPublicKey {
    WgPublicKey::from_bytes(PublicKey::from(&StaticSecret::from(*private_key.expose())).to_bytes())
}

/// Gives a router the lowest free address of the tenant's blocks, and the tenant another block when they are full.
///
/// # Errors
/// When the supernet is full or the database does not answer.
pub async fn allocate_address(app: &App, tx: &mut TenantTx, router: RouterId) -> Result<Ipv4Addr, TunnelError> {
    let now = app.clock.now();
    // One allocation of a tenant at a time, until its transaction ends: two that look at once would see the same gap.
    store::lock_addresses(tx).await?;
    store::end_quarantine(tx, now).await?;
    if let Some((block, address)) = store::free_address(tx).await? {
        store::insert_address(tx, block, address, router).await?;
        return Ok(address);
    }
    let block = TunnelBlockId::generate(now, &*app.entropy);
    let network = store::allocate_block(tx, block, app.config.supernet, now).await?;
    let address = rules::first_host(network);
    store::insert_address(tx, block, address, router).await?;
    Ok(address)
}

/// Takes a router's address back; one that was used rests 30 days.
///
/// # Errors
/// When the database does not answer.
pub async fn release_address(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    used: bool,
) -> Result<Option<Ipv4Addr>, TunnelError> {
    let until = used.then(|| app.clock.now() + QUARANTINE);
    Ok(store::release_address(tx, router, until).await?)
}

/// Returns a router's address.
///
/// # Errors
/// When the database does not answer.
pub async fn address(tx: &mut TenantTx, router: RouterId) -> Result<Option<Ipv4Addr>, TunnelError> {
    Ok(store::address(tx, router).await?)
}

/// Binds a router's key to its address. A peer that the router had before is replaced.
///
/// # Errors
/// When the key is another router's, or the router has no address.
pub async fn bind_peer(
    app: &App,
    tx: &mut TenantTx,
    router: RouterId,
    public_key: WgPublicKey,
    preshared_key: &[u8; 32],
    endpoint: SocketAddr,
) -> Result<Ipv4Addr, TunnelError> {
    let now = app.clock.now();
    let address = store::address(tx, router).await?.ok_or(TunnelError::NoPeer)?;
    store::delete_peer(tx, router).await?;
    let id = TunnelPeerId::generate(now, &*app.entropy);
    let place = Place { table: "tunnel_peer", column: "preshared_key", row: id.uuid() };
    let sealed = app.vault.seal(tx, place, preshared_key).await?;
    let row = store::PeerRow { id, address, public_key, preshared_key: sealed, endpoint: Some(endpoint.to_string()) };
    store::insert_peer(tx, router, row, now).await?;
    Ok(address)
}

/// Removes a router's peer from the database; the caller takes it off the hub once that is committed.
///
/// # Errors
/// When the database does not answer.
pub async fn unbind_peer(tx: &mut TenantTx, router: RouterId) -> Result<Option<(WgPublicKey, Ipv4Addr)>, TunnelError> {
    Ok(store::delete_peer(tx, router).await?)
}
