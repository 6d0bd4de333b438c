//! The client: one connection to one router, many commands in flight.
//!
//! The other end is not trusted. What it may make this end keep is limited ([`Options`]), each command has a deadline, and
//! a connection that breaks the rules is closed; every command waiting on it then learns why.

mod connection;
mod login;
mod window;

use crate::catalogue::{ID, Menu};
use crate::codec::{DecodeError, ReplyError, Row, Sentence, Trap};
use crate::command::Command;
use connection::{Handle, Pending, Shared};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
pub use login::LoginError;
use model::Secret;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use window::Window;

/// Hears every sentence sent, with the values of secrets replaced. It is called in the middle of things and must not call
/// the client.
pub type Transcript = Arc<dyn Fn(&Sentence) + Send + Sync>;

/// Limits and deadlines of a connection.
#[derive(Clone)]
pub struct Options {
    /// How long a login may take; 15 s unless told otherwise.
    pub login_timeout: Duration,
    /// How long a command may take that is given no time of its own; 30 s unless told otherwise.
    pub call_timeout: Duration,
    /// How long the router may take to confirm that a command is cancelled, before it counts as gone; 10 s unless told
    /// otherwise.
    pub cancel_timeout: Duration,
    /// Commands and listens in flight at once, on the line and at the router together; 256 unless told otherwise. Who sends many says
    /// how many of them may be at the router.
    pub in_flight: usize,
    /// Rows in one reply, and rows that wait in one listen; 100,000 unless told otherwise.
    pub rows: usize,
    /// Bytes that all replies on the connection hold before they are handed on; 32 MiB unless told otherwise.
    pub bytes: usize,
    /// Hears every sentence sent; none unless told otherwise.
    pub transcript: Option<Transcript>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            login_timeout: Duration::from_secs(15),
            call_timeout: Duration::from_secs(30),
            cancel_timeout: Duration::from_secs(10),
            in_flight: 256,
            rows: 100_000,
            bytes: 32 << 20,
            transcript: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("call_timeout", &self.call_timeout)
            .field("in_flight", &self.in_flight)
            .field("rows", &self.rows)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The router closed it.
    #[error("the router closed the connection")]
    Closed,
    /// Reading or writing failed.
    #[error("the connection broke ({0})")]
    Io(std::io::ErrorKind),
    /// The router ended it and said why.
    #[error("the router ended the connection: {0}")]
    Fatal(String),
    /// The router sent bytes that are no sentence, or too many.
    #[error("the router does not keep to the protocol")]
    Decode(#[source] DecodeError),
    /// The router sent a sentence that is no reply.
    #[error("the router does not keep to the protocol")]
    Reply(#[source] ReplyError),
    /// The router answered what was not asked.
    #[error("the router answered a command that was not sent")]
    UnknownTag,
    /// The router kept sending rows of a cancelled command.
    #[error("the router does not stop sending")]
    Flood,
    /// The router did not confirm in time that a command is cancelled.
    #[error("the router stopped answering")]
    Unresponsive,
    /// The client was dropped.
    #[error("the connection was given up")]
    Dropped,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The router refused it.
    #[error("the router refused the command")]
    Trap(#[source] Trap),
    /// No answer in time; the command was cancelled.
    #[error("the router did not answer in time")]
    Timeout {
        /// Whether a write may have taken effect nevertheless.
        maybe_applied: bool,
    },
    /// The connection ended.
    #[error("the connection ended before the answer")]
    Lost {
        /// Why it ended.
        #[source]
        why: Lost,
        /// Whether a write may have taken effect nevertheless.
        maybe_applied: bool,
    },
    /// The answer is larger than allowed; the command was cancelled.
    #[error("the router's answer is larger than {rows} rows or {bytes} bytes")]
    TooLarge {
        /// Rows allowed.
        rows: usize,
        /// Bytes allowed.
        bytes: usize,
        /// Whether a write may have taken effect nevertheless.
        maybe_applied: bool,
    },
}

/// A router's answer to one command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The rows of a print.
    pub rows: Vec<Row>,
    /// The result: the new row's id after an `add`.
    pub ret: Option<Vec<u8>>,
}

impl Response {
    /// Returns the id that an `add` gave to its row.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.ret.as_deref().and_then(|ret| str::from_utf8(ret).ok())
    }
}

/// A connection to a router, logged in. Clones share it; it closes when the last clone and the last [`Listen`] are gone.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Client {
    /// Logs in over a fresh stream, in one step or, where an old router asks for it, with its challenge.
    ///
    /// # Errors
    /// See [`LoginError`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn login<S>(stream: S, user: &str, password: &Secret<String>, options: Options) -> Result<Self, LoginError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let time = options.login_timeout;
        let login = login::login(stream, user, password, options.transcript.as_ref());
        let (stream, decoder) = tokio::time::timeout(time, login).await.map_err(|_| LoginError::Timeout)??;
        Ok(Self { handle: Handle::start(stream, decoder, options) })
    }

    /// Runs a command and waits for its whole answer, for as long as [`Options::call_timeout`].
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropping the future cancels the command on the router; a write may have taken effect.
    pub async fn call(&self, command: &Command) -> Result<Response, CallError> {
        self.call_within(command, self.shared().options.call_timeout).await
    }

    /// Runs a command and waits for its whole answer, at most for the given time.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropping the future cancels the command on the router; a write may have taken effect.
    pub async fn call_within(&self, command: &Command, time: Duration) -> Result<Response, CallError> {
        let mut sent = false;
        let work = async {
            let (done, answer) = oneshot::channel();
            let tag = self.shared().begin(command, |permit| Pending::call(done, command.is_write(), permit)).await?;
            sent = true;
            let _cancel_on_drop = Cancel { shared: self.shared(), tag };
            answer.await.unwrap_or_else(|_| Err(CallError::Lost { why: Lost::Dropped, maybe_applied: command.is_write() }))
        };
        let result = tokio::time::timeout(time, work).await;
        result.unwrap_or(Err(CallError::Timeout { maybe_applied: sent && command.is_write() }))
    }

    /// Runs commands that do not depend on each other, so many at once, and gives their answers in the commands' order. The
    /// router may run them in any order.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the commands in flight; those that follow are not sent.
    pub async fn call_all(&self, commands: &[Command], in_flight: usize) -> Vec<Result<Response, CallError>> {
        // Collected first: a lazy `map` in here would keep the future from being `Send` for every lifetime.
        let mut calls = Vec::with_capacity(commands.len());
        for (index, command) in commands.iter().enumerate() {
            calls.push(async move { (index, self.call(command).await) });
        }
        let mut results: Vec<_> = futures_util::stream::iter(calls).buffer_unordered(in_flight.max(1)).collect().await;
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Runs writes that do not depend on each other and gives their answers in the commands' order: as many are under way as the line
    /// holds, and about `waiting` of them wait at the router, however long the line is. The router may run them in any order.
    ///
    /// # Cancel safety
    /// As [`Client::call_all`].
    ///
    /// # Panics
    /// Never: every command is answered, if only with why it was not.
    pub async fn write_all(&self, commands: &[Command], waiting: usize) -> Vec<Result<Response, CallError>> {
        let mut window = Window::new(waiting, self.shared().options.in_flight);
        let mut rest = commands.iter().enumerate();
        let mut under_way = FuturesUnordered::new();
        let mut results: Vec<Option<Result<Response, CallError>>> = vec![None; commands.len()];
        loop {
            while under_way.len() < window.size()
                && let Some((index, command)) = rest.next()
            {
                let (beside, left) = (under_way.len() + 1, Instant::now());
                under_way.push(async move { (index, beside, left, self.call(command).await) });
            }
            let Some((index, beside, left, result)) = under_way.next().await else { break };
            window.answered(beside, left.elapsed());
            results[index] = Some(result);
        }
        results.into_iter().map(|result| result.expect("every command was answered")).collect()
    }

    /// Runs a handful of commands of which one may cut the connection, and waits until it is cut or all are answered: they are sent in
    /// one piece, so that the router has them all before the first takes effect. It may run them in any order.
    ///
    /// # Errors
    /// See [`CallError`]; that the connection was cut is none. Nothing is sent when there is room for fewer than all.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the commands on the router; they may have taken effect.
    pub async fn call_together(&self, commands: &[Command]) -> Result<(), CallError> {
        let (mut calls, mut answers) = (Vec::with_capacity(commands.len()), Vec::with_capacity(commands.len()));
        for command in commands {
            let (done, answer) = oneshot::channel();
            calls.push((command, move |permit| Pending::call(done, command.is_write(), permit)));
            answers.push(answer);
        }
        let time = self.shared().options.call_timeout;
        let tags = tokio::time::timeout(time, self.shared().begin_together(calls))
            .await
            .unwrap_or(Err(CallError::Timeout { maybe_applied: false }))?;
        let _cancel_on_drop: Vec<Cancel<'_>> = tags.into_iter().map(|tag| Cancel { shared: self.shared(), tag }).collect();
        let wait = async {
            for answer in answers {
                match answer.await {
                    Ok(Err(CallError::Lost { .. })) | Err(_) => return Ok(()),
                    Ok(result) => drop(result?),
                }
            }
            Ok(())
        };
        tokio::time::timeout(time, wait).await.unwrap_or(Err(CallError::Timeout { maybe_applied: true }))
    }

    /// Prints the rows of a menu, with these properties and the row's id.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropping the future cancels the command on the router.
    ///
    /// # Panics
    /// The catalogue does not have the menu or a property.
    pub async fn rows(&self, menu: &'static Menu, properties: &[&str]) -> Result<Vec<Row>, CallError> {
        let names = [ID].into_iter().chain(properties.iter().copied());
        self.call(&Command::print(menu).proplist(names)).await.map(|response| response.rows)
    }

    /// Starts a command that reports rows until it is dropped ([`Command::listen`]). It counts as one command in flight.
    ///
    /// # Errors
    /// The connection is lost, or too busy for [`Options::call_timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn listen(&self, command: &Command) -> Result<Listen, CallError> {
        let (sender, rows) = mpsc::unbounded_channel();
        let end = Arc::new(Mutex::new(None));
        let begin = self.shared().begin(command, |permit| Pending::listen(sender, Arc::clone(&end), permit));
        let time = self.shared().options.call_timeout;
        let tag = tokio::time::timeout(time, begin).await.unwrap_or(Err(CallError::Timeout { maybe_applied: false }))?;
        Ok(Listen { rows, end, tag, client: self.clone() })
    }

    /// Says why the connection ended, if it has.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.shared().lost()
    }

    /// Waits until the connection ends and says why.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn closed(&self) -> Lost {
        self.shared().closed().await
    }

    /// Ends the connection for all its clones: nothing is sent any more, and commands in flight fail.
    pub fn close(&self) {
        self.shared().close(&Lost::Dropped);
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

/// Cancels a command that is still in flight when dropped.
struct Cancel<'a> {
    shared: &'a Shared,
    tag: u64,
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        self.shared.abandon(self.tag);
    }
}

/// The rows of a [`Client::listen`]; dropping it cancels the command.
#[derive(Debug)]
pub struct Listen {
    rows: mpsc::UnboundedReceiver<Row>,
    end: Arc<Mutex<Option<CallError>>>,
    tag: u64,
    client: Client,
}

impl Listen {
    /// Waits for the next row; [`Row::is_dead`] marks a deletion. After an error, or when the router ended the command, there
    /// is nothing more. Who does not keep up gets [`CallError::TooLarge`] after the rows that were kept.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no row.
    pub async fn next(&mut self) -> Option<Result<Row, CallError>> {
        if let Some(row) = self.rows.recv().await {
            self.client.shared().release(self.tag, &row);
            return Some(Ok(row));
        }
        self.end.lock().unwrap_or_else(PoisonError::into_inner).take().map(Err)
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        self.client.shared().abandon(self.tag);
    }
}
