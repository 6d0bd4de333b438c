//! The router with everything that goes on in it: the device, the scripts that run, the customers, the faults. Pure as the
//! device is; whoever owns it tells the time and does what [`Router::take_fetch`] asks for.

mod customers;
mod host;

pub use customers::{Customer, CustomerReport};
pub use host::{Fetch, Fetched};

use crate::console::{Console, Failure, Globals, Step, Value};
use crate::device::random::Random;
use crate::device::{Config, Device, Effect, Output, Request, Session, Trap, text};
use customers::Customers;
use host::ConsoleHost;
use jiff::{SignedDuration, Timestamp};
use routeros::codec::Sentence;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most API sentences that are remembered.
const TRANSCRIPT_MAX: usize = 20_000;
/// The most scripts that run at once.
const RUNS_MAX: usize = 64;

/// Names a run of a script or of what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it printed.
    pub output: Vec<String>,
    /// What failed.
    pub failures: Vec<Failure>,
}

/// What was heard of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What it printed since then.
    pub output: Vec<String>,
    /// What failed, once it has ended.
    pub ended: Option<Vec<Failure>>,
}

/// Why a script could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The terminal has not finished what was typed before.
    #[error("the console is still busy with what was typed before")]
    Busy,
    /// Too many scripts run.
    #[error("{RUNS_MAX} scripts are running already")]
    TooMany,
    /// Nobody of that name may log in.
    #[error("there is no account `{0}`, or it is disabled")]
    NoAccount(String),
    /// The text is too long.
    #[error("the text is too long: {0}")]
    TooLong(Failure),
}

#[derive(Debug)]
struct Run {
    console: Console,
    session: Session,
    name: String,
    output: Vec<String>,
    wake: Timestamp,
    waiting: bool,
    /// Whether somebody waits for the end; the log gets it otherwise.
    watched: bool,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone)]
pub struct Faults {
    /// How many answers to writes get lost after the write took effect.
    pub lose_replies: u32,
    /// Whether the uplink carries anything: tunnel and connections.
    pub link: bool,
    /// The most bytes that the API sends in a second.
    pub bytes_per_second: Option<u32>,
    /// How long the router writes after each command of the API that changes something; no longer than its own work where nothing is
    /// said. Real ones take 1 to 3 ms for an add, measured on an RB5009 with address lists.
    pub write_time: Option<Duration>,
}

/// A virtual router at work.
#[derive(Debug)]
pub struct Router {
    device: Device,
    customers: Customers,
    globals: Globals,
    runs: BTreeMap<RunId, Run>,
    ended: BTreeMap<RunId, Ended>,
    next_run: u64,
    terminal: Console,
    terminal_run: Option<RunId>,
    fetches: VecDeque<Fetch>,
    transcript: VecDeque<Sentence>,
    /// What goes wrong on purpose.
    pub faults: Faults,
    shuffle: Random,
    boots: u64,
    reboot_asked: bool,
}

impl Router {
    /// Makes a router as it comes up for the first time.
    #[must_use]
    pub fn new(config: Config, now: Timestamp) -> Self {
        let seed = config.seed;
        Self {
            device: Device::new(config, now),
            customers: Customers::default(),
            globals: Globals::new(),
            runs: BTreeMap::new(),
            ended: BTreeMap::new(),
            next_run: 0,
            terminal: Console::terminal(),
            terminal_run: None,
            fetches: VecDeque::new(),
            transcript: VecDeque::new(),
            faults: Faults { lose_replies: 0, link: true, bytes_per_second: None, write_time: None },
            shuffle: Random::new(seed ^ 0x5be0_cd19_137e_2179),
            boots: 1,
            reboot_asked: false,
        }
    }

    /// Returns the device.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Returns the device to change it past its menus.
    pub const fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// Returns how often the router came up; a connection of an earlier life is dead.
    #[must_use]
    pub const fn boots(&self) -> u64 {
        self.boots
    }

