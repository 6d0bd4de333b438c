//! `/system/scheduler`: what runs when, by the router's own clock.

use super::request::{POLICIES, Session, Trap};
use super::table::{Fields, RowId};
use super::{Device, Effect, text};
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

const PATH: &str = "/system/scheduler";

impl Device {
    /// Gives an entry its owner, its beginning and its policy.
    pub(super) fn complete_scheduler(&mut self, session: &Session, fields: &mut Fields) -> Result<(), Trap> {
        let wall = self.wall();
        Self::default_to(fields, "start-date", || wall.strftime("%Y-%m-%d").to_string());
        Self::default_to(fields, "start-time", || wall.strftime("%H:%M:%S").to_string());
        Self::default_to(fields, "owner", || session.user.clone());
        // An entry added without a policy gets every one (measured).
        Self::default_to(fields, "policy", || POLICIES.join(","));
        Self::default_to(fields, "run-count", || "0".to_owned());
        let granted = fields.get("policy").map_or("", String::as_str);
        if granted.split(',').all(|policy| policy.is_empty() || session.may(policy)) {
            Ok(())
        } else {
            Err(Trap::not_enough_permissions())
        }
    }

    /// Plans the next run of an entry, or none.
    pub(super) fn plan_run(&mut self, id: RowId) {
        match self.next_run(id) {
            Some(next) => self.next_runs.insert(id, next),
            None => self.next_runs.remove(&id),
        };
    }

    pub(super) fn plan_all_runs(&mut self) {
        let ids: Vec<RowId> = self.rows(PATH).map(|row| row.id).collect();
        for id in ids {
            self.plan_run(id);
        }
    }

    /// Computes when an entry runs next, on the router's clock; the present itself still counts.
    fn next_run(&self, id: RowId) -> Option<Timestamp> {
        let row = self.row(PATH, id).filter(|row| !row.is("disabled"))?;
        let interval = i64::try_from(text::seconds(row.get("interval")).unwrap_or(0)).ok()?;
        let now = Timestamp::from_second(self.clock().as_second()).ok()?;
        if row.get("start-time") == "startup" {
            // It ran when the router came up, and again every interval since then.
            return (interval > 0).then(|| next_after(self.booted_clock(), interval, now)).flatten();
        }
        let date: Date = row.get("start-date").parse().ok()?;
        let time: Time = row.get("start-time").parse().ok()?;
        let start = self.zone().to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok()?;
        if start >= now { Some(start) } else { (interval > 0).then(|| next_after(start, interval, now)).flatten() }
    }

    fn booted_clock(&self) -> Timestamp {
        self.booted.checked_add(self.offset).unwrap_or(self.booted)
    }

    /// Runs what waits for the router to come up.
    pub(super) fn schedule_startup(&mut self) {
        let waiting = self.rows(PATH).filter(|row| row.get("start-time") == "startup" && !row.is("disabled"));
        let ids: Vec<RowId> = waiting.map(|row| row.id).collect();
        for id in ids {
            self.start(id);
        }
        self.plan_all_runs();
    }

    /// Starts every entry whose time has come.
    pub(super) fn run_due(&mut self) {
        let clock = self.clock();
        let due: Vec<RowId> = self.next_runs.iter().filter(|(_, next)| **next <= clock).map(|(id, _)| *id).collect();
        for id in due {
            let last = self.next_runs.remove(&id);
            self.start(id);
            let interval = self.row(PATH, id).and_then(|row| text::seconds(row.get("interval"))).unwrap_or(0);
            let interval = i64::try_from(interval).unwrap_or(0);
            if let Some(next) = last
                .filter(|_| interval > 0)
                .and_then(|last| next_after(last, interval, clock.checked_add(SignedDuration::from_secs(1)).ok()?))
            {
                self.next_runs.insert(id, next);
            }
        }
    }

    fn start(&mut self, id: RowId) {
        if !self.config.mode.allows("scheduler") {
            return;
        }
        let Some(row) = self.row_mut(PATH, id) else { return };
        let runs = row.number("run-count") + 1;
        row.fields.insert("run-count", runs.to_string());
        let granted: Vec<&str> = row.get("policy").split(',').collect();
        let effect = Effect::Script {
            name: row.get("name").to_owned(),
            source: row.get("on-event").to_owned(),
            owner: row.get("owner").to_owned(),
            policy: POLICIES.iter().copied().filter(|policy| granted.contains(policy)).collect(),
        };
        self.effects.push_back(effect);
    }
}

/// Returns the first `start + n × interval` that is not before `now`.
fn next_after(start: Timestamp, interval: i64, now: Timestamp) -> Option<Timestamp> {
    let late = now.duration_since(start).as_secs().max(0);
    let rounds = late.checked_add(interval - 1)? / interval;
    start.checked_add(SignedDuration::from_secs(rounds.checked_mul(interval)?)).ok()
}
