//! First contact with a router by SSH, from a machine that reaches it: its block is run in its console, as a person would paste it.
//!
//! The order is chosen so that nothing is lost where it goes wrong: the router is known, let us in and is new enough before the
//! controller makes texts for it, and the block, which is secret, is sent to nothing that is no RouterOS. The block and the password are
//! in memory alone.

mod console;
mod known_hosts;
mod ssh;

use super::client::{Answer, Call, Client};
use super::output::{print, print_aside};
use super::password;
use super::routers::ROUTER;
use super::table::{fields, one_line, typed};
use super::units::text;
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use clap::Args;
use console::Ending;
use known_hosts::KnownHosts;
use model::{RouterosVersion, Secret};
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use tokio::task::block_in_place;

const PORT_DEFAULT: u16 = 22;
const USER_DEFAULT: &str = "admin";
/// How long the controller may take to finish with a router that says it has joined.
const FINISH_LIMIT: Duration = Duration::from_secs(60);
/// How long is looked for a router whose connection broke: the block itself waits for 61 s.
const CUT_LIMIT: Duration = Duration::from_secs(75);
/// How long is looked for a router that waited in vain.
const LATE_LIMIT: Duration = Duration::from_secs(5);
/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Adds a router, if there is none of that name, and runs its block in its console over SSH.
///
/// For a bench, or a laptop at the site. The router's host key is shown and, once accepted, kept for that address; its password is asked
/// for, or read as one line when piped (an empty line where there is none), and never stored.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mastwire-controller router enrol mast-1 --ssh 192.168.88.1\n  \
    mastwire-controller router enrol mast-1 --ssh admin@192.168.88.1:2222 --host-key SHA256:GaW2ZzZRbOvFz1eMgVhGBwWCQaBKEC7uA54dBHHXIFc < password.txt\n\n\
    Ends with:\n  \
    0  the router has joined\n  \
    1  the controller refused, or something on this machine is wrong; the router was not changed\n  \
    3  no SSH server answers there, or the connection broke\n  \
    4  the host key is not the known one, or nobody accepted it\n  \
    5  the router refuses this account or password\n  \
    6  the router cannot, or will not: no RouterOS, too old, device-mode, rights, or something in the way\n  \
    7  the router did all it was told, and has not joined yet")]
pub(super) struct Enrol {
    /// What people call it
    name: String,
    /// Where its SSH is; the account is admin and the port 22 unless given
    #[arg(long, value_name = "[USER@]HOST[:PORT]")]
    ssh: Target,
    /// The host key it must have; takes the place of one that was kept
    #[arg(long, value_name = "SHA256:…")]
    host_key: Option<Fingerprint>,
    /// Log in with this private key instead of a password
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The router has joined before: give it new texts
    #[arg(long)]
    again: bool,
}

/// Where a router's SSH is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    user: String,
    host: String,
    port: u16,
}

/// A text is no place of SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as admin@192.168.88.1 or admin@192.168.88.1:22, and an IPv6 address in brackets")]
pub(super) struct NoTarget;

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let (user, place) = text.rsplit_once('@').unwrap_or((USER_DEFAULT, text));
        let (host, port) = match place.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, ""))) => (host, None),
            Some(Some((host, rest))) => (host, Some(rest.strip_prefix(':').ok_or(NoTarget)?)),
            Some(None) => return Err(NoTarget),
            None if place.matches(':').count() > 1 => (place, None),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(PORT_DEFAULT), str::parse).ok().filter(|port| *port > 0).ok_or(NoTarget)?;
        let good = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control());
        if good(user) && good(host) { Ok(Self { user: user.to_owned(), host: host.to_owned(), port }) } else { Err(NoTarget) }
    }
}

impl Target {
    /// What its key is kept under.
    fn address(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.address())
    }
}

/// The SHA-256 of a host key, as OpenSSH writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(String);

/// A text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is SHA256: and 43 letters, as ssh-keygen -l shows it")]
pub(super) struct NoFingerprint;