    /// Runs one command, and what it sets off.
    ///
    /// # Errors
    /// The trap that RouterOS would answer.
    pub fn execute(&mut self, session: &Session, request: &Request, now: Timestamp) -> Result<Output, Trap> {
        let outcome = self.device.execute(session, request, now);
        if request.command != "print" {
            self.tick(now);
        }
        outcome
    }

    /// Lets time pass for everything.
    pub fn tick(&mut self, now: Timestamp) {
        self.device.tick(now);
        self.customers.tick(&mut self.device, now);
        self.run_effects(now);
        self.resume_runs(now);
        self.run_effects(now);
        if std::mem::take(&mut self.reboot_asked) {
            self.reboot(now);
        }
    }

    /// Restarts: connections, sessions and scripts end, the configuration stays.
    pub fn reboot(&mut self, now: Timestamp) {
        self.boots += 1;
        let names: Vec<RunId> = self.runs.keys().copied().collect();
        for id in names {
            self.finish(id, Vec::new());
        }
        self.terminal = Console::terminal();
        self.globals.clear();
        self.fetches.clear();
        self.device.reboot(now);
    }

    /// Starts a script, as `/import` or a scheduler entry would; its end is kept for [`Router::take_ended`].
    ///
    /// # Errors
    /// When too many run.
    pub fn start_script(&mut self, text: &str, now: Timestamp) -> Result<RunId, StartError> {
        self.start(Console::script(text), Session::console(), "import".to_owned(), true, now)
    }

    /// Types or pastes text at the terminal; its end is kept for [`Router::take_ended`].
    ///
    /// # Errors
    /// When the terminal is busy, or the text too long.
    pub fn start_paste(&mut self, text: &str, now: Timestamp) -> Result<RunId, StartError> {
        if self.terminal_run.is_some() {
            return Err(StartError::Busy);
        }
        self.terminal.enter(text).map_err(StartError::TooLong)?;
        let console = std::mem::replace(&mut self.terminal, Console::terminal());
        let id = self.start(console, Session::console(), "terminal".to_owned(), true, now)?;
        if self.runs.contains_key(&id) {
            self.terminal_run = Some(id);
        }
        Ok(id)
    }

    /// Runs the text of an `exec` request over SSH as an account. It is taken as a script: parsed as a whole, and ended by its first
    /// failure (inferred; no recording shows it).
    ///
    /// # Errors
    /// When the account is not there, or too many scripts run.
    pub fn start_exec(&mut self, user: &str, text: &str, now: Timestamp) -> Result<RunId, StartError> {
        let session = self.device.session_of(user).ok_or_else(|| StartError::NoAccount(user.to_owned()))?;
        self.start(Console::script(text), session, "ssh".to_owned(), true, now)
    }

    /// Returns what a run has printed after the first `from` lines, and its end once it has ended, which is then forgotten; nothing
    /// for a run that is not known.
    pub fn hear(&mut self, id: RunId, from: usize) -> Option<Heard> {
        let since = |output: &[String]| output.get(from..).unwrap_or_default().to_vec();
        if let Some(run) = self.runs.get(&id) {
            return Some(Heard { output: since(&run.output), ended: None });
        }
        let ended = self.ended.remove(&id)?;
        Some(Heard { output: since(&ended.output), ended: Some(ended.failures) })
    }

    fn start(
        &mut self,
        console: Console,
        session: Session,
        name: String,
        watched: bool,
        now: Timestamp,
    ) -> Result<RunId, StartError> {
        if self.runs.len() >= RUNS_MAX {
            return Err(StartError::TooMany);
        }
        self.next_run += 1;
        let id = RunId(self.next_run);
        self.runs.insert(id, Run { console, session, name, output: Vec::new(), wake: now, waiting: false, watched });
        self.tick(now);
        Ok(id)
    }

    /// Takes the end of a run that has ended.
    pub fn take_ended(&mut self, id: RunId) -> Option<Ended> {
        self.ended.remove(&id)
    }

    /// Takes the next file that has to be fetched; [`Router::fetched`] takes the outcome.
    pub fn take_fetch(&mut self) -> Option<Fetch> {
        self.fetches.pop_front()
    }

