//! A TCP connection inside the tunnel as the program sees it: two bounded buffers between it and the driver.

use crate::net::StreamId;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// Bytes that wait between program and stack, in each direction.
pub(super) const CAPACITY: usize = 64 * 1024;

/// What the program's side tells the driver.
#[derive(Debug)]
pub(super) enum Kick {
    /// A stream has something to do. At most one waits for each stream.
    Stream(StreamId),
    /// A listener is gone.
    Unlisten(u16),
    /// A datagram socket is gone.
    CloseDatagrams(u16),
}

/// The buffers and what each side has said.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) incoming: VecDeque<u8>,
    pub(super) outgoing: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The connection is established.
    pub(super) opened: bool,
    /// The remote has finished.
    pub(super) ended: bool,
    /// The connection is gone.
    pub(super) broken: bool,
    /// The program has finished writing.
    pub(super) finishing: bool,
    /// The program has let go.
    pub(super) dropped: bool,
    /// A kick is on its way.
    pub(super) kicked: bool,
}

impl Pipe {
    pub(super) fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    id: StreamId,
    pipe: Mutex<Pipe>,
    kicks: mpsc::UnboundedSender<Kick>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().expect("nobody panics while holding a pipe")
    }

    fn kick(&self, pipe: &mut Pipe) {
        if !std::mem::replace(&mut pipe.kicked, true) {
            // A driver that is gone has broken every pipe, which says enough.
            drop(self.kicks.send(Kick::Stream(self.id)));
        }
    }
}

/// A TCP connection inside the tunnel.
///
/// Reading gives end of file after the remote has finished, and `ConnectionReset` after the connection has broken. Dropping
/// it delivers what was written (within 30 s) and closes the connection.
pub struct TunnelStream {
    shared: Arc<Shared>,
}

impl fmt::Debug for TunnelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelStream").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

impl TunnelStream {
    pub(super) fn new(id: StreamId, kicks: mpsc::UnboundedSender<Kick>) -> (Self, Arc<Shared>) {
        let shared = Arc::new(Shared { id, pipe: Mutex::new(Pipe::default()), kicks });
        (Self { shared: Arc::clone(&shared) }, shared)
    }

    /// Returns the inner address at the other end.
    #[must_use]
    pub fn remote(&self) -> Ipv4Addr {
        self.shared.id.remote()
    }

    /// Waits until the connection is established.
    pub(super) async fn opened(&self) -> io::Result<()> {
        std::future::poll_fn(|context| {
            let mut pipe = self.shared.lock();
            if pipe.opened {
                Poll::Ready(Ok(()))
            } else if pipe.broken {
                Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()))
            } else {
                pipe.reader = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn poll_pipe<T>(
        &self,
        context: &Context<'_>,
        slot: fn(&mut Pipe) -> &mut Option<Waker>,
        attempt: impl FnOnce(&mut Pipe) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut pipe = self.shared.lock();
        let Poll::Ready(result) = attempt(&mut pipe) else {
            *slot(&mut pipe) = Some(context.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(result)
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_pipe(
            context,
            |pipe| &mut pipe.reader,
            |pipe| {
                let count = pipe.incoming.len().min(into.remaining());
                if count == 0 && into.remaining() > 0 {
                    return match (pipe.ended, pipe.broken) {
                        (true, _) => Poll::Ready(Ok(())),
                        (false, true) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                        (false, false) => Poll::Pending,
                    };
                }
                let (first, second) = pipe.incoming.as_slices();
                let cut = first.len().min(count);
                into.put_slice(&first[..cut]);
                into.put_slice(&second[..count - cut]);
                let was_full = pipe.incoming.len() == CAPACITY;
                pipe.incoming.drain(..count);
                if was_full {
                    self.shared.kick(pipe);
                }
                Poll::Ready(Ok(()))
            },
        )
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_pipe(
            context,
            |pipe| &mut pipe.writer,
            |pipe| {
                if pipe.broken {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                if pipe.finishing {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                let count = bytes.len().min(CAPACITY - pipe.outgoing.len());
                if count == 0 && !bytes.is_empty() {
                    return Poll::Pending;
                }
                pipe.outgoing.extend(&bytes[..count]);
                self.shared.kick(pipe);
                Poll::Ready(Ok(count))
            },
        )
    }

    /// The driver sends without being asked.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_pipe(
            context,
            |pipe| &mut pipe.writer,
            |pipe| {
                pipe.finishing = true;
                self.shared.kick(pipe);
                Poll::Ready(Ok(()))
            },
        )
    }
}

impl Drop for TunnelStream {
    fn drop(&mut self) {
        let mut pipe = self.shared.lock();
        pipe.dropped = true;
        self.shared.kick(&mut pipe);
    }
}
