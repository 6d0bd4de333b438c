//! The router's clock, which may be wrong.

use super::Device;
use super::request::{Request, Trap};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

impl Device {
    /// Returns what the router takes for the present.
    #[must_use]
    pub fn clock(&self) -> Timestamp {
        self.now.checked_add(self.offset).unwrap_or(self.now)
    }

    /// Returns the router's zone; one it does not know counts as UTC.
    pub(super) fn zone(&self) -> TimeZone {
        let name = self.single("/system/clock", "time-zone-name");
        TimeZone::get(name).unwrap_or(TimeZone::UTC)
    }

    /// Returns the date and time on the router's wall.
    pub(super) fn wall(&self) -> DateTime {
        self.zone().to_datetime(self.clock())
    }

    /// Writes the present as the log and the address lists do: `2026-01-31 23:59:59`.
    pub(super) fn date_time(&self) -> String {
        self.wall().strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Sets the clock, as somebody at the console or an NTP server would.
    pub fn set_clock(&mut self, clock: Timestamp) {
        let offset = clock.duration_since(self.now);
        let shifted = offset.checked_sub(self.offset).unwrap_or(SignedDuration::MAX);
        self.offset = offset;
        // A jump plans every run anew: what was due in the span that was jumped over is not made up for.
        if shifted.abs() >= SignedDuration::from_secs(1) {
            self.plan_all_runs();
        }
    }

    /// Takes the right time from an NTP server when it is asked to and can reach one.
    pub(super) fn synchronise(&mut self) {
        let enabled =
            self.single("/system/ntp/client", "enabled") == "true" && !self.single("/system/ntp/client", "servers").is_empty();
        let reached = enabled && self.config.internet;
        if reached && !self.synchronised {
            self.set_clock(self.now);
            self.log("system,clock,info", "ntp change time");
        }
        self.synchronised = reached;
    }

    /// Connects or cuts the uplink, as far as NTP and the customers go.
    pub fn set_internet(&mut self, works: bool) {
        self.config.internet = works;
        self.version += 1;
    }

    /// Reads `/system/clock/set date= time= time-zone-name=`.
    pub(super) fn set_clock_fields(&mut self, request: &Request) -> Result<(), Trap> {
        if let Some(name) = request.value("time-zone-name")
            && name != "manual"
            && TimeZone::get(name).is_err()
        {
            return Err(Trap::of(1, "input does not match any value of time-zone-name"));
        }
        let wall = self.wall();
        let bad = |name: &str| Trap::of(1, format!("invalid value for argument {name}"));
        let date: Date = match request.value("date") {
            Some(text) => text.parse().map_err(|_| bad("date"))?,
            None => wall.date(),
        };
        let time: Time = match request.value("time") {
            Some(text) => text.parse().map_err(|_| bad("time"))?,
            None => wall.time(),
        };
        if request.value("date").is_some() || request.value("time").is_some() {
            let moment = self.zone().to_ambiguous_timestamp(date.to_datetime(time)).compatible();
            self.set_clock(moment.map_err(|_| bad("date"))?);
        }
        Ok(())
    }
}
