//! How news of sessions meet: in whatever order and however often they come, the same row results, and no counter ever falls. Pure.

use super::{Cause, Ended, Listed, Listing, SessionKind, Sighting};
use jiff::{SignedDuration, Timestamp};
use model::RouterId;
use std::collections::{BTreeMap, BTreeSet};

/// By how much the start of a session, reckoned back from its age, may lie beside what was reckoned before: a listing takes up to some
/// seconds to arrive, and ages are whole seconds.
const START_SLACK: SignedDuration = SignedDuration::from_secs(60);
/// A reckoned start of the router that lies this close to the known one is the known one.
const BOOT_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// Joins two pieces of news of one session. It does not matter which comes first, in which groups they come, or whether one comes twice.
pub(super) fn merge(a: Sighting, b: Sighting) -> Sighting {
    let latest = |sighting: &Sighting| {
        let labels = (sighting.login.clone(), sighting.address, sighting.station.clone());
        (sighting.seen_at, labels, sighting.kind, sighting.acct_id.clone())
    };
    let (newer, older) = if latest(&a) >= latest(&b) { (a, b) } else { (b, a) };
    let ended = the_end(newer.ended, older.ended).filter(|end| !end.cause.is_concluded() || end.at >= newer.seen_at);
    Sighting {
        started_at: newer.started_at.min(older.started_at),
        online_seconds: newer.online_seconds.max(older.online_seconds),
        upload: newer.upload.max(older.upload),
        download: newer.download.max(older.download),
        ended,
        ..newer
    }
}

/// The end that holds: what the router reported is final, and of two reports the earlier. What was only concluded, from a session's
/// not being listed, holds until the session is seen again; of two conclusions the later.
fn the_end(a: Option<Ended>, b: Option<Ended>) -> Option<Ended> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some(match (a.cause.is_concluded(), b.cause.is_concluded()) {
        (false, true) => a,
        (true, false) => b,
        (false, false) => std::cmp::min_by_key(a, b, |end| (end.at, end.cause)),
        (true, true) => std::cmp::max_by_key(a, b, |end| (end.at, end.cause)),
    })
}

/// Brings one piece of news into order: nothing begins after it was seen or after it ended.
pub(super) fn in_order(sighting: Sighting) -> Sighting {
    let ended = sighting.ended.filter(|end| !end.cause.is_concluded() || end.at >= sighting.seen_at);
    let latest_start = ended.map_or(sighting.seen_at, |end| end.at.min(sighting.seen_at));
    Sighting { started_at: sighting.started_at.min(latest_start), ended, ..sighting }
}

/// Joins a batch, session by session.
pub(super) fn fold(sightings: impl IntoIterator<Item = Sighting>) -> BTreeMap<(RouterId, String), Sighting> {
    let mut folded: BTreeMap<(RouterId, String), Sighting> = BTreeMap::new();
    for sighting in sightings.into_iter().map(in_order) {
        let key = (sighting.router, sighting.key.clone());
        let merged = match folded.remove(&key) {
            Some(known) => merge(known, sighting),
            None => sighting,
        };
        folded.insert(key, merged);
    }
    folded
}

/// What is known of a router before a listing of it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Source {
    /// When it last started.
    pub boot_at: Option<Timestamp>,
    /// When it was last listed.
    pub listed_at: Option<Timestamp>,
}

/// Says when the router last started, given how long it says to have been up. It started anew only if that was after it was last
/// listed; all else is the two clocks drifting apart.
pub(super) fn boot(source: Source, listing: &Listing) -> Option<Timestamp> {
    let Some(uptime) = listing.uptime else { return source.boot_at };
    let reckoned = whole_seconds(listing.at - uptime);
    match (source.boot_at, source.listed_at) {
        (Some(known), Some(listed)) if reckoned < listed || reckoned < known + BOOT_SLACK => Some(known),
        _ => Some(reckoned),
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).expect("seconds of a time are a time")
}

/// Turns a whole listing into news: of each session that is listed, and of each that is live here and not listed any more.
pub(super) fn read(router: RouterId, source: Source, live: &[Sighting], listing: &Listing) -> Vec<Sighting> {
    let boot_at = boot(source, listing);
    let rebooted = source.boot_at.is_some() && boot_at > source.boot_at;
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut news = Vec::with_capacity(listing.sessions.len());
    for listed in &listing.sessions {
        let started_at = listing.at - listed.uptime;
        let mut candidates = live.iter().filter(|session| !taken.contains(session.key.as_str()));
        let known = if rebooted { None } else { candidates.find(|session| is_same(session, listed, started_at)) };
        let key = match known {
            Some(session) => {
                taken.insert(&session.key);
                session.key.clone()
            }
            None => key(listed, boot_at, started_at),
        };
        news.push(Sighting {
            router,
            key,
            acct_id: listed.acct_id.clone(),
            kind: listed.kind,
            login: listed.login.clone(),
            address: listed.address,
            station: listed.station.clone(),
            started_at,
            seen_at: listing.at,
            online_seconds: u64::try_from(listed.uptime.as_secs()).unwrap_or(0),
            upload: listed.upload,
            download: listed.download,
            ended: None,
        });
    }
    let cause = if rebooted { Cause::RouterReboot } else { Cause::Unseen };
    // It ended somewhere between the last time it was seen and now; the former is what is known.
    let gone = live.iter().filter(|session| !taken.contains(session.key.as_str()));
    news.extend(gone.map(|session| Sighting { ended: Some(Ended { at: session.seen_at, cause }), ..session.clone() }));
    news
}

