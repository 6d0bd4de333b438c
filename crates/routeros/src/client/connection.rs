//! What happens behind a [`super::Client`]: one task that reads and writes, and the table of commands in flight.

use super::{CallError, Lost, Options, Response};
use crate::codec::{Decoder, Reply, Row, Sentence, Trap};
use crate::command::Command;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

/// Bytes read at once.
const CHUNK: usize = 16 << 10;
/// What a row and each of its attributes weigh beside their bytes: the heads of their vectors, rounded up.
const OVERHEAD: usize = 64;

/// The task behind a connection, which ends with it.
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    task: tokio::task::AbortHandle,
}

impl Handle {
    pub(super) fn start<S>(stream: S, decoder: Decoder, options: Options) -> Arc<Self>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        // Each command in flight can add its own sentence and one that cancels it.
        let (outgoing, queue) = mpsc::channel(options.in_flight.max(1) * 2);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            outgoing,
            permits: Arc::new(Semaphore::new(options.in_flight.max(1))),
            lost: watch::Sender::new(None),
            options,
        });
        let (reader, writer) = tokio::io::split(stream);
        let task = tokio::spawn(drive(Arc::clone(&shared), reader, writer, decoder, queue)).abort_handle();
        Arc::new(Self { shared, task })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.close(&Lost::Dropped);
    }
}

async fn drive<S: AsyncRead + AsyncWrite>(
    shared: Arc<Shared>,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    decoder: Decoder,
    queue: mpsc::Receiver<Vec<u8>>,
) {
    let why = tokio::select! {
        why = read(&shared, reader, decoder) => why,
        why = write(writer, queue) => why,
        why = watch_cancelled(&shared) => why,
        // Something else closed the connection.
        why = shared.closed() => why,
    };
    tracing::debug!(reason = %why, "connection to the router ended");
    shared.close(&why);
}

async fn read<S: AsyncRead>(shared: &Shared, mut reader: ReadHalf<S>, mut decoder: Decoder) -> Lost {
    let mut chunk = vec![0; CHUNK];
    loop {
        loop {
            match decoder.poll() {
                Ok(Some(sentence)) => {
                    if let Err(why) = shared.dispatch(&sentence) {
                        return why;
                    }
                }
                Ok(None) => break,
                Err(error) => return Lost::Decode(error),
            }
        }
        match reader.read(&mut chunk).await {
            Ok(0) => return Lost::Closed,
            Ok(count) => decoder.push(&chunk[..count]),
            Err(error) => return Lost::Io(error.kind()),
        }
    }
}

async fn write<S: AsyncWrite>(mut writer: WriteHalf<S>, mut queue: mpsc::Receiver<Vec<u8>>) -> Lost {
    let mut waiting = Vec::new();
    loop {
        // What waits goes out together: through the tunnel, packets are what costs.
        if queue.recv_many(&mut waiting, usize::MAX).await == 0 {
            return Lost::Dropped;
        }
        let bytes = std::mem::take(&mut waiting).concat();
        if let Err(error) = writer.write_all(&bytes).await {
            return Lost::Io(error.kind());
        }
        if let Err(error) = writer.flush().await {
            return Lost::Io(error.kind());
        }
    }
}

async fn watch_cancelled(shared: &Shared) -> Lost {
    let grace = shared.options.cancel_timeout;
    loop {
        tokio::time::sleep(grace).await;
        let now = Instant::now();
        let overdue = |pending: &Pending| matches!(pending.role, Role::Abandoned { since, .. } | Role::Cancel { since } if now - since >= grace);
        if shared.state().pending.values().any(overdue) {
            return Lost::Unresponsive;
        }
    }
}

/// The table of commands in flight, shared by the task and the callers. Its lock is never held across a wait.
pub(super) struct Shared {
    state: Mutex<State>,
    outgoing: mpsc::Sender<Vec<u8>>,
    permits: Arc<Semaphore>,
    lost: watch::Sender<Option<Lost>>,
    pub(super) options: Options,
}

#[derive(Default)]
struct State {
    last_tag: u64,
    pending: BTreeMap<u64, Pending>,
    /// Bytes that all entries hold together.
    held: usize,
}

impl State {
    fn insert(&mut self, pending: Pending) -> u64 {
        self.last_tag += 1;
        self.pending.insert(self.last_tag, pending);
        self.last_tag
    }

    fn remove(&mut self, tag: u64) -> Option<Pending> {
        let pending = self.pending.remove(&tag)?;
        self.held -= pending.held;
        Some(pending)
    }
}

/// A command in flight.
pub(super) struct Pending {
    role: Role,
    trap: Option<Trap>,
    /// Bytes that it holds.
    held: usize,
    /// Its place among the commands in flight; a cancel has none.
    _permit: Option<OwnedSemaphorePermit>,
}

