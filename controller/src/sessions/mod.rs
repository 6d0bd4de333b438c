//! Customers' stays on the internet, and what was used: one ledger, written here alone, that only grows.
//!
//! News come from listings of what a router has live, and later from RADIUS; each session has one row, whoever tells of it. **Invariants:**
//! counters never fall, a reported end is final, a router's sessions are named within that router alone, and usage grows by exactly what
//! the counters grew, in the same transaction.

mod routes;
mod rules;
mod store;
mod usage;

pub use routes::routes;
pub use store::{Break, HistoryFilter, Online, SessionView, breaks, last_of, live_count, online};
pub use usage::{DayUsed, Used};

use crate::app::App;
use crate::customers::{self, CustomerError};
use crate::http::{List, Page};
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::tenants;
use db::{DbError, TenantTx};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use model::{Bytes, CustomerId, RouterId, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use store::{Known, Row};
use utoipa::ToSchema;

/// Days that one question about usage may cover.
const USAGE_DAYS_MAX: i32 = 366;
/// Days that are shown when the question names none.
const USAGE_DAYS: i32 = 30;

/// Why something with sessions did not work.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such customer.
    #[error("there is no such customer")]
    NoCustomer,
    /// The tenant's time zone is not known to this machine.
    #[error("the tenant's time zone is not known here")]
    Zone,
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The customers could not be read.
    #[error("the customers could not be read")]
    Customer(#[from] CustomerError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How a session came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// By dialling in.
    Pppoe,
    /// By logging in on a page.
    Hotspot,
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $code:expr, $words:literal;)*) => {
        /// Why a session ended: what a router reports (RFC 2866 §5.10), and what is concluded without a report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name as stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words),* }
            }

            const fn code(self) -> Option<u32> {
                match self { $(Self::$name => $code),* }
            }
        }
    };
}

causes! {
    /// The customer hung up.
    UserRequest = "user_request", Some(1), "the customer's device hung up or logged out";
    /// The line was lost.
    LostCarrier = "lost_carrier", Some(2), "the line to the customer was lost: a cable, a radio link or the power there";
    /// The service was lost.
    LostService = "lost_service", Some(3), "the router could not serve the session any more";
    /// Nothing was carried.
    IdleTimeout = "idle_timeout", Some(4), "nothing was carried for the package's idle time";
    /// Time was up.
    SessionTimeout = "session_timeout", Some(5), "the session's time was up";
    /// Somebody ended it.
    AdminReset = "admin_reset", Some(6), "it was ended on the router or from here";
    /// The router was restarted.
    RouterReboot = "router_reboot", Some(7), "the router was restarted or lost its power";
    /// A port failed.
    PortError = "port_error", Some(8), "the router's port failed";
    /// The router failed.
    RouterError = "router_error", Some(9), "the router gave up for a fault of its own";
    /// The router ended it.
    RouterRequest = "router_request", Some(10), "the router ended it for a reason that it does not tell";
    /// The router restarted without notice.
    RouterCrash = "router_crash", Some(11), "the router restarted without notice";
    /// The port was not needed.
    PortUnneeded = "port_unneeded", Some(12), "the router did not need the port any more";
    /// The port was taken.
    PortPreempted = "port_preempted", Some(13), "the router gave the port to another";
    /// The port was suspended.
    PortSuspended = "port_suspended", Some(14), "the router suspended the port";
    /// The service is not there.
    ServiceUnavailable = "service_unavailable", Some(15), "the router does not offer the service any more";
    /// A call back.
    Callback = "callback", Some(16), "the router calls back";
    /// The customer's input was wrong.
    UserError = "user_error", Some(17), "the customer's device sent what the router does not understand";
    /// The host asked for it.
    HostRequest = "host_request", Some(18), "the far end ended it";
    /// It is not listed any more.
    Unseen = "unseen", None, "the router lists it no more; it ended after it was last seen";
}

impl Cause {
    /// Reads a stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == name)
    }

    /// Reads Acct-Terminate-Cause (RFC 2866 §5.10); one that is not known is the router's own.
    #[must_use]
    pub fn from_radius(code: u32) -> Self {
        Self::ALL.iter().copied().find(|cause| cause.code() == Some(code)).unwrap_or(Self::RouterRequest)
    }

    /// Says whether it was concluded and not reported: then it holds until the session is seen again.
    #[must_use]
    pub const fn is_concluded(self) -> bool {
        matches!(self, Self::Unseen)
    }
}

