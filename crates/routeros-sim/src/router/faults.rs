//! What goes wrong on purpose: for a while, or once, at a command that is waited for.

use super::Router;
use crate::device::{Mode, Request, Trap};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bytes that an API sends in a second after [`Mishap::Slow`]: a full print of 30,000 rows takes a router more than 20 s (ROUTEROS.md,
/// "Wire protocol"), and this makes a few hundred take as long.
const SLOW: u32 = 4_000;

/// How a router without space words its refusal. Inferred: no recording shows it.
const NO_SPACE: &str = "failure: not enough space on disk";

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
    /// Whether every session that the API may have is taken.
    pub sessions_taken: bool,
    /// What waits for its command.
    pub armed: Option<Armed>,
    /// What the API refuses since a mishap.
    refuses: Option<Refusal>,
    /// The device-mode before a mishap.
    mode: Option<Mode>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            lose_replies: 0,
            link: true,
            bytes_per_second: None,
            write_time: None,
            sessions_taken: false,
            armed: None,
            refuses: None,
            mode: None,
        }
    }
}

/// A mishap that waits for its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armed {
    /// What happens.
    pub mishap: Mishap,
    /// The command's menu: `/ip/firewall/filter`.
    pub menu: String,
    /// The command: `add`.
    pub command: String,
    /// At how many of these from now on: 1 is the next.
    pub nth: u32,
    /// What is typed for [`Mishap::OtherAdmin`].
    pub lines: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Whatever needs space.
    Space,
    /// Everything.
    All,
}

/// How the answer to a command fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Answered,
    /// It gets lost.
    Lost,
    /// Half of it arrives, and the connection ends.
    Cut,
    /// The router restarts before it is sent.
    Restarts,
}