/// Says whether a listed session is one that is live here.
fn is_same(session: &Sighting, listed: &Listed, started_at: Timestamp) -> bool {
    let caller = session.kind == listed.kind
        && session.login.eq_ignore_ascii_case(&listed.login)
        && session.station.eq_ignore_ascii_case(&listed.station);
    if !listed.acct_id.is_empty() && !session.acct_id.is_empty() {
        return caller && acct(&session.acct_id) == acct(&listed.acct_id);
    }
    caller && session.address == listed.address && started_at.duration_since(session.started_at).abs() <= START_SLACK
}

/// A router writes a session's name as `0x81700003` in one place and as `81700003` in another.
fn acct(id: &str) -> String {
    let id = id.to_ascii_lowercase();
    id.strip_prefix("0x").unwrap_or(&id).to_owned()
}

/// Names a session that the router gave no id of ours back for.
fn key(listed: &Listed, boot_at: Option<Timestamp>, started_at: Timestamp) -> String {
    let boot = boot_at.map_or(0, Timestamp::as_second);
    let station = listed.station.to_ascii_uppercase();
    if listed.acct_id.is_empty() {
        // A hotspot has no names for its sessions: who, from where and since when is what tells them apart.
        format!("acct:{boot}:@{}:{}:{station}", started_at.as_second(), listed.login)
    } else {
        format!("acct:{boot}:{}:{station}", acct(&listed.acct_id))
    }
}

/// Ends every session of a router that began before it started anew, and no other.
pub(super) fn restarted(live: &[Sighting], boot_at: Timestamp) -> Vec<Sighting> {
    let before = live.iter().filter(|session| session.started_at < boot_at);
    let end = |session: &Sighting| Ended { at: session.seen_at.min(boot_at), cause: Cause::RouterReboot };
    before.map(|session| Sighting { ended: Some(end(session)), ..session.clone() }).collect()
}

