//! One worker per router, woken by the outbox, by handshakes and by time, and told nothing but "look again".
//!
//! Workers run under two limits: so many at once in all, and so many of one tenant, so that a tenant's hundred dead routers delay nobody
//! else's payment. A router that is away has no worker; its next handshake makes one.

use super::turn::{Turn, Turns};
use super::{ProvisionError, run, store, watch};
use crate::app::App;
use crate::customers;
use crate::tunnels::{self, TunnelError};
use db::TenantDoor;
use jiff::SignedDuration;
use model::{RouterId, TenantId};
use std::collections::HashMap;
#[cfg(feature = "testing")]
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio::time::Instant;

/// Routers that are talked to at once.
const AT_ONCE: usize = 64;
/// Routers of one tenant that are talked to at once.
const AT_ONCE_PER_TENANT: usize = 8;
/// How long a worker keeps its connection when there is nothing to do.
const IDLE: Duration = Duration::from_secs(60);
/// The first pause after a failure; it doubles up to the longest.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// How often, and how many times, a router is asked whether customers who just paid have come online. A device that was kicked dials
/// again within a second or two; one that is switched off does not, and its coming is found by the next look.
const ONLINE_EVERY: Duration = Duration::from_millis(100);
const ONLINE_TIMES: u32 = 100;
/// Customers whose grant was applied longer ago are not waited for any more.
const ONLINE_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// How often a worker that pauses after a failure looks whether the router has come back.
const HANDSHAKE_EVERY: Duration = Duration::from_secs(1);
/// News that waits for slow listeners.
const NEWS_MAX: usize = 256;

/// A worker has looked.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Which router.
    pub router: RouterId,
    /// The generation that it looked at; 0 when it did not get that far.
    pub generation: i64,
    /// How many writes it sent, or what went wrong.
    pub result: Result<usize, String>,
}

#[derive(Debug)]
struct Slot {
    again: bool,
    notify: Arc<Notify>,
}

/// Wakes workers and tells what they did.
#[derive(Debug, Clone)]
pub struct Provisioner {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    slots: Mutex<HashMap<RouterId, Slot>>,
    turns: Turns,
    all: Semaphore,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    news: broadcast::Sender<Finished>,
    #[cfg(feature = "testing")]
    faulty: Mutex<HashMap<RouterId, Faulty>>,
    #[cfg(feature = "testing")]
    detours: Mutex<HashMap<Ipv4Addr, SocketAddr>>,
}

/// What a faulty recipe does to what a router should hold, and to what it leaves alone.
#[cfg(feature = "testing")]
type Distortion = dyn Fn(&mut reconcile::Desired, &mut reconcile::Policy) + Send + Sync;

/// A faulty recipe.
#[cfg(feature = "testing")]
#[derive(Clone)]
pub struct Faulty(pub Arc<Distortion>);

#[cfg(feature = "testing")]
impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