/// Makes the list of mishaps, and the list of them all.
macro_rules! mishaps {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Something that goes wrong at one command over the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Mishap {
            $($(#[$doc])* $name,)*
        }

        impl Mishap {
            /// Every mishap.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

mishaps! {
    /// The command takes effect, its answer gets lost (ROUTEROS.md, "Wire protocol": a tag that is registered too late loses a reply alike).
    LoseReply,
    /// The command takes effect, half of its answer arrives, and the connection ends; what was sent behind it is not read.
    Cut,
    /// The command takes effect, and power fails before the answer. Configuration stays, and so do ids (both inferred).
    Restart,
    /// From this command on the API sends slowly: a full print of 30,000 rows takes more than 20 s on a router (measured).
    Slow,
    /// From this command on nothing can be added or set, because the flash is full; rows can be removed (inferred, as the text is).
    FullFlash,
    /// The clock shows 1970 at this command, and NTP does not set it: a router without a battery starts so (ROUTEROS.md, "Onboarding facts").
    WrongClock,
    /// From this command on the account's group lacks every policy: `not enough permissions (9)` (field).
    NoPermission,
    /// At this command the device-mode becomes `home`, which forbids scheduler and hotspot: `failure: not allowed by device-mode` (manual).
    /// A router restarts for it, which [`Mishap::Restart`] is for.
    DeviceMode,
    /// From this command on every further login is turned away: the API's `max-sessions` of 20 are taken (manual); that the router closes
    /// such a connection without a word is inferred.
    SessionLimit,
    /// Right before this command somebody types at the terminal.
    OtherAdmin,
}

impl Router {
    /// Lets happen what waits for this command, and tells how its answer fares.
    pub fn strike(&mut self, request: &Request, now: Timestamp) -> Fate {
        let meant = |armed: &&mut Armed| armed.menu == request.path && armed.command == request.command;
        let Some(armed) = self.faults.armed.as_mut().filter(meant) else { return Fate::Answered };
        armed.nth = armed.nth.saturating_sub(1);
        if armed.nth > 0 {
            return Fate::Answered;
        }
        let Some(armed) = self.faults.armed.take() else { return Fate::Answered };
        match armed.mishap {
            Mishap::LoseReply => return Fate::Lost,
            Mishap::Cut => return Fate::Cut,
            Mishap::Restart => return Fate::Restarts,
            Mishap::Slow => self.faults.bytes_per_second = Some(SLOW),
            Mishap::FullFlash => self.faults.refuses = Some(Refusal::Space),
            Mishap::NoPermission => self.faults.refuses = Some(Refusal::All),
            Mishap::SessionLimit => self.faults.sessions_taken = true,
            Mishap::WrongClock => {
                self.device.set_internet(false);
                self.device.set_clock(Timestamp::UNIX_EPOCH);
            }
            Mishap::DeviceMode => self.faults.mode = Some(self.device.set_mode(Mode::Home)),
            Mishap::OtherAdmin => {
                if let Err(error) = self.start_script(&armed.lines, now) {
                    self.device.log("script,error", &error.to_string());
                }
            }
        }
        Fate::Answered
    }

    /// Refuses what a mishap has the API refuse.
    #[must_use]
    pub fn refuses(&self, request: &Request) -> Option<Trap> {
        match self.faults.refuses? {
            Refusal::Space => matches!(request.command.as_str(), "add" | "set").then(|| Trap::failure(NO_SPACE)),
            Refusal::All => Some(Trap::not_enough_permissions()),
        }
    }

    /// Sets right what mishaps left behind, the clock too, and forgets what waits. A device-mode comes back by a restart, as it does on a
    /// router.
    pub fn mend(&mut self, now: Timestamp) {
        let faults = std::mem::take(&mut self.faults);
        self.device.set_internet(true);
        self.device.set_clock(now);
        if let Some(mode) = faults.mode {
            self.device.set_mode(mode);
            self.reboot(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Board, Config, Session};

    fn now() -> Timestamp {
        "2026-11-21T09:00:00Z".parse().expect("a time")
    }

    fn router(mishap: Mishap, nth: u32) -> Router {
        let version = "7.22.3".parse().expect("a version");
        let mut router = Router::new(Config::new(Board::find("CHR").expect("a board"), version, 7), now());
        let (menu, command) = ("/ip/pool".to_owned(), "add".to_owned());
        let lines = "/ip/pool/add name=theirs ranges=10.1.1.2".to_owned();
        router.faults.armed = Some(Armed { mishap, menu, command, nth, lines });
        router
    }

    #[test]
    fn it_strikes_at_its_command_alone_and_once() {
        let mut router = router(Mishap::LoseReply, 2);
        let add = Request::new("/ip/pool", "add");
        for other in [Request::new("/ip/pool", "print"), Request::new("/ppp/secret", "add"), add.clone()] {
            assert_eq!(router.strike(&other, now()), Fate::Answered, "{other:?}");
        }
        assert_eq!(router.strike(&add, now()), Fate::Lost);
        assert_eq!(router.strike(&add, now()), Fate::Answered);
    }

    #[test]
    fn whatever_it_leaves_behind_is_mended() {
        for mishap in Mishap::ALL {
            let mut router = router(*mishap, 1);
            let (mode, add) = (router.device().config().mode, Request::new("/ip/pool", "add"));
            router.strike(&add, now());
            let answer = router.refuses(&add).map(|trap| trap.message);
            let refusals = [(Mishap::FullFlash, NO_SPACE), (Mishap::NoPermission, "not enough permissions (9)")];
            let refusal = refusals.iter().find(|(refuses, _)| refuses == mishap).map(|(_, text)| *text);
            assert_eq!(answer.as_deref(), refusal, "{mishap:?}");
            assert_eq!(router.device().clock() != now(), *mishap == Mishap::WrongClock);
            assert_eq!(router.device().config().mode != mode, *mishap == Mishap::DeviceMode);
            assert_eq!(router.device().find("/ip/pool", "name", "theirs").is_some(), *mishap == Mishap::OtherAdmin);
            router.mend(now());
            assert_eq!((router.refuses(&add), router.device().clock(), router.device().config().mode), (None, now(), mode));
            let pool = add.arg("name", "ours").arg("ranges", "10.2.2.2");
            router.execute(&Session::console(), &pool, now()).expect("it works again");
        }
    }
}
