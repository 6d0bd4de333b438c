//! Writes what may cut the controller's own path: an undo is armed on the router first, and disarmed over a new connection once what was
//! written has been read back on it. Where that fails, the router takes the change back, and this waits for it and says what happened.

use super::ProvisionError;
use super::apply::{self, ApplyError};
use super::facts::FactsError;
use super::run::{self, Road, Session, Wanted};
use super::watch;
use jiff::SignedDuration;
use model::Tag;
use reconcile::guard::{self, Window};
use reconcile::{Change, ChangeSet, Finding, Observed, Print, Risk, Severity};
use routeros::Command;
use routeros::catalogue::system_resource;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How long the controller has to confirm a change.
const WINDOW: Window = Window::DEFAULT;
/// How long a connection may write risky changes: half the window. What it sent must not arrive after the undo has run.
const WRITES_WITHIN: Duration = Duration::from_secs(30);
/// How long before the window's end nothing is confirmed any more, so that the undo and its removal cannot cross.
const MARGIN: Duration = Duration::from_secs(5);
/// How long after the window's end the router may take to be seen again: the undo's own interval, and a restart with its handshake.
const GRACE: Duration = Duration::from_secs(45);
/// How often the router is tried anew.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// Writes the changes of a set in order: what is risky under an undo, the rest as it is. `session` becomes the connection that proved
/// the path.
///
/// # Errors
/// At the first change that fails, and when the router took one back.
pub(super) async fn write(
    road: &Road<'_>,
    session: &mut Session,
    wanted: &Wanted,
    observed: &Observed,
    set: &mut ChangeSet,
) -> Result<(), ProvisionError> {
    let mut findings = Vec::new();
    let written = parts(road, session, wanted, observed, &set.changes, &mut findings).await;
    set.findings.append(&mut findings);
    written
}

async fn parts(
    road: &Road<'_>,
    session: &mut Session,
    wanted: &Wanted,
    observed: &Observed,
    changes: &[Change],
    findings: &mut Vec<Finding>,
) -> Result<(), ProvisionError> {
    for part in guard::parts(changes) {
        if !part.risky {
            apply::write(session.client(), part.changes).await?;
            continue;
        }
        let began = Instant::now();
        match arming(road, session, observed, part.changes).await? {
            Ok(arming) => {
                apply::write(session.client(), &[arming.change]).await?;
                let uptime = arming.uptime;
                *session = Guarded { road, wanted, changes: part.changes, began, uptime }.write(session).await?;
            }
            Err(why) => {
                findings.push(unguarded(&why));
                apply::write(session.client(), part.changes).await?;
            }
        }
    }
    Ok(())
}

/// The undo of some changes, ready to be armed.
struct Arming {
    change: Change,
    uptime: SignedDuration,
}

/// Makes the undo, or tells why there is none.
async fn arming(
    road: &Road<'_>,
    session: &Session,
    observed: &Observed,
    changes: &[Change],
) -> Result<Result<Arming, String>, ProvisionError> {
    if !session.facts(road.app.clock.now()).scheduler_allowed {
        return Ok(Err("its device-mode forbids the scheduler, which would run the undo".to_owned()));
    }
    let uptime = uptime(session).await?;
    let change = guard::arm(changes, observed, Tag::generate(&*road.app.entropy), uptime, WINDOW);
    Ok(change.map(|change| Arming { change, uptime }).map_err(|error| error.to_string()))
}

fn unguarded(why: &str) -> Finding {
    Finding {
        code: "no-undo",
        severity: Severity::Warning,
        text: format!("Changes that may cut the tunnel were written without an undo on the router: {why}."),
        command: None,
    }
}

async fn uptime(session: &Session) -> Result<SignedDuration, ProvisionError> {
    let menu = &system_resource::MENU;
    let call = session.client().call(&Command::print(menu).proplist([system_resource::UPTIME])).await;
    let response = call.map_err(|source| FactsError::Call { menu: menu.path, source })?;
    let shown = response.rows.first().and_then(|row| row.text(system_resource::UPTIME)).unwrap_or_default();
    Ok(watch::seconds(shown).ok_or(FactsError::Uptime)?)
}

/// Changes under an undo that is armed.
struct Guarded<'a> {
    road: &'a Road<'a>,
    wanted: &'a Wanted,
    changes: &'a [Change],
    /// Before the undo was armed, and before the router's uptime was read.
    began: Instant,
    uptime: SignedDuration,
}

/// What a new connection shows.
enum Seen {
    /// What was written, and the undo is disarmed.
    Confirmed,
    /// Something else than what was written; the undo is still armed.
    Waiting(String),
    /// The undo has run.
    TakenBack,
}