impl Default for Provisioner {
    fn default() -> Self {
        let (news, _) = broadcast::channel(NEWS_MAX);
        let inner = Inner {
            slots: Mutex::default(),
            turns: Turns::default(),
            all: Semaphore::new(AT_ONCE),
            tenants: Mutex::default(),
            news,
            #[cfg(feature = "testing")]
            faulty: Mutex::default(),
            #[cfg(feature = "testing")]
            detours: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Provisioner {
    /// Makes a router's worker look again, soon. Cheap, and never lost: a worker that is looking now looks once more.
    pub fn wake(&self, app: &Arc<App>, door: &TenantDoor, router: RouterId) {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(&router) {
            slot.again = true;
            slot.notify.notify_one();
            return;
        }
        let notify = Arc::new(Notify::new());
        slots.insert(router, Slot { again: true, notify: notify.clone() });
        let worker = Worker { provisioner: self.clone(), app: app.clone(), door: door.clone(), router, notify };
        tokio::spawn(worker.work());
    }

    /// Returns the news of all workers from now on.
    #[must_use]
    pub fn finished(&self) -> broadcast::Receiver<Finished> {
        self.inner.news.subscribe()
    }

    /// Waits until nobody else writes to a router. Whoever writes to one, the workers too, holds its turn: two writers at once would see
    /// each other's half-done work as somebody else's.
    ///
    /// # Cancel safety
    /// Whoever stops waiting loses their place, and nobody else's.
    pub async fn turn(&self, router: RouterId) -> Turn {
        self.inner.turns.take(router).await
    }

    /// Gives a router a faulty recipe, or takes it away again.
    #[cfg(feature = "testing")]
    pub fn set_faulty(&self, router: RouterId, faulty: Option<Faulty>) {
        let mut all = self.inner.faulty.lock().unwrap_or_else(PoisonError::into_inner);
        match faulty {
            Some(faulty) => drop(all.insert(router, faulty)),
            None => drop(all.remove(&router)),
        }
    }

    /// Reaches the router with this address in the tunnel at another, past the tunnel: over a line whose length a bench knows.
    #[cfg(feature = "testing")]
    pub fn set_detour(&self, router: Ipv4Addr, at: SocketAddr) {
        self.inner.detours.lock().unwrap_or_else(PoisonError::into_inner).insert(router, at);
    }

    #[cfg(feature = "testing")]
    pub(super) fn detour(&self, router: Ipv4Addr) -> Option<SocketAddr> {
        self.inner.detours.lock().unwrap_or_else(PoisonError::into_inner).get(&router).copied()
    }

    /// Wishes for what a router's faulty recipe says, if it has one.
    #[cfg(feature = "testing")]
    pub(super) fn distort(&self, router: RouterId, desired: &mut reconcile::Desired, policy: &mut reconcile::Policy) {
        let faulty = self.inner.faulty.lock().unwrap_or_else(PoisonError::into_inner).get(&router).cloned();
        if let Some(Faulty(distort)) = faulty {
            distort(desired, policy);
        }
    }

    /// Counts who writes to a router or waits for the turn to.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn writers(&self, router: RouterId) -> usize {
        self.inner.turns.len(router)
    }

    fn of_tenant(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_PER_TENANT))).clone()
    }

    /// Notes that a router's worker, which asks for it itself, looks again. It notifies nobody: a worker that woke itself would not
    /// pause the next time.
    fn want_again(&self, router: RouterId) {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(&router) {
            slot.again = true;
        }
    }

    /// Takes the wish to look again, if there is one.
    fn take_again(&self, router: RouterId) -> bool {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get_mut(&router).is_some_and(|slot| std::mem::take(&mut slot.again))
    }

    /// Says whether somebody wants another look.
    fn is_wanted(&self, router: RouterId) -> bool {
        self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner).get(&router).is_some_and(|slot| slot.again)
    }

    /// Gives the slot up, unless somebody wants another look.
    fn leave(&self, router: RouterId) -> bool {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.get(&router).is_some_and(|slot| slot.again) {
            return false;
        }
        slots.remove(&router);
        true
    }
}

struct Worker {
    provisioner: Provisioner,
    app: Arc<App>,
    door: TenantDoor,
    router: RouterId,
    notify: Arc<Notify>,
}

impl Drop for Worker {
    /// A worker that panicked gives its slot up too; otherwise its router would never be looked at again.
    fn drop(&mut self) {
        let mut slots = self.provisioner.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // One that left in order has none, and a new one may stand there already.
        if slots.get(&self.router).is_some_and(|slot| Arc::ptr_eq(&slot.notify, &self.notify)) {
            slots.remove(&self.router);
        }
    }
}

/// What a worker does after a look.
enum Next {
    /// Wait for a wake; leave when none comes.
    Idle,
    /// Look again after a pause, or at a wake.
    Retry(Duration),
    /// Leave: the router is not there, and its handshake will wake a new worker.
    Leave,
}

impl Worker {
    async fn work(self) {
        let mut session = None;
        let mut pause = RETRY_FIRST;
        loop {
            while self.provisioner.take_again(self.router) {
                let next = self.look(&mut session, &mut pause).await;
                match next {
                    Next::Idle => {
                        // Nothing came for a while when this times out; then the connection is given up.
                        let _: Result<(), _> = tokio::time::timeout(IDLE, self.wanted()).await;
                    }
                    Next::Retry(after) => {
                        session = None;
                        self.pause(after).await;
                        self.provisioner.want_again(self.router);
                    }
                    Next::Leave => session = None,
                }
            }
            if self.provisioner.leave(self.router) {
                return;
            }
        }
    }

    /// Waits until somebody wants another look. Of two wakes before a look the second leaves its signal behind, which means nothing then.
    async fn wanted(&self) {
        while !self.provisioner.is_wanted(self.router) {
            self.notify.notified().await;
        }
    }