/// The end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// News of one session, and likewise all that is known of it: the one grows into the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// On which router.
    pub router: RouterId,
    /// What names the session on that router, 1 to 200 characters.
    pub key: String,
    /// The router's own name for it, up to 64 characters; empty where it has none.
    pub acct_id: String,
    /// How it came about.
    pub kind: SessionKind,
    /// The customer's login as the router has it, up to 100 characters.
    pub login: String,
    /// The customer's address.
    pub address: Option<IpAddr>,
    /// The customer's device, up to 64 characters.
    pub station: String,
    /// When it began, as far as this news tells.
    pub started_at: Timestamp,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// Seconds since its start.
    pub online_seconds: u64,
    /// Bytes from the customer; none where the router does not count them.
    pub upload: Option<Bytes>,
    /// Bytes to the customer.
    pub download: Option<Bytes>,
    /// Its end.
    pub ended: Option<Ended>,
}

/// One session as a router lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// How it came about.
    pub kind: SessionKind,
    /// The customer's login.
    pub login: String,
    /// The router's name for the session; empty where it has none.
    pub acct_id: String,
    /// The customer's address.
    pub address: Option<IpAddr>,
    /// The customer's device.
    pub station: String,
    /// How long it has lasted.
    pub uptime: SignedDuration,
    /// Bytes from the customer, where the router counts them.
    pub upload: Option<Bytes>,
    /// Bytes to the customer.
    pub download: Option<Bytes>,
}

/// All that a router has live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// When it was asked.
    pub at: Timestamp,
    /// How long it has been up.
    pub uptime: Option<SignedDuration>,
    /// Its sessions.
    pub sessions: Vec<Listed>,
}

/// What a batch of news changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Sessions that were not known.
    pub began: usize,
    /// Sessions that ended.
    pub ended: usize,
}

/// Writes news of sessions down, as many at once as there are, and what was used with them. The routers are the transaction's tenant's.
///
/// # Errors
/// When the database does not answer.
pub async fn record(app: &App, tx: &mut TenantTx, news: &[Sighting]) -> Result<Recorded, SessionError> {
    let folded = rules::fold(news.iter().cloned());
    let routers: BTreeSet<RouterId> = folded.keys().map(|(router, _)| *router).collect();
    // Whoever writes a router's sessions holds it: what was read stays true until it is written.
    store::hold(tx, &routers.into_iter().collect::<Vec<_>>()).await?;
    write(app, tx, folded).await
}

/// Writes down all that a router has live: what is not listed any more has ended. A listing that is older than the last one is passed over.
///
/// # Errors
/// When the database does not answer.
pub async fn note_listing(app: &App, tx: &mut TenantTx, router: RouterId, listing: &Listing) -> Result<Recorded, SessionError> {
    store::hold(tx, &[router]).await?;
    let source = store::source(tx, router).await?;
    if source.listed_at.is_some_and(|last| last > listing.at) {
        return Ok(Recorded::default());
    }
    let live = store::live(tx, router).await?;
    let news = rules::read(router, source, &live, listing);
    let recorded = write(app, tx, rules::fold(news)).await?;
    store::set_source(tx, router, rules::boot(source, listing), Some(listing.at)).await?;
    Ok(recorded)
}

/// Notes that a router started anew: its sessions from before have ended, and nobody else's.
///
/// # Errors
/// When the database does not answer.
pub async fn router_restarted(app: &App, tx: &mut TenantTx, router: RouterId, at: Timestamp) -> Result<Recorded, SessionError> {
    store::hold(tx, &[router]).await?;
    let source = store::source(tx, router).await?;
    let live = store::live(tx, router).await?;
    let recorded = write(app, tx, rules::fold(rules::restarted(&live, at))).await?;
    store::set_source(tx, router, source.boot_at.max(Some(at)), source.listed_at).await?;
    Ok(recorded)
}

async fn write(app: &App, tx: &mut TenantTx, folded: BTreeMap<(RouterId, String), Sighting>) -> Result<Recorded, SessionError> {
    let now = app.clock.now();
    let mut known = store::known(tx, folded.keys()).await?;
    let owners = owners(tx, &folded, &known).await?;
    let mut recorded = Recorded::default();
    let mut hours: BTreeMap<(CustomerId, Timestamp, RouterId), Used> = BTreeMap::new();
    let mut changes = store::Changes::default();
    for (key, news) in folded {
        let before = known.remove(&key);
        let after = match &before {
            Some(before) => rules::merge(before.sighting.clone(), news),
            None => news,
        };
        let customer = before.as_ref().and_then(|before| before.customer).or_else(|| owners.get(&key).copied());
        for (hour, used) in usage::hourly(before.as_ref().map(|before| &before.sighting), &after) {
            if let Some(customer) = customer {
                let sum = hours.entry((customer, hour, key.0)).or_default();
                *sum = sum.plus(used);
            }
        }
        let id = before.as_ref().map_or_else(|| SessionId::generate(now, &*app.entropy), |before| before.id);
        recorded.began += usize::from(before.is_none());
        recorded.ended += usize::from(after.ended.is_some() && before.as_ref().is_none_or(|before| before.closed_at.is_none()));
        changes.add(before.as_ref(), Row { id, customer, sighting: after }, now);
    }
    store::apply(tx, changes).await?;
    store::add_usage(tx, &hours).await?;
    Ok(recorded)
}

