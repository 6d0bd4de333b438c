//! The listening socket, with TLS where certificate files are given, and an orderly end.

use super::limit::Limited;
use axum::Router as AxumRouter;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a client may take for its TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// TLS handshakes at once; further clients wait in the kernel's queue.
const HANDSHAKES_MAX: usize = 64;

/// Certificate chain and private key, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken.
    #[error("{0} is in use by another program: stop it, or choose another address with --http")]
    Taken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// A certificate or key file does not hold what it should.
    #[error("{path} holds no usable {what} in PEM form")]
    Pem {
        path: PathBuf,
        what: &'static str,
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not belong together.
    #[error("the certificate and the key do not fit each other")]
    Tls(#[source] rustls::Error),
}

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl<L: Listener<Addr = SocketAddr>> Connected<IncomingStream<'_, Limited<L>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Limited<L>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A socket that is bound and not yet served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Server {
    /// Binds the address and reads the certificate files.
    ///
    /// # Errors
    /// When the address is taken or a file is not what it should be.
    pub async fn bind(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, ServeError> {
        let tls = tls.map(tls_config).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::Taken(address),
            _ => ServeError::Bind { address, source },
        })?;
        Ok(Self { listener, tls })
    }

    /// Returns the address that was bound, with the port the system chose where 0 was asked for.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes; requests under way are finished.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn run(self, service: AxumRouter, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let service = service.into_make_service_with_connect_info::<Peer>();
        match self.tls {
            None => axum::serve(Limited::new(self.listener), service).with_graceful_shutdown(stop).await,
            Some(config) => {
                axum::serve(Limited::new(TlsListener::start(self.listener, config)?), service).with_graceful_shutdown(stop).await
            }
        }
    }
}

fn tls_config(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    let pem = |path: &PathBuf, what| {
        let path = path.clone();
        move |source| ServeError::Pem { path, what, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(pem(&files.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key, "private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServeError::Tls)?;
    Ok(Arc::new(config))
}

/// Shakes hands on tasks of their own, so that a slow client delays nobody.
struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    fn start(listener: TcpListener, config: Arc<rustls::ServerConfig>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(config);
        let (done, ready) = mpsc::channel(HANDSHAKES_MAX);
        let turns = Arc::new(tokio::sync::Semaphore::new(HANDSHAKES_MAX));
        tokio::spawn(async move {
            let mut listener = listener;
            while !done.is_closed() {
                let turn = turns.clone().acquire_owned().await.expect("the semaphore is never closed");
                // axum's own accept for TCP waits a moment when file descriptors run out.
                let (stream, peer) = Listener::accept(&mut listener).await;
                let (acceptor, done) = (acceptor.clone(), done.clone());
                tokio::spawn(async move {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                        // Refused only when the server has ended.
                        let _: Result<(), _> = done.send((stream, peer)).await;
                    }
                    drop(turn);
                });
            }
        });
        Ok(Self { ready, address })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
