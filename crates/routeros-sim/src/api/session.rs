//! One connection: login, commands that may overtake each other, listeners.

use super::words::{Answer, request};
use crate::device::users::Proof;
use crate::device::{LoginError, Request, RowId, Session, Shown, Trap};
use crate::router::Fate;
use crate::shell::Shared;
use model::RouterosVersion;
use routeros::codec::{Decoder, Limits, Sentence};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// The first version that says `!empty` for a print without rows.
const EMPTY: RouterosVersion = RouterosVersion::new(7, 18, 0);
/// The most listeners of one connection.
const LISTENERS_MAX: usize = 64;
/// How long a connection may stay without a login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Properties that change all the time, of which a listener is not told.
const RESTLESS: &[&str] = &[
    "uptime",
    "bytes",
    "bytes-in",
    "bytes-out",
    "packets",
    "rate",
    "rx",
    "tx",
    "rx-byte",
    "tx-byte",
    "idle-time",
    "session-time-left",
    "expires-in",
    "last-handshake",
    "timeout",
];

struct Listener {
    tag: Option<Vec<u8>>,
    request: Request,
    seen: BTreeMap<String, Shown>,
    version: u64,
}

/// The road of a connection that comes out of a tunnel, on which the router's firewall stands.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The tunnel's interface.
    pub interface: String,
    /// The router's address in it.
    pub own: Ipv4Addr,
    /// Where the connection comes from.
    pub source: Ipv4Addr,
    /// The port it goes to.
    pub port: u16,
}

/// What a connection does next.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    Close,
}

struct Connection {
    shared: Arc<Shared>,
    source: Option<IpAddr>,
    login: Option<(Session, RowId)>,
    challenge: Option<Vec<u8>>,
    listeners: Vec<Listener>,
    out: Vec<u8>,
    /// When the router has written what it was told last.
    busy: Option<Instant>,
    boots: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some((_, id)) = self.login.take() {
            let boots = self.boots;
            self.shared.with(|router, _| {
                if router.boots() == boots {
                    router.device_mut().logout(id);
                }
            });
        }
    }
}

/// Serves the API on a stream until either side ends it or the router restarts.
///
/// `source` is where the connection comes from, as service and account bindings judge it; nothing passes them all. `inside` is the road
/// of one out of a tunnel: what arrives while the firewall drops it waits, as the sender's repeats do, and comes through later.
///
/// # Errors
/// When the stream fails, or carries what is not the API's protocol.
///
/// # Cancel safety
/// Dropping it ends the connection; commands that were read are done.
pub async fn serve<S>(shared: Arc<Shared>, mut stream: S, source: Option<IpAddr>, inside: Option<Inside>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let boots = shared.with(|router, _| router.boots());
    let mut changes = shared.changes();
    let mut connection =
        Connection { shared, source, login: None, challenge: None, listeners: Vec::new(), out: Vec::new(), busy: None, boots };
    let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
    let mut buffer = vec![0; 16 << 10];
    let deadline = Instant::now() + LOGIN_TIMEOUT;
    loop {
        let waits_for_login = connection.login.is_none();
        tokio::select! {
            read = stream.read(&mut buffer) => {
                let count = read?;
                if count == 0 || !passes(&connection.shared, inside.as_ref(), boots).await {
                    return Ok(());
                }
                decoder.push(&buffer[..count]);
                let flow = connection.take(&mut decoder, &mut stream).await?;
                connection.flush(&mut stream).await?;
                if flow == Flow::Close {
                    return stream.shutdown().await;
                }
            }
            changed = changes.changed() => {
                if changed.is_err() || connection.is_dead() {
                    return Ok(());
                }
                connection.tell_listeners();
                connection.flush(&mut stream).await?;
            }
            () = tokio::time::sleep_until(deadline), if waits_for_login => return Ok(()),
        }
    }
}

/// Waits until the firewall lets pass what has arrived; says no when the router restarted meanwhile.
async fn passes(shared: &Arc<Shared>, inside: Option<&Inside>, boots: u64) -> bool {
    let Some(Inside { interface, own, source, port }) = inside else { return true };
    let mut changes = shared.changes();
    loop {
        let (carried, alive) = shared
            .with(|router, _| (router.device().carries(interface, *own, *source, *port, "established"), router.boots() == boots));
        if carried || !alive || changes.changed().await.is_err() {
            return carried && alive;
        }
    }
}

impl Connection {
    /// Says whether the router restarted.
    fn is_dead(&self) -> bool {
        let boots = self.boots;
        self.shared.with(|router, _| router.boots() != boots)
    }