    async fn look(&self, session: &mut Option<run::Session>, pause: &mut Duration) -> Next {
        let result = self.look_in_turn(session).await;
        let (next, finished) = match result {
            Ok(looked) => {
                *pause = RETRY_FIRST;
                (Next::Idle, Finished { router: self.router, generation: looked.generation, result: Ok(looked.writes) })
            }
            Err(error) => {
                let text = run::clip(&telemetry::chain(&error));
                let away = error.is_away();
                if away {
                    tracing::debug!(router.id = %self.router, "the router is away");
                } else {
                    tracing::warn!(router.id = %self.router, error = text, "a look at the router failed");
                }
                self.record_failure(&text).await;
                let after = *pause;
                *pause = (*pause * 2).min(RETRY_LONGEST);
                let next = if away { Next::Leave } else { Next::Retry(after) };
                (next, Finished { router: self.router, generation: 0, result: Err(text) })
            }
        };
        // Nobody may be listening.
        let _: Result<usize, _> = self.provisioner.inner.news.send(finished);
        if let (Next::Idle, Some(session)) = (&next, session.as_ref()) {
            self.watch_online(session).await;
            self.note_sessions(session).await;
        }
        next
    }

    /// Looks when it is this worker's turn. What follows a look holds nobody's place.
    async fn look_in_turn(&self, session: &mut Option<run::Session>) -> Result<run::Looked, ProvisionError> {
        // The router's turn first: who waits for somebody that takes the router out must not hold anybody else's place.
        let _turn = self.provisioner.turn(self.router).await;
        let tenant = self.provisioner.of_tenant(self.door.tenant());
        // A tenant's turn first: whoever waits for their own tenant must not hold one of everybody's places.
        let _tenant = tenant.acquire().await.expect("the semaphore is never closed");
        let _all = self.provisioner.inner.all.acquire().await.expect("the semaphore is never closed");
        run::look(&self.app, &self.door, self.router, session).await
    }

    /// Waits after a failure: until it is time, somebody wants a look, or the router shakes hands anew, as it does when it comes back
    /// before the hub took it for gone.
    async fn pause(&self, after: Duration) {
        let began = Instant::now();
        let back = async {
            if self.handshake_after(began).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = self.wanted() => {}
            () = back => {}
        }
    }

    async fn handshake_after(&self, moment: Instant) -> Result<(), TunnelError> {
        let mut tx = self.app.db.tenant(&self.door).await?;
        let address = tunnels::address(&mut tx, self.router).await?.ok_or(TunnelError::NoPeer)?;
        drop(tx);
        loop {
            tokio::time::sleep(HANDSHAKE_EVERY).await;
            let status = self.app.tunnels.status(address).await?;
            if status.and_then(|status| status.last_handshake).is_some_and(|ago| ago < moment.elapsed()) {
                return Ok(());
            }
        }
    }

    async fn record_failure(&self, text: &str) {
        let record = async {
            let mut tx = self.app.db.tenant(&self.door).await?;
            store::failed(&mut tx, self.router, text, self.app.clock.now()).await?;
            tx.commit().await
        };
        if let Err(error) = record.await {
            tracing::warn!(router.id = %self.router, error = %telemetry::chain(&error), "a failure could not be recorded");
        }
    }

    /// Writes down who is online, unless there is new work.
    async fn note_sessions(&self, session: &run::Session) {
        tokio::select! {
            result = watch::note(&self.app, &self.door, self.router, session.client()) => if let Err(error) = result {
                tracing::debug!(router.id = %self.router, error = %telemetry::chain(&error), "who is online could not be written down");
            },
            () = self.wanted() => {}
        }
    }

    /// Asks the router whether customers who just paid have come online, until all have, time is up, or there is new work.
    async fn watch_online(&self, session: &run::Session) {
        let watch = async {
            let mut tx = self.app.db.tenant(&self.door).await?;
            let now = self.app.clock.now();
            let mut waiting = customers::awaiting_online(&mut tx, self.router, now - ONLINE_WITHIN, now).await?;
            drop(tx);
            for _ in 0..ONLINE_TIMES {
                if waiting.is_empty() {
                    break;
                }
                waiting = run::note_online(&self.app, &self.door, session, waiting).await?;
                if !waiting.is_empty() {
                    tokio::time::sleep(ONLINE_EVERY).await;
                }
            }
            Ok::<_, ProvisionError>(())
        };
        tokio::select! {
            result = watch => if let Err(error) = result {
                tracing::debug!(router.id = %self.router, error = %telemetry::chain(&error), "could not see whether customers came online");
            },
            () = self.wanted() => {}
        }
    }
}
