//! Who keeps asking for things that are not theirs. Ids cannot be guessed, so whoever asks for many that their ISP does not have holds
//! somebody else's, or tries the wall. The wall answers each as if there were no such thing; this tells the platform that somebody tries.
//! Kept in memory and bounded: a restart forgets, and who goes on is found again.

use crate::app::App;
use crate::health::{self, Raised, Severity};
use db::DbError;
use jiff::{SignedDuration, Timestamp};
use model::TenantId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Different things, asked for in vain within [`WITHIN`], from which on it is told. A page left open over a clean-up asks for a few.
const MANY: usize = 20;
/// How long a question in vain counts.
const WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// How long it is told after the last time.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Callers that are remembered; of more, those who asked longest ago are forgotten first.
const CALLERS_MAX: usize = 4096;
/// Callers that a condition names.
const NAMED: usize = 5;
/// The condition's name.
const CODE: &str = "access.strangers";

/// Who sent a request: put empty into each request, and filled once the caller is known.
#[derive(Debug, Default)]
pub struct Asker(OnceLock<Who>);

type Who = (TenantId, String);

impl Asker {
    /// Says who it is.
    pub fn is(&self, tenant: TenantId, actor: &str) {
        // A request has one caller; a second look at the same one says nothing new.
        let _: Result<(), Who> = self.0.set((tenant, actor.to_owned()));
    }
}

/// What one caller asked for in vain.
#[derive(Debug, Default)]
struct Vain {
    /// Paths, each with when it was asked for last; at most [`MANY`].
    asked: BTreeMap<String, Timestamp>,
    /// When they were too many last.
    many_at: Option<Timestamp>,
}

impl Vain {
    fn last(&self) -> Timestamp {
        self.asked.values().copied().chain(self.many_at).max().unwrap_or(Timestamp::MIN)
    }
}

/// The callers of late.
#[derive(Default)]
pub struct Strangers {
    callers: Mutex<BTreeMap<(TenantId, String), Vain>>,
    /// Whether the condition stands, once that is known.
    told: Mutex<Option<bool>>,
}

impl fmt::Debug for Strangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Strangers")
    }
}

impl Strangers {
    /// Counts that something was asked for by its id and is not there.
    pub fn note(&self, asker: &Asker, path: &str, now: Timestamp) {
        let Some((tenant, actor)) = asker.0.get().filter(|_| names_one(path)) else { return };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = (*tenant, actor.clone());
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&caller) {
            let oldest = callers.iter().min_by_key(|(_, vain)| vain.last()).map(|(caller, _)| caller.clone());
            oldest.and_then(|oldest| callers.remove(&oldest));
        }
        let vain = callers.entry(caller).or_default();
        vain.asked.retain(|_, at| now.duration_since(*at) < WITHIN);
        if vain.asked.len() < MANY {
            vain.asked.insert(path.to_owned(), now);
        }
        if vain.asked.len() >= MANY {
            vain.many_at = Some(now);
        }
    }

    /// Returns who asked for too much within the last day, and forgets who is quiet.
    fn many(&self, now: Timestamp) -> BTreeSet<(TenantId, String)> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.retain(|_, vain| now.duration_since(vain.last()) < TOLD_FOR);
        let recent = |vain: &Vain| vain.many_at.is_some_and(|at| now.duration_since(at) < TOLD_FOR);
        callers.iter().filter(|(_, vain)| recent(vain)).map(|(caller, _)| caller.clone()).collect()
    }
}

/// Says whether a path names one thing by its id.
fn names_one(path: &str) -> bool {
    path.split('/').any(|part| {
        part.split_once('_').is_some_and(|(kind, digits)| {
            kind.len() == 3 && digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

/// Raises the condition while somebody asks for too much, and clears it a day after the last time.
///
/// # Errors
/// When the database does not answer.
pub async fn tell_of_strangers(app: &App) -> Result<usize, DbError> {
    let many = app.strangers.many(app.clock.now());
    let told = *app.strangers.told.lock().unwrap_or_else(PoisonError::into_inner);
    if many.is_empty() && told == Some(false) {
        return Ok(0);
    }
    if many.is_empty() {
        health::clear(app, CODE).await?;
    } else {
        let mut text = format!("{} asked for {MANY} or more things by ids that their ISP does not have:", many.len());
        for (tenant, actor) in many.iter().take(NAMED) {
            let _ = write!(text, " {actor} of {tenant};");
        }
        let remedy =
            "Nothing was shown to them. Ask the ISP whether it knows why; its admins can end the login or revoke the token"
                .to_owned();
        health::raise(app, &Raised { code: CODE.to_owned(), severity: Severity::Warning, text, remedy }).await?;
    }
    *app.strangers.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(!many.is_empty());
    Ok(many.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn tenant() -> TenantId {
        "ten_0190163d8694739b8fd74dd02ebd3dc4".parse().expect("an id")
    }

    fn asker(name: &str) -> Asker {
        let asker = Asker::default();
        asker.is(tenant(), name);
        asker
    }

    fn path(number: usize) -> String {
        format!("/api/v1/routers/rtr_{number:032x}")
    }

    #[test]
    fn many_different_things_in_a_short_time_are_too_many() {
        let (strangers, eve) = (Strangers::default(), asker("eve"));
        for number in 0..MANY - 1 {
            strangers.note(&eve, &path(number), START);
            strangers.note(&eve, &path(0), START);
        }
        assert!(strangers.many(START).is_empty(), "the same again is nothing new");
        strangers.note(&asker("bob"), &path(MANY), START);
        assert!(strangers.many(START).is_empty(), "somebody else's are not hers");
        strangers.note(&eve, &path(MANY), START);
        assert_eq!(strangers.many(START).len(), 1);
        assert_eq!(strangers.many(START + SignedDuration::from_hours(23)).len(), 1);
        assert!(strangers.many(START + TOLD_FOR).is_empty());
    }

    #[test]
    fn a_few_at_a_time_are_not_many_and_a_list_is_nothing() {
        let (strangers, ben) = (Strangers::default(), asker("ben"));
        for number in 0..200 {
            strangers.note(&ben, &path(number), START + SignedDuration::from_mins(1) * i32::try_from(number).expect("small"));
            strangers.note(&ben, "/api/v1/routers/nothing", START);
        }
        assert!(strangers.many(START + SignedDuration::from_mins(200)).is_empty());
        for number in 0..MANY {
            strangers.note(&Asker::default(), &path(number), START);
        }
        assert!(strangers.many(START).is_empty(), "nobody who is not known yet");
    }

    #[test]
    fn so_many_are_remembered() {
        let strangers = Strangers::default();
        for number in 0..CALLERS_MAX + 10 {
            strangers.note(
                &asker(&format!("p{number}")),
                &path(1),
                START + SignedDuration::from_millis(i64::try_from(number).expect("small")),
            );
        }
        let callers = strangers.callers.lock().expect("nobody panics");
        assert_eq!(callers.len(), CALLERS_MAX);
        assert!(!callers.keys().any(|(_, actor)| actor == "p0"), "who asked longest ago is forgotten");
    }
}
