//! The router in the world of threads and clocks: one lock around the pure machine, and a signal when something changed.

use crate::router::{Ended, Fetch, Fetched, Router, RunId, StartError};
use ::tunnel::io::SpokeHandle;
use jiff::{SignedDuration, Timestamp};
use model::Clock;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the router is told the time when nothing else happens.
const TICK: Duration = Duration::from_millis(50);

/// How late a timer may wake.
const LATE: Duration = Duration::from_millis(5);

/// How long an echo request waits for its answer, and how many bytes it carries.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
const PING_BYTES: usize = 56;

/// The most steps in which time is moved forward.
const STEPS_MAX: u32 = 3_600;

/// No tunnel leads to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no tunnel has a peer for {0}")]
pub struct NoWay(pub Ipv4Addr);

/// A router that several tasks share.
#[derive(Debug)]
pub struct Shared {
    router: Mutex<Router>,
    clock: Arc<dyn Clock>,
    /// Milliseconds that the whole simulated world, customers included, is ahead of the clock.
    ahead: AtomicI64,
    changed: watch::Sender<u64>,
    /// When the last write is done, where writes take their time.
    writing: Mutex<Option<Instant>>,
    /// The tunnels that are up, by interface.
    spokes: Mutex<BTreeMap<String, SpokeHandle>>,
}

impl Shared {
    /// Takes a router into the world.
    #[must_use]
    pub fn new(config: crate::device::Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        let router = Router::new(config, clock.now());
        Arc::new(Self {
            router: Mutex::new(router),
            clock,
            ahead: AtomicI64::new(0),
            changed: watch::Sender::new(0),
            writing: Mutex::default(),
            spokes: Mutex::default(),
        })
    }

    /// Returns the simulated world's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead.load(Ordering::Relaxed));
        let now = self.clock.now();
        now.checked_add(ahead).unwrap_or(now)
    }

    /// Moves the simulated world's time forward: second by second up to an hour, in 3,600 steps beyond.
    pub fn advance(&self, by: Duration) {
        let step = Duration::from_secs(1).max(by / STEPS_MAX);
        let mut left = by;
        while !left.is_zero() {
            let part = step.min(left);
            left -= part;
            // A part is at most a few hundred years.
            self.ahead.fetch_add(i64::try_from(part.as_millis()).unwrap_or(0), Ordering::Relaxed);
            self.with(Router::tick);
        }
    }

    /// Works on the router; whoever waits for a change hears of it.
    pub fn with<R>(&self, work: impl FnOnce(&mut Router, Timestamp) -> R) -> R {
        let now = self.now();
        let mut router = self.lock();
        let result = work(&mut router, now);
        let version = router.device().version() + router.boots();
        drop(router);
        self.changed.send_if_modified(|seen| std::mem::replace(seen, version) != version);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Router> {
        self.router.lock().expect("no task panics while it holds the router")
    }

    /// Returns when a write that was just told is done: one after another, each as long as a write takes; nothing where it takes no time.
    pub(crate) fn written_at(&self) -> Option<Instant> {
        let time = self.with(|router, _| router.faults.write_time)?;
        let mut writing = self.writing.lock().expect("no task panics while it holds a moment");
        let now = Instant::now();
        // A timer that woke late makes no write longer: the next one counts from when the last was due.
        let began = writing.filter(|before| now.saturating_duration_since(*before) < LATE);
        let done = began.unwrap_or(now) + time;
        *writing = Some(done);
        Some(done)
    }

    /// Notes a tunnel that is up, or with nothing that it is down.
    pub(crate) fn note_tunnel(&self, interface: &str, spoke: Option<SpokeHandle>) {
        let mut spokes = self.spokes.lock().expect("no task panics while it holds the tunnels");
        match spoke {
            Some(spoke) => drop(spokes.insert(interface.to_owned(), spoke)),
            None => drop(spokes.remove(interface)),
        }
    }

    /// Sends an echo request into the tunnel that has a peer for the address, and returns the time until its answer; nothing
    /// when none comes within 2 s.
    ///
    /// # Errors
    /// When no tunnel has a peer for the address.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the request.
    pub async fn ping(&self, address: Ipv4Addr) -> Result<Option<Duration>, NoWay> {
        let spokes: Vec<SpokeHandle> =
            self.spokes.lock().expect("no task panics while it holds the tunnels").values().cloned().collect();
        for spoke in spokes {
            match tokio::time::timeout(PING_TIMEOUT, spoke.ping(address, PING_BYTES)).await {
                Err(_) => return Ok(None),
                Ok(Ok(time)) => return Ok(Some(time)),
                Ok(Err(error)) if error.kind() == io::ErrorKind::HostUnreachable => {}
                // The tunnel went down meanwhile.
                Ok(Err(_)) => return Ok(None),
            }
        }
        Err(NoWay(address))
    }

    /// Signals every change from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Lets time pass and fetches files, until it is dropped.
    ///
    /// # Cancel safety
    /// Dropping it stops the router's time; a fetch that is under way is lost.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let fetches = self.with(|router, now| {
                router.tick(now);
                std::iter::from_fn(|| router.take_fetch()).collect::<Vec<_>>()
            });
            for fetch in fetches {
                let shared = Arc::clone(&self);
                tokio::spawn(async move {
                    let outcome = get(&fetch).await;
                    shared.with(|router, now| router.fetched(&fetch, outcome, now));
                });
            }
        }
    }

    /// Types or pastes text at the terminal and waits for its end.
    ///
    /// # Errors
    /// When the terminal is busy or the text too long.
    ///
    /// # Cancel safety
    /// What was typed still runs; its output is lost.
    pub async fn paste(&self, text: &str) -> Result<Ended, StartError> {
        let id = self.with(|router, now| router.start_paste(text, now))?;
        Ok(self.ended(id).await)
    }

    /// Imports a script and waits for its end.
    ///
    /// # Errors
    /// When too many scripts run.
    ///
    /// # Cancel safety
    /// The script still runs; its output is lost.
    pub async fn import(&self, text: &str) -> Result<Ended, StartError> {
        let id = self.with(|router, now| router.start_script(text, now))?;
        Ok(self.ended(id).await)
    }

    async fn ended(&self, id: RunId) -> Ended {
        loop {
            if let Some(ended) = self.with(|router, _| router.take_ended(id)) {
                return ended;
            }
            tokio::time::sleep(TICK / 5).await;
        }
    }
}

/// The longest body that a fetch keeps, in bytes.
const BODY_MAX: usize = 1 << 20;
/// How long a fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Fetches a file over HTTP, as `/tool/fetch` does: redirects are not followed.
async fn get(fetch: &Fetch) -> Result<Fetched, String> {
    let client = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .danger_accept_invalid_certs(!fetch.check_certificate)
        .build()
        .map_err(|error| error.to_string())?;
    let method = reqwest::Method::from_bytes(fetch.method.to_ascii_uppercase().as_bytes()).map_err(|error| error.to_string())?;
    let mut request = client.request(method, &fetch.url);
    for (name, value) in &fetch.headers {
        request = request.header(name, value);
    }
    if let Some(data) = &fetch.data {
        request = request.body(data.clone());
    }
    let mut response = request.send().await.map_err(|error| format!("connection failed: {}", error.without_url()))?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("closing connection: <{} {}>", status.as_u16(), status.canonical_reason().unwrap_or_default()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| format!("connection failed: {}", error.without_url()))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err("file is too large".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { body })
}
