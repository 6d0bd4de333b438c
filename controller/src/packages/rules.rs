//! What a package may be, and when a purchase of it ends. Pure.

use super::{Applies, Burst, NewPackage, PackageKind, Speed, Validity};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use model::{BitsPerSec, Money};
use std::ops::RangeInclusive;

/// Slowest and fastest speed. RouterOS refuses nothing in between, and a typing error lies mostly outside.
const SPEEDS: RangeInclusive<BitsPerSec> = BitsPerSec(8_000)..=BitsPerSec(100_000_000_000);
/// Shortest and longest validity in seconds: a minute and three years.
const VALID_SECONDS: RangeInclusive<i64> = 60..=94_608_000;
const VALID_MONTHS: RangeInclusive<i32> = 1..=36;
const BURST_SECONDS: RangeInclusive<u32> = 1..=600;
const SHARED_USERS: RangeInclusive<u16> = 1..=100;
/// The dearest price in minor units: ten thousand million shillings.
const PRICES: RangeInclusive<i64> = 0..=1_000_000_000_000;

/// Versions that a package may have; who changes it more often makes a new one.
pub(super) const VERSIONS_MAX: i32 = 1_000;
/// Routers, and sites, that a package's scope may name.
pub(super) const SCOPE_MAX: usize = 500;

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// Says what is wrong with a new package, if anything.
pub(super) fn fault(new: &NewPackage) -> Option<Fault> {
    if !(1..=60).contains(&new.name.chars().count()) || new.name.trim() != new.name || new.name.contains(char::is_control) {
        return Some(("name", "write 1 to 60 characters, without spaces around them"));
    }
    let valid = match new.validity {
        Validity::Seconds(seconds) => VALID_SECONDS.contains(&seconds),
        Validity::Months(months) => VALID_MONTHS.contains(&months),
    };
    if !valid {
        return Some(("validity", "choose 60 to 94608000 seconds or 1 to 36 months"));
    }
    limits_fault(new).or_else(|| price_fault(new.price)).or_else(|| speed_fault(&new.speed))
}

/// Online time, volume and devices are counted by a hotspot alone.
fn limits_fault(new: &NewPackage) -> Option<Fault> {
    let hotspot = new.kind == PackageKind::Hotspot;
    let only_hotspot = "only a hotspot package is limited so";
    match (new.online_seconds, new.data_bytes, new.shared_users) {
        (Some(_), _, _) if !hotspot => Some(("online_seconds", only_hotspot)),
        (_, Some(_), _) if !hotspot => Some(("data_bytes", only_hotspot)),
        (_, _, Some(users)) if !hotspot && users != 1 => Some(("shared_users", only_hotspot)),
        (Some(seconds), _, _) if !VALID_SECONDS.contains(&seconds) => Some(("online_seconds", "choose 60 to 94608000 seconds")),
        (_, Some(bytes), _) if bytes.0 == 0 || i64::try_from(bytes.0).is_err() => Some(("data_bytes", "choose at least 1 byte")),
        (_, _, Some(users)) if !SHARED_USERS.contains(&users) => Some(("shared_users", "choose 1 to 100 devices")),
        _ => None,
    }
}

/// Says what is wrong with a price, if anything.
pub(super) fn price_fault(price: Money) -> Option<Fault> {
    (!PRICES.contains(&price.minor)).then_some(("price", "choose 0 to 1000000000000 minor units"))
}

/// Says what is wrong with a speed, if anything.
pub(super) fn speed_fault(speed: &Speed) -> Option<Fault> {
    if !SPEEDS.contains(&speed.download_bps) || !SPEEDS.contains(&speed.upload_bps) {
        return Some(("speed", "give bits per second, 8000 to 100000000000: 10000000 is 10 Mbit/s"));
    }
    speed.burst.as_ref().and_then(|burst| burst_fault(speed, burst))
}

fn burst_fault(speed: &Speed, burst: &Burst) -> Option<Fault> {
    let faster = burst.download_bps >= speed.download_bps && burst.upload_bps >= speed.upload_bps;
    if !faster || !SPEEDS.contains(&burst.download_bps) || !SPEEDS.contains(&burst.upload_bps) {
        return Some(("speed.burst", "a burst is at least as fast as the speed, and at most 100000000000 bits per second"));
    }
    // With a threshold above the speed the average never reaches it, and the burst would never end (RouterOS manual, "Queues").
    let ends = (BitsPerSec(1)..=speed.download_bps).contains(&burst.download_threshold_bps)
        && (BitsPerSec(1)..=speed.upload_bps).contains(&burst.upload_threshold_bps);
    if !ends {
        return Some(("speed.burst", "a threshold lies above 0 and not above the speed"));
    }
    (!BURST_SECONDS.contains(&burst.seconds)).then_some(("speed.burst.seconds", "choose 1 to 600 seconds"))
}