enum Role {
    Call {
        rows: Vec<Row>,
        write: bool,
        done: oneshot::Sender<Result<Response, CallError>>,
    },
    Listen {
        waiting: usize,
        rows: mpsc::UnboundedSender<Row>,
        end: Arc<Mutex<Option<CallError>>>,
    },
    /// Nobody waits any more, but the router has not confirmed yet.
    Abandoned {
        since: Instant,
        allowance: usize,
    },
    /// The command that cancels another.
    Cancel {
        since: Instant,
    },
}

impl Pending {
    fn new(role: Role, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { role, trap: None, held: 0, _permit: permit }
    }

    pub(super) fn call(done: oneshot::Sender<Result<Response, CallError>>, write: bool, permit: OwnedSemaphorePermit) -> Self {
        Self::new(Role::Call { rows: Vec::new(), write, done }, Some(permit))
    }

    pub(super) fn listen(
        rows: mpsc::UnboundedSender<Row>,
        end: Arc<Mutex<Option<CallError>>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self::new(Role::Listen { waiting: 0, rows, end }, Some(permit))
    }

    /// Hands on how it ended.
    fn finish(role: Role, result: Result<Row, CallError>) {
        match role {
            Role::Call { rows, done, .. } => {
                let answer = result.map(|row| Response { rows, ret: row.get("ret").map(<[u8]>::to_vec) });
                // Whoever no longer waits needs no answer.
                let _ = done.send(answer);
            }
            Role::Listen { end, .. } => *end.lock().unwrap_or_else(PoisonError::into_inner) = result.err(),
            Role::Abandoned { .. } | Role::Cancel { .. } => {}
        }
    }

    const fn is_write(&self) -> bool {
        matches!(self.role, Role::Call { write: true, .. })
    }
}

