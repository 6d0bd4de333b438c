//! Connections have a number and an end: without a limit, whoever opens many and sends nothing takes the server's file descriptors.

use axum::serve::Listener;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once; further clients wait in the kernel's queue until one ends.
const CONNECTIONS_MAX: usize = 2048;
/// How long a connection may carry nothing: longer than the longest request, so that nobody who waits for an answer is cut off.
const IDLE_LIMIT: Duration = Duration::from_secs(75);

/// A listener whose connections are counted and end when they are idle.
#[derive(Debug)]
pub struct Limited<L> {
    inner: L,
    places: Arc<Semaphore>,
}

impl<L> Limited<L> {
    /// Puts the limits around a listener.
    pub fn new(inner: L) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl<L: Listener> Listener for Limited<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (io, address) = self.inner.accept().await;
        (Connection::new(io, Some(place)), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// One connection. A read fails once nothing has come or gone for the limit's time.
#[derive(Debug)]
pub struct Connection<T> {
    io: T,
    idle: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T> Connection<T> {
    fn new(io: T, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { io, idle: Box::pin(tokio::time::sleep(IDLE_LIMIT)), _place: place }
    }

    fn alive(&mut self) {
        self.idle.as_mut().reset(Instant::now() + IDLE_LIMIT);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                self.alive();
                Poll::Ready(result)
            }
            Poll::Pending => self.idle.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        if written.is_ready() {
            self.alive();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_and_a_used_one_does_not() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut connection = Connection::new(near, None);
        let mut buffer = [0; 1];
        for _ in 0..5 {
            tokio::time::advance(IDLE_LIMIT - Duration::from_secs(1)).await;
            far.write_all(b"x").await.unwrap();
            assert_eq!(connection.read(&mut buffer).await.unwrap(), 1, "it is used");
        }
        // The paused clock moves by itself to the end of what is waited for.
        assert_eq!(connection.read(&mut buffer).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