/// Says when what starts at `start` ends; nothing where the calendar ends first.
pub(super) fn end(validity: Validity, start: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    match validity {
        Validity::Seconds(seconds) => start.checked_add(SignedDuration::from_secs(seconds)).ok(),
        Validity::Months(months) => Some(start.to_zoned(zone.clone()).checked_add(months.months()).ok()?.timestamp()),
    }
}

/// Says what somebody has now who bought version `base`, counted from 0: where the line began that the version belongs to, and the speed.
/// A line begins with a speed that reached nobody but buyers; a later speed that reached everybody reached who stands on an old line too.
pub(super) fn in_force(versions: &[(Applies, Speed)], base: usize) -> (usize, Speed) {
    let faster = |at: usize| at > 0 && versions[at].1 != versions[at - 1].1;
    let line = (1..=base).rev().find(|at| faster(*at) && versions[*at].0 == Applies::NextRenewal).unwrap_or(0);
    let reached = (base + 1..versions.len()).rev().find(|at| faster(*at) && versions[*at].0 == Applies::Now);
    (line, versions[reached.unwrap_or(base)].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Bytes, Currency};

    fn speed() -> Speed {
        Speed { download_bps: BitsPerSec(10_000_000), upload_bps: BitsPerSec(5_000_000), burst: None }
    }

    fn package(kind: PackageKind) -> NewPackage {
        NewPackage {
            name: "Home 10".to_owned(),
            kind,
            price: Money::new(150_000, Currency::KES),
            speed: speed(),
            validity: Validity::Months(1),
            online_seconds: None,
            data_bytes: None,
            shared_users: None,
            on_expiry: None,
            portal: None,
        }
    }

    #[test]
    fn each_field_is_judged() {
        let good = package(PackageKind::Hotspot);
        assert_eq!(fault(&good), None);
        let faults: [(&str, NewPackage); 9] = [
            ("name", NewPackage { name: String::new(), ..good.clone() }),
            ("name", NewPackage { name: " Home".to_owned(), ..good.clone() }),
            ("validity", NewPackage { validity: Validity::Seconds(59), ..good.clone() }),
            ("validity", NewPackage { validity: Validity::Months(37), ..good.clone() }),
            ("price", NewPackage { price: Money::new(-1, Currency::KES), ..good.clone() }),
            ("speed", NewPackage { speed: Speed { upload_bps: BitsPerSec(0), ..speed() }, ..good.clone() }),
            ("shared_users", NewPackage { shared_users: Some(0), ..good.clone() }),
            ("data_bytes", NewPackage { data_bytes: Some(Bytes(0)), ..good.clone() }),
            ("online_seconds", NewPackage { online_seconds: Some(0), ..good.clone() }),
        ];
        for (field, wrong) in faults {
            assert_eq!(fault(&wrong).map(|(field, _)| field), Some(field), "{wrong:?}");
        }
    }

    #[test]
    fn only_a_hotspot_counts_time_and_volume() {
        let limited = |kind| NewPackage { online_seconds: Some(3600), data_bytes: Some(Bytes(1 << 30)), ..package(kind) };
        assert_eq!(fault(&limited(PackageKind::Hotspot)), None);
        assert_eq!(fault(&limited(PackageKind::Pppoe)).map(|(field, _)| field), Some("online_seconds"));
        assert_eq!(fault(&limited(PackageKind::Static)).map(|(field, _)| field), Some("online_seconds"));
    }

    #[test]
    fn a_burst_is_faster_and_ends() {
        let burst = Burst {
            download_bps: BitsPerSec(20_000_000),
            upload_bps: BitsPerSec(10_000_000),
            download_threshold_bps: BitsPerSec(7_500_000),
            upload_threshold_bps: BitsPerSec(3_750_000),
            seconds: 16,
        };
        let with = |burst| speed_fault(&Speed { burst: Some(burst), ..speed() });
        assert_eq!(with(burst), None);
        assert!(with(Burst { download_bps: BitsPerSec(9_000_000), ..burst }).is_some());
        assert!(with(Burst { upload_threshold_bps: BitsPerSec(5_000_001), ..burst }).is_some());
        assert!(with(Burst { download_threshold_bps: BitsPerSec(0), ..burst }).is_some());
        assert!(with(Burst { seconds: 0, ..burst }).is_some());
    }

    #[test]
    fn months_are_the_tenants() {
        let nairobi = TimeZone::get("Africa/Nairobi").expect("a zone that every machine knows");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let months = |from: &str, count| end(Validity::Months(count), at(from), &nairobi).expect("within the calendar");
        // Noon in Nairobi on 31 January leads to noon on the last of February, and of a leap year's February.
        assert_eq!(months("2026-01-31T09:00:00Z", 1), at("2026-02-28T09:00:00Z"));
        assert_eq!(months("2028-01-31T09:00:00Z", 1), at("2028-02-29T09:00:00Z"));
        // 21:30 UTC on 31 January is half past midnight on 1 February in Nairobi, so the month is February's.
        assert_eq!(months("2026-01-31T21:30:00Z", 1), at("2026-02-28T21:30:00Z"));
        assert_eq!(months("2026-01-30T21:30:00Z", 1), at("2026-02-27T21:30:00Z"));
        assert_eq!(months("2026-12-15T09:00:00Z", 1), at("2027-01-15T09:00:00Z"));
        // A day is lost or won by the clock in Berlin, and the hour on the wall stays.
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone that every machine knows");
        assert_eq!(end(Validity::Months(1), at("2026-03-15T11:00:00Z"), &berlin), Some(at("2026-04-15T10:00:00Z")));
        assert_eq!(end(Validity::Seconds(3600), at("2026-03-15T11:00:00Z"), &berlin), Some(at("2026-03-15T12:00:00Z")));
        assert_eq!(end(Validity::Seconds(60), Timestamp::MAX, &berlin), None);
    }

    fn mbit(rate: u64) -> Speed {
        Speed { download_bps: BitsPerSec(rate * 1_000_000), upload_bps: BitsPerSec(1_000_000), burst: None }
    }

    #[test]
    fn a_speed_reaches_everybody_or_buyers_alone() {
        use Applies::{NextRenewal, Now};
        let first = (Now, mbit(10));
        assert_eq!(in_force(&[first], 0), (0, mbit(10)));
        assert_eq!(in_force(&[first, (Now, mbit(12))], 0), (0, mbit(12)));
        let later = [first, (NextRenewal, mbit(20))];
        assert_eq!(in_force(&later, 0), (0, mbit(10)), "what was sold keeps its speed");
        assert_eq!(in_force(&later, 1), (1, mbit(20)));
        let cheaper = [first, (NextRenewal, mbit(20)), (Now, mbit(20))];
        assert_eq!(in_force(&cheaper, 0), (0, mbit(10)), "a price alone moves nobody");
        assert_eq!(in_force(&cheaper, 2), (1, mbit(20)), "and begins no line");
        let everybody = [first, (NextRenewal, mbit(20)), (Now, mbit(25))];
        assert_eq!(in_force(&everybody, 0), (0, mbit(25)));
        assert_eq!(in_force(&everybody, 1), (1, mbit(25)));
        let again = [first, (Now, mbit(12)), (NextRenewal, mbit(20))];
        assert_eq!((in_force(&again, 0), in_force(&again, 1)), ((0, mbit(12)), (0, mbit(12))));
    }

    /// Wherever a purchase begins, in whichever zone: it ends on the same day of the month at the same hour on the wall, or on the month's
    /// last day where it is shorter, or behind the hour that the clock leaves out. More months never end earlier.
    #[test]
    fn a_month_is_a_month_in_every_zone() {
        let zones = [
            "Africa/Nairobi",
            "Africa/Casablanca",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "UTC",
        ];
        let entropy = model::SeededEntropy::new(31);
        let below = |n: u64| {
            let mut bytes = [0; 8];
            model::Entropy::fill(&entropy, &mut bytes);
            i64::try_from(u64::from_le_bytes(bytes) % n).expect("small")
        };
        for round in 0..3_000 {
            let zone = TimeZone::get(zones[round % zones.len()]).expect("a zone that every machine knows");
            // Within 30 years from 2020; every third begins within an hour of a month's end on the wall.
            let drawn = Timestamp::from_second(1_577_836_800 + below(30 * 31_557_600)).expect("within the calendar");
            let start = if round % 3 == 0 {
                let midnight = drawn.to_zoned(zone.clone()).date().last_of_month().tomorrow().expect("there is one");
                let midnight = midnight.to_zoned(zone.clone()).expect("a time").timestamp();
                midnight + SignedDuration::from_secs(below(7200) - 3600)
            } else {
                drawn
            };
            let from = start.to_zoned(zone.clone());
            let mut before = start;
            for months in VALID_MONTHS {
                let end = end(Validity::Months(months), start, &zone).expect("within the calendar");
                assert!(end > before, "{from} and {months} months");
                before = end;
                let to = end.to_zoned(zone.clone());
                let whole = i32::from(from.year()) * 12 + i32::from(from.month()) - 1 + months;
                assert_eq!(i32::from(to.year()) * 12 + i32::from(to.month()) - 1, whole, "{from} and {months} months: {to}");
                assert_eq!(to.day(), from.day().min(to.days_in_month()), "{from} and {months} months: {to}");
                let there = to.date().to_datetime(from.time());
                let skipped = matches!(zone.to_ambiguous_timestamp(there).offset(), jiff::tz::AmbiguousOffset::Gap { .. });
                assert!(to.time() == from.time() || (skipped && to.time() > from.time()), "{from} and {months} months: {to}");
            }
            let seconds = 60 + below(94_608_000 - 60);
            let end = end(Validity::Seconds(seconds), start, &zone).expect("within the calendar");
            assert_eq!(end.duration_since(start).as_secs(), seconds, "seconds know no zone");
        }
    }
}