impl Fingerprint {
    fn of(hash: &[u8]) -> Self {
        Self(format!("SHA256:{}", STANDARD_NO_PAD.encode(hash)))
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let hash = text.strip_prefix("SHA256:").and_then(|code| STANDARD_NO_PAD.decode(code.trim_end_matches('=')).ok());
        hash.filter(|hash| hash.len() == 32).map(|hash| Self::of(&hash)).ok_or(NoFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key that a router shows.
#[derive(Debug, Clone)]
struct HostKey {
    kind: &'static str,
    fingerprint: Fingerprint,
}

/// How somebody shows who they are.
#[derive(Clone, Copy)]
enum Proof<'a> {
    /// Not at all: for routers without a password.
    Nothing,
    Password(&'a Secret<String>),
    /// A file with a private key.
    Key(&'a Path),
}

/// A connection to a router's console, so that the steps can be tried without a socket.
trait FirstContact: fmt::Debug {
    /// The key it shows.
    fn key(&self) -> &HostKey;

    /// Logs in; says whether it was let in.
    ///
    /// # Errors
    /// When the connection breaks.
    fn log_in(&mut self, user: &str, proof: Proof<'_>) -> Result<bool, ContactError>;

    /// Runs a text as one script and hands over what it prints.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for too long; a part may have run.
    fn run(&mut self, text: &str, hear: &mut dyn FnMut(&[u8])) -> Result<(), ContactError>;
}

/// Whoever sits before this machine.
trait Person {
    /// Says whether a key is the right one; nothing when nobody can be asked.
    fn accepts(&mut self, question: &str) -> anyhow::Result<Option<bool>>;
    fn password(&mut self, target: &Target) -> anyhow::Result<Secret<String>>;
    fn hears(&mut self, line: &str);
}

/// Somebody at a terminal, or a script.
struct Here;

impl Person for Here {
    fn accepts(&mut self, question: &str) -> anyhow::Result<Option<bool>> {
        password::confirm(question)
    }

    fn password(&mut self, target: &Target) -> anyhow::Result<Secret<String>> {
        password::ask_maybe_empty(&format!("Password of {} on the router (Enter if it has none): ", one_line(&target.user)))
    }

    fn hears(&mut self, line: &str) {
        print_aside(&format!("router: {line}\n"));
    }
}

/// Why a router has not joined by SSH.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContactError {
    #[error("nothing answers at {target}: is the cable in, is this the address, and is SSH on (/ip service enable ssh)?")]
    Unreachable {
        target: Target,
        #[source]
        source: std::io::Error,
    },
    #[error("what answers at {target} speaks no SSH that we understand")]
    NotSsh {
        target: Target,
        #[source]
        source: ssh2::Error,
    },
    #[error("the router shows no host key")]
    NoKey,
    #[error(
        "THE HOST KEY OF {address} HAS CHANGED\n  kept:  {kept}\n  shown: {shown}\n\
         nothing was sent to it. Another box at this address (every new MikroTik is 192.168.88.1), or one that was reset, has another key; so \
         has somebody who listens in between. If you know that it is the right box, for example by a cable that leads nowhere else, add: \
         --host-key {shown}"
    )]
    KeyChanged { address: String, kept: Fingerprint, shown: Fingerprint },
    #[error("the host key of {address} is {shown}, and not {given} as --host-key says; nothing was sent to it")]
    KeyOther { address: String, given: Fingerprint, shown: Fingerprint },
    #[error("the host key was not accepted; nothing was sent to the router")]
    KeyRefused,
    #[error("{address} is new here, and nobody can be asked whether its host key is right. If it is, add: --host-key {shown}")]
    KeyUnknown { address: String, shown: Fingerprint },
    #[error("the router refuses {user}: is the password right (a new router has it on its sticker, an older one has none)?")]
    Refused { user: String },
    #[error("the connection broke while logging in; the router was not changed")]
    Login(#[source] ssh2::Error),
    #[error("the block is too long for one request; paste it by hand")]
    TooLong,
    #[error("this is no RouterOS: asked for its version it says `{0}`. The block was not sent to it")]
    NotRouterOs(String),
    #[error(
        "this is RouterOS {0}, which has no WireGuard: it came with 7.1. Upgrade the router to RouterOS 7 first; it was not changed"
    )]
    TooOld(RouterosVersion),
    #[error("the connection broke; what was done on the router is harmless to repeat: run this again")]
    Cut(#[source] std::io::Error),
    #[error("the router said nothing for 120 s; what was done on it is harmless to repeat: run this again")]
    Silent,
    #[error("{}", stopped(*.0, .1))]
    Stopped(Ending, Vec<String>),
    #[error("{why}\n  {seen}")]
    NotJoined { why: String, seen: String },
}

fn stopped(ending: Ending, said: &[String]) -> String {
    let last = said.last().map(|line| format!("the router says `{line}`: ")).unwrap_or_default();
    format!("{last}{}", ending.remedy())
}

impl ContactError {
    /// What the program ends with; told in the command's help.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. } | Self::NotSsh { .. } | Self::Login(_) | Self::Cut(_) | Self::Silent => 3,
            Self::NoKey | Self::KeyChanged { .. } | Self::KeyOther { .. } | Self::KeyRefused | Self::KeyUnknown { .. } => 4,
            Self::Refused { .. } => 5,
            Self::TooLong | Self::NotRouterOs(_) | Self::TooOld(_) | Self::Stopped(..) => 6,
            Self::NotJoined { .. } => 7,
        }
    }
}

