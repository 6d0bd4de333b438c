//! What is wrong, layer by layer: the first layer that fails is the one to mend. Pure.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Passed,
    /// Serves, and should be looked at.
    Warning,
    /// The reason, or one of them.
    Failed,
    /// Not looked at, because a layer below it failed.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::monitoring) struct Check {
    /// Which layer.
    pub name: &'static str,
    /// How it went.
    pub status: CheckStatus,
    /// What was found, in a sentence.
    pub summary: String,
    /// The figures behind it.
    pub details: Value,
    #[serde(skip)]
    cause: &'static str,
    #[serde(skip)]
    remedy: String,
}

/// What follows from the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitoring) struct Conclusion {
    /// The kind of fault; `none` when everything is as it should be.
    pub cause: &'static str,
    /// What is wrong, in a sentence.
    pub text: String,
    /// The one thing to do; empty when there is nothing.
    pub remedy: String,
}

/// How far a router let itself be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitoring) enum Reached {
    /// It is not connected.
    Away,
    /// Its API port refuses or stays silent.
    Closed { silent: bool },
    /// It has no account for us yet.
    NoAccount,
    /// Our account's password is wrong there.
    WrongPassword,
    /// It answers and cannot be understood.
    Unreadable(String),
    /// It was read.
    Read(Seen),
}

/// What was read of a router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::monitoring) struct Seen {
    pub serial: String,
    pub version: String,
    pub obstacles: Vec<Obstacle>,
}

/// Something that preflight found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::monitoring) struct Obstacle {
    pub code: String,
    pub severity: String,
    pub text: String,
    pub command: Option<String>,
}

/// What is known of a router.
#[derive(Debug, Clone)]
pub(in crate::monitoring) struct RouterFacts {
    pub name: String,
    /// Whether it has joined the tunnel, and whether its serial number was confirmed.
    pub joined: bool,
    pub confirmed: bool,
    /// Its serial number as it was confirmed.
    pub serial: Option<String>,
    /// Whether the hub hears it; none when the hub has no peer for it.
    pub connected: Option<bool>,
    /// Seconds since its last handshake.
    pub handshake_s: Option<u64>,
    /// The UDP port that it dials.
    pub hub_port: u16,
    pub reached: Reached,
    pub desired: i64,
    pub applied: i64,
    pub failures: i32,
    pub last_error: Option<String>,
    /// Customers to be served now, customers online, and when that was last seen.
    pub owed: i64,
    pub online: i64,
    pub listed_at: Option<Timestamp>,
}

