//! A virtual router with its doors open: API over TCP, tunnel, control socket.

use crate::api;
use crate::control::{self, Command};
use crate::device::Config;
use crate::shell::Shared;
use crate::tunnel;
use model::{Clock, Secret};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The most connections at one door.
const CONNECTIONS_MAX: usize = 64;

/// Which router to run, and which doors it has.
#[derive(Debug)]
pub struct Options {
    /// The router.
    pub config: Config,
    /// The password of the account `admin`; nothing leaves it empty.
    pub admin_password: Option<Secret<String>>,
    /// Where the API listens for programs on this machine, beside the tunnel.
    pub api: Option<SocketAddr>,
    /// Where connections to [`Options::api`] seem to come from, for the bindings of service and accounts; with nothing they
    /// pass every binding.
    pub api_source: Option<IpAddr>,
    /// Where the control socket is made.
    pub control: Option<PathBuf>,
}

impl Options {
    /// Describes a router without doors other than its tunnel.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config, admin_password: None, api: None, api_source: None, control: None }
    }
}

/// A virtual router that runs.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    api: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    socket: Option<PathBuf>,
}

impl Simulator {
    /// Starts a router.
    ///
    /// # Errors
    /// When an address or the control socket cannot be had.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> io::Result<Self> {
        // Another part of the program may have chosen the provider already; there is only the one.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let shared = Shared::new(options.config, clock);
        if let Some(password) = &options.admin_password {
            shared.with(|router, _| router.device_mut().set_admin_password(password.expose()));
        }
        let (stop, _) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&shared).run());
        tasks.spawn(tunnel::run(Arc::clone(&shared)));
        let mut api = None;
        if let Some(address) = options.api {
            let listener = TcpListener::bind(address).await?;
            api = Some(listener.local_addr()?);
            tasks.spawn(serve_tcp(Arc::clone(&shared), listener, options.api_source));
        }
        if let Some(path) = &options.control {
            let listener = control::bind(path)?;
            tasks.spawn(control::serve(Arc::clone(&shared), listener, stop.clone(), api));
        }
        Ok(Self { shared, api, stop, tasks, socket: options.control })
    }

    /// Returns the router.
    #[must_use]
    pub const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns where the API listens outside of the tunnel.
    #[must_use]
    pub const fn api_address(&self) -> Option<SocketAddr> {
        self.api
    }

    /// Runs a control command, as the control socket does.
    ///
    /// # Errors
    /// A sentence that says why it could not be done.
    ///
    /// # Cancel safety
    /// The command may have been done.
    pub async fn control(&self, command: Command) -> Result<serde_json::Value, String> {
        control::run(&self.shared, command, &self.stop, self.api).await
    }

    /// Waits until a control command asks the router to go away.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`.
        let _ended = stop.wait_for(|stop| *stop).await;
    }

    /// Switches the router off.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        if let Some(path) = &self.socket {
            // It may be gone already.
            let _gone = std::fs::remove_file(path);
        }
    }
}

async fn serve_tcp(shared: Arc<Shared>, listener: TcpListener, source: Option<IpAddr>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let open = shared.with(|router, _| router.faults.link && source.is_none_or(|source| router.device().api_open(source)));
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        while connections.try_join_next().is_some() {}
        if open {
            let shared = Arc::clone(&shared);
            connections.spawn(async move {
                tokio::select! {
                    outcome = api::serve(Arc::clone(&shared), stream, source, None) => {
                        if let Err(error) = outcome {
                            tracing::debug!(%error, "an API connection ended: {error}");
                        }
                    }
                    () = link_cut(&shared) => {}
                }
                drop(permit);
            });
        }
    }
}

/// Waits until the uplink carries nothing.
async fn link_cut(shared: &Shared) {
    let mut changes = shared.changes();
    // The sender lives as long as `shared`.
    while shared.with(|router, _| router.faults.link) && changes.changed().await.is_ok() {}
}