    /// Sends what is ready, as fast as the router's link allows.
    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            let speed = self.shared.with(|router, _| router.faults.bytes_per_second);
            let Some(speed) = speed.filter(|speed| *speed > 0) else {
                stream.write_all(rest).await?;
                break;
            };
            // Ten pieces a second, or single bytes where that is too much.
            let size = usize::try_from(speed / 10).unwrap_or(1).clamp(1, rest.len());
            stream.write_all(&rest[..size]).await?;
            stream.flush().await?;
            rest = &rest[size..];
            tokio::time::sleep(Duration::from_secs(1) * u32::try_from(size).unwrap_or(1) / speed).await;
        }
        stream.flush().await
    }

    /// Takes every sentence that is complete. Tagged ones are in flight together, and nothing promises their order.
    async fn take<S: AsyncWrite + Unpin>(&mut self, decoder: &mut Decoder, stream: &mut S) -> io::Result<Flow> {
        let mut together: Vec<Sentence> = Vec::new();
        while let Some(sentence) = decoder.poll().map_err(io::Error::other)? {
            let alone = sentence.tag().is_none() || matches!(sentence.first(), b"/login" | b"/cancel" | b"/quit");
            if !alone {
                together.push(sentence);
                continue;
            }
            let flow = self.run_together(&mut together, stream).await?;
            if flow == Flow::Close || self.run(&sentence) == Flow::Close {
                return Ok(Flow::Close);
            }
            self.settle(stream).await?;
            if self.login.is_some() {
                decoder.set_limits(Limits::DEFAULT);
            }
        }
        self.run_together(&mut together, stream).await
    }

    async fn run_together<S: AsyncWrite + Unpin>(&mut self, sentences: &mut Vec<Sentence>, stream: &mut S) -> io::Result<Flow> {
        self.shared.with(|router, _| router.shuffle(sentences));
        for sentence in std::mem::take(sentences) {
            if self.run(&sentence) == Flow::Close {
                return Ok(Flow::Close);
            }
            self.settle(stream).await?;
        }
        Ok(Flow::Continue)
    }

    /// Answers a write, and begins with the next command, only when the router has written it.
    async fn settle<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        let Some(until) = self.busy.take() else { return Ok(()) };
        tokio::time::sleep_until(until).await;
        self.flush(stream).await
    }

    fn run(&mut self, sentence: &Sentence) -> Flow {
        self.shared.with(|router, _| router.record(sentence));
        let tag = sentence.tag();
        match (sentence.first(), &self.login) {
            (b"/login", _) => self.log_in(sentence),
            (b"/quit", _) => {
                Answer::new(&mut self.out, tag).fatal("session terminated on request");
                Flow::Close
            }
            (_, None) => {
                Answer::new(&mut self.out, tag).fatal("not logged in");
                Flow::Close
            }
            (b"/cancel", Some(_)) => {
                self.cancel(sentence);
                Flow::Continue
            }
            (_, Some((session, _))) => {
                let session = session.clone();
                self.command(&session, sentence)
            }
        }
    }

    fn log_in(&mut self, sentence: &Sentence) -> Flow {
        let text = |name: &str| sentence.attribute(name).map(crate::device::text::from_bytes);
        let mut answer = Answer::new(&mut self.out, sentence.tag());
        let Some(name) = text("name") else {
            let key = self.shared.with(|router, _| router.device_mut().new_challenge());
            answer.done(Some(&hex::encode(&key)));
            self.challenge = Some(key);
            return Flow::Continue;
        };
        let password = text("password").unwrap_or_default();
        let response = text("response").zip(self.challenge.take());
        let proof = match &response {
            Some((response, challenge)) => Proof::Response { challenge, response },
            None => Proof::Password(&password),
        };
        let source = self.source;
        let login = self.shared.with(|router, _| {
            if router.faults.sessions_taken { Err(LoginError::TooMany) } else { router.device_mut().login(&name, proof, source) }
        });
        match login {
            Ok(login) => {
                self.login = Some(login);
                answer.done(None);
                Flow::Continue
            }
            Err(error @ LoginError::Refused) => {
                answer.trap(&Trap::failure(error.to_string()));
                answer.done(None);
                Flow::Continue
            }
            Err(LoginError::TooMany) => Flow::Close,
        }
    }

    fn command(&mut self, session: &Session, sentence: &Sentence) -> Flow {
        let mut request = request(sentence);
        if request.command == "listen" {
            self.listen(session, sentence.tag(), request);
            return Flow::Continue;
        }
        if request.command.is_empty() && request.path.is_empty() {
            request.path.push('/');
        }
        let reads = matches!(request.command.as_str(), "print" | "getall") || request.path == "/file/read";
        let (outcome, fate, version) = self.shared.with(|router, now| {
            let fate = router.strike(&request, now);
            let outcome = match router.refuses(&request) {
                Some(trap) => Err(trap),
                None => router.execute(session, &request, now),
            };
            let lost = !reads && router.loses_reply();
            if fate == Fate::Restarts {
                router.reboot(now);
            }
            (outcome, if lost { Fate::Lost } else { fate }, router.device().config().version)
        });
        self.busy = if reads { None } else { self.shared.written_at() };
        match fate {
            Fate::Answered | Fate::Cut => {}
            Fate::Lost => return Flow::Continue,
            Fate::Restarts => return Flow::Close,
        }
        let before = self.out.len();
        let mut answer = Answer::new(&mut self.out, sentence.tag());
        match outcome {
            Ok(output) => {
                for row in &output.rows {
                    answer.row(row);
                }
                if reads && output.rows.is_empty() && output.ret.is_none() && version >= EMPTY {
                    answer.empty();
                }
                answer.done(output.ret.as_deref());
            }
            Err(trap) => {
                answer.trap(&trap);
                answer.done(None);
            }
        }
        if fate == Fate::Cut {
            self.out.truncate(usize::midpoint(before, self.out.len()));
            return Flow::Close;
        }
        Flow::Continue
    }

    fn listen(&mut self, session: &Session, tag: Option<&[u8]>, mut request: Request) {
        "print".clone_into(&mut request.command);
        let full = self.listeners.len() >= LISTENERS_MAX;
        let seen = self.shared.with(|router, now| {
            let version = router.device().table_version(&request.path);
            router.execute(session, &request, now).map(|output| (output.rows, version))
        });
        let mut answer = Answer::new(&mut self.out, tag);
        match seen {
            Ok((rows, version)) if !full => {
                let seen = rows.into_iter().map(|row| (id_of(&row).to_owned(), calm(row))).collect();
                self.listeners.push(Listener { tag: tag.map(<[u8]>::to_vec), request, seen, version });
            }
            Ok(_) => {
                answer.trap(&Trap::of(5, "too many commands"));
                answer.done(None);
            }
            Err(trap) => {
                answer.trap(&trap);
                answer.done(None);
            }
        }
    }

    /// Tells listeners what was added, changed and removed since they were last told.
    fn tell_listeners(&mut self) {
        let Some((session, _)) = self.login.clone() else { return };
        for listener in &mut self.listeners {
            let rows = self.shared.with(|router, now| {
                let version = router.device().table_version(&listener.request.path);
                if version == listener.version {
                    return None;
                }
                listener.version = version;
                router.execute(&session, &listener.request, now).ok().map(|output| output.rows)
            });
            let Some(rows) = rows else { continue };
            let mut answer = Answer::new(&mut self.out, listener.tag.as_deref());
            let mut before = std::mem::take(&mut listener.seen);
            for row in rows {
                let id = id_of(&row).to_owned();
                let quiet = calm(row.clone());
                if before.remove(&id).as_ref() != Some(&quiet) {
                    answer.row(&row);
                }
                listener.seen.insert(id, quiet);
            }
            for id in before.keys().filter_map(|id| RowId::parse(id)) {
                answer.dead(id);
            }
        }
    }

    fn cancel(&mut self, sentence: &Sentence) {
        let victim = sentence.attribute("tag").map(<[u8]>::to_vec);
        let meant = |listener: &Listener| victim.is_none() || listener.tag == victim;
        let (cancelled, kept): (Vec<Listener>, Vec<Listener>) = std::mem::take(&mut self.listeners).into_iter().partition(meant);
        self.listeners = kept;
        for listener in &cancelled {
            Answer::new(&mut self.out, listener.tag.as_deref()).trap(&Trap::of(2, "interrupted"));
        }
        Answer::new(&mut self.out, sentence.tag()).done(None);
        for listener in &cancelled {
            Answer::new(&mut self.out, listener.tag.as_deref()).done(None);
        }
    }
}

fn id_of(row: &Shown) -> &str {
    row.iter().find(|(name, _)| name == ".id").map_or("", |(_, value)| value.as_str())
}

fn calm(row: Shown) -> Shown {
    row.into_iter().filter(|(name, _)| !RESTLESS.contains(&name.as_str())).collect()
}