impl Enrol {
    pub(super) async fn run(self, client: &Client) -> anyhow::Result<String> {
        let known = self.known(client).await?;
        let mut hosts = KnownHosts::read()?;
        let mut contact = block_in_place(|| ssh::Ssh::connect(&self.ssh))?;
        let version = block_in_place(|| self.meet(&mut contact, &mut hosts, &mut Here))?;
        print_aside(&format!("the router runs RouterOS {version}; it is given its block, which takes up to a minute\n"));
        let call = match &known {
            Some(id) => Call::post(["routers", id, "reissue"]),
            None => Call::post(ROUTER.list).json(&json!({ "name": self.name })),
        };
        let mut made = client.send(call).await?.value;
        let block = match made["block"].take() {
            Value::String(block) => Secret::new(block),
            _ => bail!("the controller sent no block"),
        };
        let (said, outcome) = block_in_place(|| console::run(&mut contact, &block, &mut Here));
        drop(block);
        let ending = Ending::of(&said);
        let limit = match (&outcome, ending) {
            (_, Ending::Joined) => FINISH_LIMIT,
            (Ok(()), Ending::NotJoined) => LATE_LIMIT,
            (Err(_), _) | (Ok(()), Ending::Nothing) => CUT_LIMIT,
            (Ok(()), _) => Duration::ZERO,
        };
        if limit == CUT_LIMIT {
            let why = outcome.as_ref().map_or_else(ToString::to_string, |()| ending.remedy().to_owned());
            print_aside(&format!("{why}\nlooking for {} s whether it joins all the same\n", limit.as_secs()));
        }
        let view = joined(client, &text(&made, "id"), &text(&made, "enrolment"), limit).await?;
        let completed = view["enrolment"]["state"] == "completed" && view["enrolment"]["id"] == made["enrolment"];
        let told = json!({
            "joined": completed, "ssh": self.ssh.to_string(), "host_key": contact.key().fingerprint.as_str(),
            "said": said, "router": view,
        });
        let told = Answer { text: told.to_string(), value: told };
        if completed {
            return Ok(client.show(&told, |value| self.success(&value["router"])));
        }
        if client.wants_json() {
            print(&client.show(&told, |_| String::new()))?;
        }
        if limit == CUT_LIMIT {
            print_aside(&format!("{}\n", seen(&told.value["router"])));
        }
        Err(failure(outcome, ending, said, &told.value["router"]).into())
    }

    /// Finds a router of this name that may be given new texts.
    async fn known(&self, client: &Client) -> anyhow::Result<Option<String>> {
        let Some(id) = client.find(&ROUTER, &self.name).await? else { return Ok(None) };
        let stage = text(&client.send(Call::get(["routers", &id])).await?.value, "stage");
        if stage != "created" && !self.again {
            bail!(
                "`{}` has joined already. To give it new texts, which also moves its name to another box: add --again",
                one_line(&self.name)
            );
        }
        Ok(Some(id))
    }