/// What is known of a customer.
#[derive(Debug, Clone)]
pub(in crate::monitoring) struct CustomerFacts {
    pub login: String,
    /// `active`, `suspended` or `terminated`.
    pub status: String,
    /// Whether the customer connects by sessions; one with an address of their own does not.
    pub has_sessions: bool,
    pub paid_until: Option<Timestamp>,
    pub router: String,
    pub connected: bool,
    pub silent_s: Option<u64>,
    pub in_sync: bool,
    pub last_error: Option<String>,
    /// Since when the customer is online.
    pub online_since: Option<Timestamp>,
    /// When the router's sessions were last listed.
    pub listed_at: Option<Timestamp>,
    /// The last session that ended: when, and why in words.
    pub last_end: Option<(Timestamp, &'static str)>,
}

/// Collects checks; after one that failed the rest are skipped.
#[derive(Debug, Default)]
struct Checks {
    list: Vec<Check>,
    failed: bool,
}

struct Finding {
    status: CheckStatus,
    summary: String,
    details: Value,
    cause: &'static str,
    remedy: String,
}

fn passed(summary: impl Into<String>, details: Value) -> Finding {
    Finding { status: CheckStatus::Passed, summary: summary.into(), details, cause: "none", remedy: String::new() }
}

fn failed(cause: &'static str, summary: impl Into<String>, remedy: impl Into<String>, details: Value) -> Finding {
    Finding { status: CheckStatus::Failed, summary: summary.into(), details, cause, remedy: remedy.into() }
}

fn warned(cause: &'static str, summary: impl Into<String>, remedy: impl Into<String>, details: Value) -> Finding {
    Finding { status: CheckStatus::Warning, summary: summary.into(), details, cause, remedy: remedy.into() }
}

impl Checks {
    fn check(&mut self, name: &'static str, find: impl FnOnce() -> Finding) {
        let finding = if self.failed {
            let summary = "not looked at, because what it stands on failed".to_owned();
            Finding { status: CheckStatus::Skipped, summary, details: json!({}), cause: "none", remedy: String::new() }
        } else {
            find()
        };
        let Finding { status, summary, details, cause, remedy } = finding;
        self.failed |= status == CheckStatus::Failed;
        self.list.push(Check { name, status, summary, details, cause, remedy });
    }
}

/// Names the first layer that failed, else the first that should be looked at.
pub(in crate::monitoring) fn conclude(checks: &[Check], fine: &str) -> Conclusion {
    let first = |status: CheckStatus| checks.iter().find(|check| check.status == status);
    match first(CheckStatus::Failed).or_else(|| first(CheckStatus::Warning)) {
        Some(check) => Conclusion { cause: check.cause, text: check.summary.clone(), remedy: check.remedy.clone() },
        None => Conclusion { cause: "none", text: fine.to_owned(), remedy: String::new() },
    }
}

/// Writes seconds as people say them.
fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Checks a router from the tunnel up to its customers.
pub(in crate::monitoring) fn router(facts: &RouterFacts) -> Vec<Check> {
    let mut checks = Checks::default();
    checks.check("joined", || joined(facts));
    checks.check("tunnel", || tunnel(facts));
    checks.check("api", || api(facts));
    checks.check("login", || login(facts));
    checks.check("box", || same_box(facts));
    checks.check("obstacles", || obstacles(facts));
    checks.check("configuration", || configuration(facts));
    checks.check("sessions", || sessions(facts));
    checks.list
}

fn joined(facts: &RouterFacts) -> Finding {
    if facts.joined {
        passed("the router has joined", json!({ "confirmed": facts.confirmed }))
    } else {
        failed(
            "never_joined",
            format!("`{}` has never joined: its block was not pasted yet, or its packets do not reach us", facts.name),
            format!(
                "paste the block into the router's terminal; if that was done, see that its uplink lets UDP to port {} out. New texts: mastwire-controller router reissue",
                facts.hub_port
            ),
            json!({}),
        )
    }
}

fn tunnel(facts: &RouterFacts) -> Finding {
    let details = json!({ "connected": facts.connected, "handshake_s": facts.handshake_s });
    match (facts.connected, facts.handshake_s) {
        (Some(true), Some(age)) => passed(format!("the tunnel is up; the last handshake was {} ago", ago(age)), details),
        (Some(true), None) => passed("the tunnel is up", details),
        (Some(false), age) => {
            let since = age.map_or_else(|| "since the controller started".to_owned(), |age| format!("for {}", ago(age)));
            failed(
                "tunnel_silent",
                format!("`{}` has been silent {since}", facts.name),
                format!(
                    "look at the power and the uplink there; if the router is on and reaches the internet, its uplink must let UDP to port {} out, and its clock must be right",
                    facts.hub_port
                ),
                details,
            )
        }
        (None, _) => failed(
            "no_tunnel",
            format!("the hub knows no key of `{}`", facts.name),
            "give the router new texts and paste them: mastwire-controller router reissue",
            details,
        ),
    }
}

fn api(facts: &RouterFacts) -> Finding {
    match &facts.reached {
        Reached::Closed { silent: true } => failed(
            "api_blocked",
            "the tunnel is up, but the router's API does not answer: a firewall rule, or the service's list of addresses, keeps us out",
            "on the router: /ip service print, and look that api is not limited to other addresses; /ip firewall filter print, and look for a drop before our rules",
            json!({ "answer": "silence" }),
        ),
        Reached::Closed { silent: false } => failed(
            "api_off",
            "the tunnel is up, but the router's API is switched off or listens on another port",
            "on the router: /ip service set api disabled=no port=8728",
            json!({ "answer": "refused" }),
        ),
        Reached::Away => failed(
            "tunnel_silent",
            "the tunnel went down while the router was looked at",
            "run the diagnosis again in a minute",
            json!({}),
        ),
        Reached::NoAccount | Reached::WrongPassword | Reached::Unreadable(_) | Reached::Read(_) => {
            passed("the router's API answers", json!({}))
        }
    }
}

fn login(facts: &RouterFacts) -> Finding {
    match &facts.reached {
        Reached::WrongPassword => failed(
            "login_refused",
            "the router refuses our account: its password was changed there, or the account was removed",
            "give the router new texts and paste them: mastwire-controller router reissue",
            json!({}),
        ),
        Reached::NoAccount => failed(
            "no_account",
            "the router has not finished joining: it has no account for us yet",
            "wait a minute; if it stays so, give it new texts: mastwire-controller router reissue",
            json!({}),
        ),
        Reached::Unreadable(error) => failed(
            "unreadable",
            "the router answers, but not as it should",
            "look at what it said below; a router that is very busy or short of memory answers so. Restart it if nothing else helps",
            json!({ "error": error }),
        ),
        Reached::Away | Reached::Closed { .. } | Reached::Read(_) => passed("our account is let in", json!({})),
    }
}

fn same_box(facts: &RouterFacts) -> Finding {
    let Reached::Read(seen) = &facts.reached else { return passed("the box was not read", json!({})) };
    let details = json!({ "serial": seen.serial, "known": facts.serial, "version": seen.version });
    match &facts.serial {
        Some(known) if *known != seen.serial => failed(
            "other_box",
            format!("another box answers in the router's place: its serial number is {}, and {known} is known", seen.serial),
            "if the box was swapped, remove this router and add the new one; if not, somebody uses a copy of its keys: give it new texts",
            details,
        ),
        _ if !facts.confirmed => failed(
            "not_confirmed",
            "nobody has confirmed the router's serial number, so nothing is written to it",
            "compare the serial number with the box's sticker: mastwire-controller router confirm",
            details,
        ),
        _ => passed("it is the box that was confirmed", details),
    }
}

fn obstacles(facts: &RouterFacts) -> Finding {
    let Reached::Read(seen) = &facts.reached else { return passed("the router was not read", json!({})) };
    let list: Vec<Value> =
        seen.obstacles.iter().map(|one| json!({ "code": one.code, "severity": one.severity, "text": one.text })).collect();
    let details = json!({ "found": list });
    let find = |severity: &str| seen.obstacles.iter().find(|one| one.severity == severity);
    let command = |one: &Obstacle| {
        one.command.as_ref().map_or_else(|| "see the router's preflight".to_owned(), |line| format!("on the router: {line}"))
    };
    match (find("blocker"), find("warning")) {
        (Some(one), _) => failed("obstacle", one.text.clone(), command(one), details),
        (None, Some(one)) => warned("obstacle", one.text.clone(), command(one), details),
        (None, None) => passed("nothing on the router stands in the way", details),
    }
}

fn configuration(facts: &RouterFacts) -> Finding {
    let details =
        json!({ "wanted": facts.desired, "applied": facts.applied, "failures": facts.failures, "last_error": facts.last_error });
    if facts.applied == facts.desired && facts.failures == 0 {
        return passed("the router holds what it should", details);
    }
    if facts.failures == 0 {
        return warned(
            "being_applied",
            "the router is being brought to what it should hold",
            "wait a few seconds and look again",
            details,
        );
    }
    let error = facts.last_error.as_deref().unwrap_or("the reason was not kept");
    failed(
        "not_applied",
        format!("the router could not be brought to what it should hold: {error}"),
        "see the plan (mastwire-controller router plan) and what stands in its way; it is tried again by itself",
        details,
    )
}

fn sessions(facts: &RouterFacts) -> Finding {
    let details = json!({ "owed": facts.owed, "online": facts.online, "listed_at": facts.listed_at.map(|at| at.to_string()) });
    if facts.owed > 0 && facts.online == 0 {
        return warned(
            "nobody_online",
            format!("{} customers have paid, and none of them is online", facts.owed),
            "look at what stands behind the router: the switch, the sector, the cables; and that the ports of its services are the right ones",
            details,
        );
    }
    passed(format!("{} of {} customers who have paid are online", facts.online.min(facts.owed), facts.owed), details)
}

/// Checks a customer from the account up to the session.
pub(in crate::monitoring) fn customer(facts: &CustomerFacts, now: Timestamp) -> Vec<Check> {
    let mut checks = Checks::default();
    checks.check("account", || account(facts));
    checks.check("paid", || paid(facts));
    checks.check("router", || serving(facts));
    checks.check("configuration", || served(facts));
    if facts.has_sessions {
        checks.check("session", || session(facts, now));
    }
    checks.list
}

fn account(facts: &CustomerFacts) -> Finding {
    let details = json!({ "status": facts.status });
    match facts.status.as_str() {
        "active" => passed("the account is to be served", details),
        "suspended" => failed(
            "suspended",
            format!("`{}` is switched off by hand", facts.login),
            "if that is over: mastwire-controller customer resume",
            details,
        ),
        _ => failed("left", format!("`{}` has left", facts.login), "make the customer anew if they came back", details),
    }
}

fn paid(facts: &CustomerFacts) -> Finding {
    match facts.paid_until {
        Some(until) => passed(format!("the time is paid until {until}"), json!({ "paid_until": until.to_string() })),
        None => failed(
            "not_paid",
            format!("nothing is paid for `{}` now", facts.login),
            "take a payment: mastwire-controller pay",
            json!({ "paid_until": null }),
        ),
    }
}

fn serving(facts: &CustomerFacts) -> Finding {
    let details = json!({ "router": facts.router, "silent_s": facts.silent_s });
    if facts.connected {
        return passed(format!("the router `{}` is connected", facts.router), details);
    }
    let since = facts.silent_s.map_or_else(String::new, |age| format!(" for {}", ago(age)));
    failed(
        "router_away",
        format!("the router `{}` has been silent{since}; whether the customer is online is not known", facts.router),
        "diagnose the router: mastwire-controller diagnose router",
        details,
    )
}

fn served(facts: &CustomerFacts) -> Finding {
    let details = json!({ "in_sync": facts.in_sync, "last_error": facts.last_error });
    if facts.in_sync {
        return passed("the router holds what the customer needs", details);
    }
    match &facts.last_error {
        Some(error) => failed(
            "not_applied",
            format!("the router could not be brought to what the customer needs: {error}"),
            "diagnose the router: mastwire-controller diagnose router",
            details,
        ),
        None => warned(
            "being_applied",
            "the router is being brought to what the customer needs",
            "wait a few seconds and look again",
            details,
        ),
    }
}

fn session(facts: &CustomerFacts, now: Timestamp) -> Finding {
    let details = json!({
        "online_since": facts.online_since.map(|at| at.to_string()),
        "listed_at": facts.listed_at.map(|at| at.to_string()),
        "last_end": facts.last_end.map(|(at, _)| at.to_string()),
        "last_cause": facts.last_end.map(|(_, cause)| cause),
    });
    if let Some(since) = facts.online_since {
        return passed(format!("online since {since}"), details);
    }
    match facts.last_end {
        Some((at, cause)) => {
            let age = u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0);
            failed(
                "offline",
                format!("the customer's device is not connected; the last session ended {} ago: {cause}", ago(age)),
                "have the customer restart the device; if it does not come back, look at the cable or the radio link to it",
                details,
            )
        }
        None => failed(
            "never_online",
            "the customer's device has never connected",
            "look at the login and password in the device, and that it is on the right port: mastwire-controller customer password",
            details,
        ),
    }
}

#[cfg(test)]
mod tests;