/// Finds whose the sessions are that nobody's name stands on yet.
async fn owners(
    tx: &mut TenantTx,
    folded: &BTreeMap<(RouterId, String), Sighting>,
    known: &HashMap<(RouterId, String), Known>,
) -> Result<HashMap<(RouterId, String), CustomerId>, SessionError> {
    let mut asked: BTreeMap<RouterId, Vec<String>> = BTreeMap::new();
    for (key, news) in folded {
        if known.get(key).is_none_or(|known| known.customer.is_none()) {
            asked.entry(key.0).or_default().push(news.login.clone());
        }
    }
    let mut owners = HashMap::new();
    for (router, logins) in asked {
        let found = customers::by_logins(tx, router, &logins).await?;
        let mine = folded.iter().filter(|(key, _)| key.0 == router);
        owners.extend(mine.filter_map(|(key, news)| Some((key.clone(), *found.get(&news.login)?))));
    }
    Ok(owners)
}

/// Lists a customer's sessions, the one that goes on and those that have ended.
///
/// # Errors
/// When the role may not, or there is no such customer.
async fn of_customer(app: &App, scope: &TenantScope, id: CustomerId, page: &Page) -> Result<List<SessionView>, SessionError> {
    let mut tx = scope.read(app, Permission::SessionsRead).await?;
    if !customers::exists(&mut tx, id).await? {
        return Err(SessionError::NoCustomer);
    }
    Ok(page.list(store::of_customer(&mut tx, id, page).await?))
}

/// What a customer used, day by day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsageView {
    /// The customer.
    pub customer: CustomerId,
    /// The time zone whose days these are.
    pub time_zone: String,
    /// The days on which something was used.
    pub days: Vec<DayUsed>,
    /// All days together.
    pub total: Used,
}

/// Says what a customer used on each day from `from` to `until`, both included, in the tenant's time zone: the last 30 days when left out.
///
/// # Errors
/// When the role may not, there is no such customer, or more than 366 days are asked for.
pub async fn usage(
    app: &App,
    scope: &TenantScope,
    customer: CustomerId,
    from: Option<Date>,
    until: Option<Date>,
) -> Result<UsageView, SessionError> {
    let mut tx = scope.read(app, Permission::SessionsRead).await?;
    if !customers::exists(&mut tx, customer).await? {
        return Err(SessionError::NoCustomer);
    }
    let time_zone = tenants::current(&mut tx).await?.time_zone;
    let zone = TimeZone::get(&time_zone).map_err(|_| SessionError::Zone)?;
    let until = until.unwrap_or_else(|| app.clock.now().to_zoned(zone.clone()).date());
    let outside = |_| SessionError::Field { field: "from", message: "write days within the calendar" };
    let from = match from {
        Some(from) => from,
        None => until.checked_sub((USAGE_DAYS - 1).days()).map_err(outside)?,
    };
    if from > until || from.until(until).map_err(outside)?.get_days() >= USAGE_DAYS_MAX {
        return Err(SessionError::Field { field: "from", message: "ask for 1 to 366 days, the first one first" });
    }
    let begin = |day: Date| day.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(outside);
    let end = begin(until.checked_add(1.day()).map_err(outside)?)?;
    let hours = store::usage(&mut tx, customer, begin(from)?, end).await?;
    let days = usage::daily(&hours, &zone);
    let total = days.iter().fold(Used::default(), |sum, day| sum.plus(day.used));
    Ok(UsageView { customer, time_zone, days, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_come_back_and_are_told_in_words() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_stored(cause.as_str()), Some(*cause));
            assert!(cause.words().len() > 10 && cause.as_str().len() <= 32);
        }
        assert_eq!(Cause::from_radius(2), Cause::LostCarrier);
        assert_eq!(Cause::from_radius(7), Cause::RouterReboot);
        assert_eq!(Cause::from_radius(99), Cause::RouterRequest);
        assert!((1..=18).all(|code| Cause::from_radius(code).code() == Some(code)));
    }
}