    /// Makes sure that it is the right box, that it lets us in, and that it can join.
    fn meet(
        &self,
        contact: &mut dyn FirstContact,
        hosts: &mut KnownHosts,
        person: &mut dyn Person,
    ) -> anyhow::Result<RouterosVersion> {
        self.check_key(contact.key(), hosts, person)?;
        let user = &self.ssh.user;
        let entered = match &self.identity {
            Some(file) => contact.log_in(user, Proof::Key(file))?,
            // Whoever has no password is not asked for one.
            None => {
                contact.log_in(user, Proof::Nothing)? || {
                    let password = person.password(&self.ssh)?;
                    contact.log_in(user, Proof::Password(&password))?
                }
            }
        };
        if !entered {
            return Err(ContactError::Refused { user: self.ssh.to_string() }.into());
        }
        Ok(console::look(contact)?)
    }

    fn check_key(&self, key: &HostKey, hosts: &mut KnownHosts, person: &mut dyn Person) -> anyhow::Result<()> {
        let (address, shown) = (self.ssh.address(), &key.fingerprint);
        match (&self.host_key, hosts.of(&address)) {
            (Some(given), _) if given != shown => {
                return Err(ContactError::KeyOther { address, given: given.clone(), shown: shown.clone() }.into());
            }
            (None, Some(kept)) if kept != shown => {
                return Err(ContactError::KeyChanged { address, kept: kept.clone(), shown: shown.clone() }.into());
            }
            (None, Some(_)) => return Ok(()),
            (Some(_), _) => {}
            (None, None) => {
                let question = format!(
                    "{} is new here. Its {} host key is {shown}.\nIs it the right box? Type yes to go on: ",
                    one_line(&address),
                    key.kind
                );
                match person.accepts(&question)? {
                    Some(true) => {}
                    Some(false) => return Err(ContactError::KeyRefused.into()),
                    None => return Err(ContactError::KeyUnknown { address, shown: shown.clone() }.into()),
                }
            }
        }
        hosts.keep(&address, shown)
    }

    fn success(&self, router: &Value) -> String {
        let serial = text(router, "serial");
        let mut shown = fields(&[
            ("outcome", format!("`{}` has joined", self.name)),
            ("board", text(router, "board")),
            ("version", text(router, "version")),
            ("serial", serial.clone()),
            ("address", text(router, "address")),
        ]);
        let next = format!("mastwire-controller router confirm {} {}", typed(&self.name), typed(&serial));
        shown.push_str(&one_line(&format!("compare the serial number with the box, then: {next}")));
        shown.push('\n');
        shown
    }
}

/// Looks at a router until the controller has finished with its enrolment, or the time is up; returns what it saw last.
async fn joined(client: &Client, id: &str, enrolment: &str, limit: Duration) -> anyhow::Result<Value> {
    let look = async || client.send(Call::get(["routers", id])).await;
    let waiting = async {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            // The controller may be away for a moment; whoever looks last tells.
            let Ok(answer) = look().await else { continue };
            if answer.value["enrolment"]["state"] == "completed" && answer.value["enrolment"]["id"] == enrolment {
                return;
            }
        }
    };
    // Not in time: the last look says how far it is.
    let _late = tokio::time::timeout(limit, waiting).await;
    Ok(look().await.context("the controller does not say whether the router has joined")?.value)
}

/// Says why it has not joined.
fn failure(outcome: Result<(), ContactError>, ending: Ending, said: Vec<String>, router: &Value) -> ContactError {
    let why = match (outcome, ending) {
        (Err(error), ending) if ending != Ending::Joined => return error,
        (_, Ending::Joined) => "the router says that it has joined, but the controller has not finished with it".to_owned(),
        (_, Ending::NotJoined) => ending.remedy().to_owned(),
        (_, ending) => return ContactError::Stopped(ending, said),
    };
    ContactError::NotJoined { why, seen: seen(router) }
}

/// Says what the hub saw of a router.
fn seen(router: &Value) -> String {
    match text(&router["enrolment"], "last_attempt") {
        seen if seen.is_empty() => "the hub has seen nothing of it: is its UDP port open on the way from the router?".to_owned(),
        seen => format!("last seen of it: {}", one_line(&seen)),
    }
}

#[cfg(test)]
mod tests;