impl Guarded<'_> {
    /// Writes the changes over the connection at hand and returns the new connection over which they were confirmed.
    async fn write(&self, session: &Session) -> Result<Session, ProvisionError> {
        let writing = tokio::time::timeout(WRITES_WITHIN, apply::write(session.client(), self.changes)).await;
        let refused = match writing {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(ApplyError::too_slow(self.changes)),
        };
        if refused.is_some() {
            // What is still under way on it must not come through once the path is back.
            session.client().close();
        }
        let mut why = refused.as_ref().map(|error| telemetry::chain(error));
        let limit = duration(WINDOW.length()) + GRACE;
        while self.began.elapsed() < limit {
            match self.look(refused.is_none()).await {
                Ok((Seen::Confirmed, fresh)) => return Ok(fresh),
                Ok((Seen::Waiting(reason), _)) => why = why.or(Some(reason)),
                Ok((Seen::TakenBack, fresh)) => return Err(self.taken_back(&fresh, why).await?),
                Err(error @ ProvisionError::OtherSerial { .. }) => return Err(error),
                Err(error) => {
                    why = why.or_else(|| Some(format!("the controller no longer reached it ({})", telemetry::chain(&error))))
                }
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
        Err(ProvisionError::NotSeenAgain {
            why: why.unwrap_or_default(),
            what: self.what(),
            waited_s: self.began.elapsed().as_secs(),
            window_s: window_s(),
        })
    }

    /// Looks over a new connection, and disarms the undo when everything is as it was written.
    async fn look(&self, written: bool) -> Result<(Seen, Session), ProvisionError> {
        let fresh = self.road.open().await?;
        let prints = [guard::print()];
        let observed = run::observe(fresh.client(), &prints, fresh.router_facts()).await?;
        let Some(row) = guard::armed(&observed) else {
            // It has run; or it was disarmed and the answer was lost, and then everything is as it was written.
            let stays = written && guard::still_wanted(self.changes, &self.rest(&fresh).await?).is_none();
            return Ok((if stays { Seen::Confirmed } else { Seen::TakenBack }, fresh));
        };
        if !written || self.began.elapsed() + MARGIN > duration(WINDOW.length()) {
            return Ok((Seen::Waiting("it was too late to confirm it".to_owned()), fresh));
        }
        if let Some(change) = guard::still_wanted(self.changes, &self.rest(&fresh).await?) {
            return Ok((Seen::Waiting(format!("the router did not hold what was written: {change}")), fresh));
        }
        apply::write(fresh.client(), &[guard::disarm(&row.id)]).await?;
        Ok((Seen::Confirmed, fresh))
    }

    /// Plans what is wanted still in everything that a plan looks at.
    async fn rest(&self, session: &Session) -> Result<Vec<Change>, ProvisionError> {
        let touched: BTreeSet<&str> = self.changes.iter().map(|change| change.menu.path).collect();
        let mut prints = reconcile::observe_list(&self.wanted.site);
        prints.retain(|print: &Print| touched.contains(print.menu.path));
        let observed = run::observe(session.client(), &prints, session.router_facts()).await?;
        let plan = reconcile::plan(&self.wanted.desired, &observed, &self.wanted.policy);
        Ok(plan.changes.into_iter().filter(|change| touched.contains(change.menu.path)).collect())
    }

    /// Tells what happened, as far as it can be seen.
    async fn taken_back(&self, session: &Session, why: Option<String>) -> Result<ProvisionError, ProvisionError> {
        let restarted = uptime(session).await? < self.uptime;
        let why = match why {
            _ if restarted => "it restarted before the change was confirmed".to_owned(),
            Some(why) => why,
            None => "the change was not confirmed in time".to_owned(),
        };
        let again = self.rest(session).await?;
        let stays = self.risky().find(|change| guard::still_wanted(std::slice::from_ref(*change), &again).is_none());
        let left = match stays {
            None => "It is as it was before the change.".to_owned(),
            Some(change) => format!("This is still there: {change}."),
        };
        Ok(ProvisionError::TakenBack { why, left, what: self.what() })
    }

    fn risky(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.risk == Risk::Path)
    }

    fn what(&self) -> String {
        self.risky().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Decides about an undo that somebody left armed, such as a controller that was killed: over a new connection, because only that proves the
/// path, it is disarmed where nothing risky is left to do. Otherwise it is left to run. Returns what the router holds then.
///
/// # Errors
/// When it is left to run.
pub(super) async fn decide(road: &Road<'_>, session: &mut Session, wanted: &Wanted) -> Result<Observed, ProvisionError> {
    *session = road.open().await?;
    let prints = reconcile::observe_list(&wanted.site);
    let observed = run::observe(session.client(), &prints, session.router_facts()).await?;
    let Some(row) = guard::armed(&observed) else { return Ok(observed) };
    if reconcile::plan(&wanted.desired, &observed, &wanted.policy).risk() == Risk::Path {
        return Err(ProvisionError::UndoArmed { window_s: window_s() });
    }
    apply::write(session.client(), &[guard::disarm(&row.id)]).await?;
    run::observe(session.client(), &prints, session.router_facts()).await
}

/// The longest time from a change to the end of its undo, in seconds.
fn window_s() -> u64 {
    duration(WINDOW.length() + guard::LOOKS_EVERY).as_secs()
}

/// Windows are never negative.
fn duration(time: SignedDuration) -> Duration {
    time.unsigned_abs()
}