impl SessionKind {
    const ALL: [Self; 2] = [Self::Pppoe, Self::Hotspot];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pppoe => "pppoe",
            Self::Hotspot => "hotspot",
        }
    }

    pub(super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Bytes;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn router() -> RouterId {
        RouterId::from_uuid(Uuid::from_u128(1))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_768_467_600 + second).expect("a time")
    }

    fn listed(login: &str, acct_id: &str, uptime: i64) -> Listed {
        Listed {
            kind: if acct_id.is_empty() { SessionKind::Hotspot } else { SessionKind::Pppoe },
            login: login.to_owned(),
            acct_id: acct_id.to_owned(),
            address: Some("100.64.0.10".parse().expect("an address")),
            station: "02:00:00:00:00:11".to_owned(),
            uptime: SignedDuration::from_secs(uptime),
            upload: None,
            download: None,
        }
    }

    fn listing(second: i64, uptime: i64, sessions: Vec<Listed>) -> Listing {
        Listing { at: at(second), uptime: Some(SignedDuration::from_secs(uptime)), sessions }
    }

    fn live(news: Vec<Sighting>) -> Vec<Sighting> {
        fold(news).into_values().filter(|session| session.ended.is_none()).collect()
    }

    fn sighting() -> impl Strategy<Value = Sighting> {
        let cause = prop_oneof![Just(Cause::UserRequest), Just(Cause::Unseen), Just(Cause::RouterReboot)];
        let ended = proptest::option::of((0_i64..200, cause));
        let bytes = || proptest::option::of(0_u64..1000);
        let times = (0_i64..200, 0_i64..200, 0_u64..300);
        (times, bytes(), bytes(), ended, "[ab]", 0_u8..3).prop_map(
            |((start, seen, online), upload, download, ended, login, last)| {
                in_order(Sighting {
                    router: router(),
                    key: "acct:0:1:".to_owned(),
                    acct_id: "1".to_owned(),
                    kind: SessionKind::Pppoe,
                    login,
                    address: Some(std::net::Ipv4Addr::new(100, 64, 0, last).into()),
                    station: String::new(),
                    started_at: at(start),
                    seen_at: at(seen),
                    online_seconds: online,
                    upload: upload.map(Bytes),
                    download: download.map(Bytes),
                    ended: ended.map(|(second, cause)| Ended { at: at(second), cause }),
                })
            },
        )
    }

    fn joined(history: &[Sighting]) -> Sighting {
        fold(history.to_vec()).into_values().next().expect("one session")
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_give_one_row(
            history in proptest::collection::vec(sighting(), 1..12),
            again in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
            shuffle in any::<u64>(),
        ) {
            let once = joined(&history);
            let mut other = history.clone();
            other.extend(again.iter().map(|index| history[index.index(history.len())].clone()));
            let mut state = shuffle;
            for place in (1..other.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                other.swap(place, usize::try_from(state >> 33).expect("31 bits fit") % (place + 1));
            }
            prop_assert_eq!(joined(&other), once);
        }

        #[test]
        fn groups_do_not_matter(a in sighting(), b in sighting(), c in sighting()) {
            prop_assert_eq!(merge(merge(a.clone(), b.clone()), c.clone()), merge(a, merge(b, c)));
        }

        #[test]
        fn nothing_falls_and_a_reported_end_is_final(a in sighting(), b in sighting()) {
            let merged = merge(a.clone(), b);
            prop_assert!(merged.online_seconds >= a.online_seconds && merged.upload >= a.upload && merged.download >= a.download);
            prop_assert!(merged.seen_at >= a.seen_at && merged.started_at <= a.started_at);
            prop_assert!(a.ended.is_none_or(|end| end.cause.is_concluded()) || merged.ended.is_some());
            prop_assert!(merged.started_at <= merged.seen_at && merged.ended.is_none_or(|end| merged.started_at <= end.at));
        }
    }

    #[test]
    fn what_the_router_reported_goes_before_what_was_concluded() {
        let reported = Ended { at: at(50), cause: Cause::UserRequest };
        let concluded = Ended { at: at(10), cause: Cause::Unseen };
        assert_eq!(the_end(Some(concluded), Some(reported)), Some(reported));
    }

    #[test]
    fn a_session_that_is_seen_again_had_not_ended() {
        let first = read(router(), Source::default(), &[], &listing(0, 1000, vec![listed("jane", "0x81", 10)]));
        let source = Source { boot_at: Some(at(-1000)), listed_at: Some(at(0)) };
        let missed = read(router(), source, &first, &listing(60, 1060, vec![]));
        assert_eq!(missed[0].ended, Some(Ended { at: at(0), cause: Cause::Unseen }));
        let back = read(router(), source, &[], &listing(120, 1120, vec![listed("jane", "0x81", 130)]));
        assert_eq!((back[0].key == first[0].key, merge(missed[0].clone(), back[0].clone()).ended), (true, None));
    }

    #[test]
    fn a_session_keeps_its_key_from_listing_to_listing() {
        let first =
            read(router(), Source::default(), &[], &listing(0, 1000, vec![listed("jane", "0x81", 10), listed("guest", "", 20)]));
        let source = Source { boot_at: boot(Source::default(), &listing(0, 1000, vec![])), listed_at: Some(at(0)) };
        // A minute later, with a second's jitter, and a login that the router now writes in other letters.
        let second = listing(61, 1060, vec![listed("Jane", "0x81", 70), listed("guest", "", 79)]);
        let news = read(router(), source, &live(first.clone()), &second);
        let keys = |news: &[Sighting]| news.iter().map(|one| one.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&news), keys(&first));
        assert!(news.iter().all(|one| one.ended.is_none()));
    }

    #[test]
    fn who_dialled_again_has_a_new_session_and_the_old_one_ended_when_last_seen() {
        let source = Source { boot_at: Some(at(-1000)), listed_at: Some(at(0)) };
        let first = read(router(), source, &[], &listing(0, 1000, vec![listed("jane", "0x81", 10), listed("guest", "", 500)]));
        let again = listing(300, 1300, vec![listed("jane", "0x82", 30), listed("guest", "", 100)]);
        let news = read(router(), source, &live(first.clone()), &again);
        let ended: Vec<_> = news.iter().filter_map(|one| Some((one.key.as_str(), one.ended?))).collect();
        let gone = Ended { at: at(0), cause: Cause::Unseen };
        assert_eq!(ended, [(first[0].key.as_str(), gone), (first[1].key.as_str(), gone)]);
        assert_eq!(live(news).len(), 2);
    }

    #[test]
    fn a_router_that_started_anew_gives_old_names_to_new_sessions() {
        let before = listing(0, 1000, vec![listed("jane", "0x81", 10)]);
        let source = Source { boot_at: boot(Source::default(), &before), listed_at: Some(at(0)) };
        let first = live(read(router(), Source::default(), &[], &before));
        let after = listing(600, 100, vec![listed("jane", "0x81", 60)]);
        assert_eq!(boot(source, &after), Some(at(500)));
        let news = read(router(), source, &first, &after);
        assert_ne!(news[0].key, first[0].key);
        assert_eq!(news[1].ended, Some(Ended { at: at(0), cause: Cause::RouterReboot }));
        // Drifting clocks are no new start.
        assert_eq!(boot(source, &listing(600, 1595, vec![])), source.boot_at);
        assert_eq!(boot(source, &Listing { uptime: None, ..after }), source.boot_at);
    }

    #[test]
    fn a_restart_ends_what_began_before_it_alone() {
        let source = Source { boot_at: Some(at(-1000)), listed_at: Some(at(0)) };
        let both = listing(100, 1100, vec![listed("jane", "0x81", 90), listed("ben", "0x82", 10)]);
        let ended = restarted(&live(read(router(), source, &[], &both)), at(50));
        assert_eq!(ended.iter().map(|one| one.login.as_str()).collect::<Vec<_>>(), ["jane"]);
    }
}