    /// Gives the outcome of a fetch to the script that waits for it.
    pub fn fetched(&mut self, fetch: &Fetch, outcome: Result<Fetched, String>, now: Timestamp) {
        let value =
            outcome.map(|fetched| fetch.keep(&mut self.device, fetched, now)).map_err(|error| format!("failure: {error}").into());
        if let Some(run) = self.runs.get_mut(&fetch.run) {
            run.console.answer(value);
            run.waiting = false;
        }
        self.tick(now);
    }

    fn resume_runs(&mut self, now: Timestamp) {
        let due: Vec<RunId> = self.runs.iter().filter(|(_, run)| !run.waiting && run.wake <= now).map(|(id, _)| *id).collect();
        for id in due {
            let Some(mut run) = self.runs.remove(&id) else { continue };
            let mut host = ConsoleHost {
                device: &mut self.device,
                session: &run.session,
                globals: &mut self.globals,
                output: &mut run.output,
                fetches: &mut self.fetches,
                run: id,
                now,
            };
            match run.console.resume(&mut host) {
                Step::Done(failures) => {
                    self.runs.insert(id, run);
                    self.finish(id, failures);
                }
                Step::Delay(time) => {
                    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
                    run.wake = now.checked_add(time).unwrap_or(Timestamp::MAX);
                    self.runs.insert(id, run);
                }
                Step::Waiting => {
                    run.waiting = true;
                    self.runs.insert(id, run);
                }
            }
        }
    }

    fn finish(&mut self, id: RunId, failures: Vec<Failure>) {
        let Some(run) = self.runs.remove(&id) else { return };
        if self.terminal_run == Some(id) || run.name == "terminal" {
            self.terminal_run = None;
            self.terminal = run.console;
        }
        if run.watched {
            self.ended.insert(id, Ended { output: run.output, failures });
            return;
        }
        for failure in failures {
            self.device.log("script,error", &format!("{}: {failure}", run.name));
        }
    }

    fn run_effects(&mut self, now: Timestamp) {
        while let Some(effect) = self.device.take_effect() {
            match effect {
                Effect::Reboot => self.reboot_asked = true,
                Effect::Script { name, source, owner, policy } => {
                    let session = Session { user: owner, policy: policy.into_iter().collect(), source: None, via: "scheduler" };
                    let console = Console::script(&text::readable(&source));
                    if self.runs.len() >= RUNS_MAX {
                        self.device.log("script,error", &format!("{name}: too many scripts are running"));
                        continue;
                    }
                    self.next_run += 1;
                    let run = Run { console, session, name, output: Vec::new(), wake: now, waiting: false, watched: false };
                    self.runs.insert(RunId(self.next_run), run);
                    self.resume_runs(now);
                }
            }
        }
    }

    /// Remembers a sentence that arrived, its secrets removed.
    pub fn record(&mut self, sentence: &Sentence) {
        if self.transcript.len() >= TRANSCRIPT_MAX {
            self.transcript.pop_front();
        }
        self.transcript.push_back(sentence.redacted());
    }

    /// Returns the sentences that arrived, oldest first, their secrets removed.
    pub fn transcript(&self) -> impl Iterator<Item = &Sentence> {
        self.transcript.iter()
    }

    /// Puts commands that are in flight together into a random order, as nothing promises one.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        self.shuffle.shuffle(list);
    }

    /// Starts the shuffling anew from a seed.
    pub fn seed_shuffle(&mut self, seed: u64) {
        self.shuffle = Random::new(seed);
    }

    /// Says whether the answer to a write that was just done gets lost.
    pub fn loses_reply(&mut self) -> bool {
        let lost = self.faults.lose_replies > 0;
        self.faults.lose_replies = self.faults.lose_replies.saturating_sub(1);
        lost
    }
}

/// Shows a value of the console as a print of ours does.
fn plain(value: &str) -> Value {
    match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => Value::Str(text::readable(text)),
    }
}