fn weight(row: &Row) -> usize {
    row.size() + OVERHEAD * (1 + row.iter().count())
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lost(&self) -> Option<Lost> {
        self.lost.borrow().clone()
    }

    pub(super) async fn closed(&self) -> Lost {
        let mut changes = self.lost.subscribe();
        let end = changes.wait_for(Option::is_some).await;
        end.ok().and_then(|why| why.clone()).unwrap_or(Lost::Dropped)
    }

    fn lost_before_sending(&self) -> CallError {
        CallError::Lost { why: self.lost().unwrap_or(Lost::Dropped), maybe_applied: false }
    }

    /// Sends a command when there is room for it.
    ///
    /// # Cancel safety
    /// Nothing is sent or kept unless this returns a tag.
    pub(super) async fn begin(
        &self,
        command: &Command,
        make: impl FnOnce(OwnedSemaphorePermit) -> Pending,
    ) -> Result<u64, CallError> {
        Ok(self.begin_together(vec![(command, make)]).await?[0])
    }

    /// Sends commands in one piece when there is room for all: no other bytes come between them, and they leave in as few packets as
    /// they fit into. The tags are in the table before the first byte leaves.
    ///
    /// # Cancel safety
    /// Nothing is sent or kept unless this returns tags.
    pub(super) async fn begin_together<M: FnOnce(OwnedSemaphorePermit) -> Pending>(
        &self,
        calls: Vec<(&Command, M)>,
    ) -> Result<Vec<u64>, CallError> {
        let count = u32::try_from(calls.len()).expect("a handful of commands");
        let permits = Arc::clone(&self.permits).acquire_many_owned(count);
        let mut permits = permits.await.map_err(|_| self.lost_before_sending())?;
        let slot = self.outgoing.reserve().await.map_err(|_| self.lost_before_sending())?;
        let mut state = self.state();
        if self.lost.borrow().is_some() {
            return Err(self.lost_before_sending());
        }
        let (mut tags, mut bytes) = (Vec::with_capacity(calls.len()), Vec::new());
        for (command, make) in calls {
            let tag = state.insert(make(permits.split(1).expect("one for each command")));
            bytes.extend(self.encode(&command.tagged(tag)));
            tags.push(tag);
        }
        slot.send(bytes);
        Ok(tags)
    }

    fn encode(&self, sentence: &Sentence) -> Vec<u8> {
        if let Some(hear) = &self.options.transcript {
            hear(&sentence.redacted());
        }
        let mut bytes = Vec::new();
        sentence.encode(&mut bytes);
        bytes
    }

    /// Cancels a command if it is still in flight.
    pub(super) fn abandon(&self, tag: u64) {
        let mut state = self.state();
        if matches!(state.pending.get(&tag).map(|pending| &pending.role), Some(Role::Call { .. } | Role::Listen { .. })) {
            self.cancel(&mut state, tag);
        }
    }

    /// Turns an entry into one that nobody waits for, tells the router, and returns what the entry was.
    fn cancel(&self, state: &mut State, tag: u64) -> Option<Role> {
        let entry = state.pending.get_mut(&tag)?;
        // A router that keeps sending as much again as it may send at all will not stop.
        let since = Instant::now();
        let abandoned = Role::Abandoned { since, allowance: self.options.bytes };
        let role = std::mem::replace(&mut entry.role, abandoned);
        let cancel = state.insert(Pending::new(Role::Cancel { since }, None));
        // A full queue means that the router does not read; that shows when it does not confirm in time.
        let _ = self.outgoing.try_send(self.encode(&Command::cancel(tag).tagged(cancel)));
        Some(role)
    }

    /// Notes that a listener took a row.
    pub(super) fn release(&self, tag: u64, row: &Row) {
        let mut state = self.state();
        let State { pending, held, .. } = &mut *state;
        // The entry of a listen that has ended gave all its bytes back then.
        if let Some(Pending { role: Role::Listen { waiting, .. }, held: own, .. }) = pending.get_mut(&tag) {
            *waiting -= 1;
            *own -= weight(row);
            *held -= weight(row);
        }
    }

    /// Ends everything.
    pub(super) fn close(&self, why: &Lost) {
        let pending = {
            let mut state = self.state();
            // The first reason is the true one.
            self.lost.send_if_modified(|lost| lost.is_none().then(|| *lost = Some(why.clone())).is_some());
            state.held = 0;
            std::mem::take(&mut state.pending)
        };
        self.permits.close();
        let why = self.lost().unwrap_or(Lost::Dropped);
        for entry in pending.into_values() {
            let maybe_applied = entry.is_write();
            Pending::finish(entry.role, Err(CallError::Lost { why: why.clone(), maybe_applied }));
        }
    }

    /// Takes a sentence from the router.
    fn dispatch(&self, sentence: &Sentence) -> Result<(), Lost> {
        let reply = Reply::try_from(sentence).map_err(Lost::Reply)?;
        if let Reply::Fatal(reason) = reply {
            return Err(Lost::Fatal(reason));
        }
        let tag = sentence.tag().and_then(|tag| str::from_utf8(tag).ok()?.parse().ok()).ok_or(Lost::UnknownTag)?;
        let mut state = self.state();
        let entry = state.pending.get_mut(&tag).ok_or(Lost::UnknownTag)?;
        if let Role::Abandoned { allowance, .. } = &mut entry.role {
            let size = sentence.words().iter().map(Vec::len).sum::<usize>() + OVERHEAD;
            *allowance = allowance.checked_sub(size).ok_or(Lost::Flood)?;
        }
        match reply {
            Reply::Row(row) => self.take_row(&mut state, tag, row)?,
            Reply::Trap(trap) => entry.trap = entry.trap.take().or(Some(trap)),
            Reply::Done(row) => {
                let Pending { role, trap, .. } = state.remove(tag).ok_or(Lost::UnknownTag)?;
                Pending::finish(role, trap.map_or(Ok(row), |trap| Err(CallError::Trap(trap))));
            }
            Reply::Empty => {}
            Reply::Fatal(reason) => return Err(Lost::Fatal(reason)),
        }
        Ok(())
    }

    fn take_row(&self, state: &mut State, tag: u64, row: Row) -> Result<(), Lost> {
        let Options { rows: max_rows, bytes: max_bytes, .. } = self.options;
        let State { pending, held, .. } = state;
        let Some(entry) = pending.get_mut(&tag) else { return Err(Lost::UnknownTag) };
        let weight = weight(&row);
        let count = match &entry.role {
            Role::Call { rows, .. } => rows.len(),
            Role::Listen { waiting, .. } => *waiting,
            Role::Abandoned { .. } => return Ok(()),
            Role::Cancel { .. } => return Err(Lost::UnknownTag),
        };
        if count >= max_rows || *held + weight > max_bytes {
            let maybe_applied = entry.is_write();
            if let Some(role) = self.cancel(state, tag) {
                Pending::finish(role, Err(CallError::TooLarge { rows: max_rows, bytes: max_bytes, maybe_applied }));
            }
            return Ok(());
        }
        *held += weight;
        entry.held += weight;
        match &mut entry.role {
            Role::Call { rows, .. } => rows.push(row),
            Role::Listen { waiting, rows, .. } => {
                *waiting += 1;
                // A listener that is gone cancels; until then its rows fall to the ground.
                let _ = rows.send(row);
            }
            Role::Abandoned { .. } | Role::Cancel { .. } => {}
        }
        Ok(())
    }
}
