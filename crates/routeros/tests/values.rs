//! Goal: texts of one meaning have one canonical text, and only those.
//! Method: tables of spellings that routers and people use, then properties over generated values.

use proptest::prelude::*;
use routeros::catalogue::{Kind, ValueError, queue_simple};

const PRIORITY: Kind = Kind::Number { min: 1, max: 8 };
const RATES: Kind = Kind::Pair(&Kind::Rate);
const PREFIXES: Kind = Kind::Set(&Kind::Prefix);

fn canonical(kind: Kind, text: &str) -> Result<String, ValueError> {
    kind.canonical(text.as_bytes())
}

#[test]
fn spellings_of_one_meaning() {
    let flags = Kind::Flags(&["api", "ftp", "read"]);
    let ports = Kind::Set(&Kind::Ports);
    let timeout = Kind::Or(&["none"], &Kind::Duration);
    let target = queue_simple::MENU.arg(queue_simple::TARGET).expect("an argument of the menu").kind;
    let ranges = Kind::List(&Kind::AddressRange);
    let table: &[(Kind, &[&str], &str)] = &[
        (Kind::Bool, &["yes", "true"], "yes"),
        (Kind::Bool, &["no", "false"], "no"),
        (PRIORITY, &["8", "08"], "8"),
        (Kind::Duration, &["1d", "24h", "1d00:00:00", "86400", "86400s", "24:00:00", "23h60m"], "1d"),
        (Kind::Duration, &["1w2d3h4m5s", "9d03:04:05", "788645"], "1w2d3h4m5s"),
        (Kind::Duration, &["0", "0s", "00:00:00"], "0s"),
        (Kind::Duration, &["00:00:00.020", "20ms", "00:00:00.02"], "20ms"),
        (Kind::Duration, &["1:30", "1h30m"], "1h30m"),
        (timeout, &["none"], "none"),
        (timeout, &["5m", "00:05:00", "300"], "5m"),
        (Kind::Rate, &["10M", "10m", "10000k", "10000000"], "10000000"),
        (Kind::Size, &["1G", "1024M", "1073741824"], "1073741824"),
        (RATES, &["25M", "25M/25M", "25000000/25000k"], "25000000/25000000"),
        (Kind::Pair(&PRIORITY), &["8", "8/8"], "8/8"),
        (Kind::RateLimit, &["", " "], ""),
        (Kind::RateLimit, &["5M", "5M/5M", "5000k/5000000", "5M/5M 0/0", "5M/5M 0/0 0/0 0/0 8 5M/5M", "5m/5m 0 5M 7s"], "5M/5M"),
        (Kind::RateLimit, &["2M/5M 4M/10M", "2M/5M 4M/10M 2M/5M 1/1 8", "2M/5M 4M/10M 2M/5M 1s 8 2M/5M"], "2M/5M 4M/10M"),
        (Kind::RateLimit, &["2M/5M 4M/10M 1M 10s", "2M/5M 4M/10M 1M/1M 10/00:00:10"], "2M/5M 4M/10M 1M/1M 10s/10s"),
        (Kind::RateLimit, &["2M 0/0 0/0 0/0 3", "2M/2M 0/0 9M/9M 1s/1s 3"], "2M/2M 0/0 0/0 0s/0s 3"),
        (Kind::Address, &["10.0.0.1"], "10.0.0.1"),
        (Kind::Prefix, &["10.0.0.1", "10.0.0.1/32"], "10.0.0.1/32"),
        (Kind::Prefix, &["10.0.0.9/24", "10.0.0.0/24"], "10.0.0.0/24"),
        (Kind::Prefix, &["10.0.0.9/0", "0.0.0.0/0"], "0.0.0.0/0"),
        (Kind::Prefix, &["FD00::1/64", "fd00::/64"], "fd00::/64"),
        (Kind::InterfaceAddress, &["10.0.0.9/24"], "10.0.0.9/24"),
        (Kind::InterfaceAddress, &["10.0.0.9/32", "10.0.0.9"], "10.0.0.9/32"),
        (PREFIXES, &["10.0.0.2,10.0.0.1/32", "10.0.0.1, 10.0.0.2/32", "10.0.0.1,10.0.0.2,10.0.0.1"], "10.0.0.1/32,10.0.0.2/32"),
        (PREFIXES, &[""], ""),
        (ranges, &["10.0.0.0/30", "10.0.0.0-10.0.0.3"], "10.0.0.0-10.0.0.3"),
        (ranges, &["10.0.0.5", "10.0.0.5/32", "10.0.0.5-10.0.0.5"], "10.0.0.5"),
        (ranges, &["10.9.0.2-10.9.0.9,10.1.0.1"], "10.9.0.2-10.9.0.9,10.1.0.1"),
        (Kind::AddressMatch, &["10.0.0.0/30", "10.0.0.0-10.0.0.3", "10.0.0.2/30"], "10.0.0.0/30"),
        (Kind::AddressMatch, &["10.0.0.1", "10.0.0.1/32", "10.0.0.1-10.0.0.1"], "10.0.0.1"),
        (Kind::AddressMatch, &["0.0.0.0/0", "0.0.0.0-255.255.255.255"], "0.0.0.0/0"),
        (Kind::AddressMatch, &["10.0.0.1-10.0.0.4"], "10.0.0.1-10.0.0.4"),
        (Kind::AddressMatch, &["10.0.0.2-10.0.0.5"], "10.0.0.2-10.0.0.5"),
        (target, &["10.0.0.1,ether2", "ether2,10.0.0.1/32"], "10.0.0.1/32,ether2"),
        (Kind::Mac, &["aa:bb:cc:dd:ee:0f", "AA-BB-CC-DD-EE-0F", "Aa.bB.cc.dd.ee.0f"], "AA:BB:CC:DD:EE:0F"),
        (ports, &["443,80", "80,443", "80-80,443"], "443,80"),
        (ports, &["8000-8100"], "8000-8100"),
        (Kind::Negatable(&Kind::AddressRange), &["!10.0.0.1/32", "!10.0.0.1"], "!10.0.0.1"),
        (flags, &["read,api", "api,read,!ftp", "api,read"], "api,read"),
        (Kind::Key, &["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="], "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="),
        (Kind::Date, &["2026-01-31", "jan/31/2026", "Jan/31/2026"], "2026-01-31"),
        (Kind::TimeOfDay, &["7:05:00", "07:05", "07:05:00"], "07:05:00"),
        (Kind::Text, &[" kept as it is "], " kept as it is "),
    ];
    for (kind, spellings, expected) in table {
        for text in *spellings {
            assert_eq!(canonical(*kind, text).as_deref(), Ok(*expected), "{kind:?} {text:?}");
        }
        assert_eq!(canonical(*kind, expected).as_deref(), Ok(*expected), "{kind:?} {expected:?} is stable");
    }
}

#[test]
fn what_is_refused() {
    let table: &[(Kind, &[&str])] = &[
        (Kind::Bool, &["", "Yes", "1"]),
        (Kind::Number { min: 1, max: 8 }, &["", "0", "9", "+1", "-1", "1.5", "99999999999999999999999"]),
        (
            Kind::Duration,
            &["", "x", "1x", "d", "1:2:3:4", "1:60", "1d5", "5 5", "99999999999999999999w", "-5s", "30500568904944w"],
        ),
        (Kind::Rate, &["", "M", "10Mb", "-1", "99999999999G"]),
        (RATES, &["10M/", "/10M", "1/2/3"]),
        (Kind::RateLimit, &["10M/10M 1 1 1 9", "10M/10M 1 1 1 8 1 1", "fast"]),
        (Kind::Address, &["", "10.0.0", "10.0.0.256", "10.0.0.1/32"]),
        (Kind::Prefix, &["10.0.0.1/33", "10.0.0.1/", "fd00::/129", "/8"]),
        (Kind::AddressRange, &["10.0.0.9-10.0.0.1", "fd00::1", "a-b", "-"]),
        (Kind::Mac, &["", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:gg", "aa:bb:cc:dd:ee:f"]),
        (Kind::Ports, &["65536", "1-", "http"]),
        (Kind::Choice(&["a", "b"]), &["", "c", "A"]),
        (Kind::Flags(&["a", "b"]), &["c", "!c", "a,c"]),
        (Kind::Key, &["", "abc", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D"]),
        (Kind::Date, &["", "2026-13-01", "2026-01-32", "foo/01/2026", "31.1.2026"]),
        (Kind::TimeOfDay, &["24:00:00", "12", "12:61"]),
    ];
    for (kind, texts) in table {
        for text in *texts {
            assert!(canonical(*kind, text).is_err(), "{kind:?} {text:?}");
        }
    }
    assert_eq!(Kind::Text.canonical(b"\xff"), Err(ValueError::NotText));
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Bool,
        Kind::Number { min: 0, max: u64::MAX },
        Kind::Duration,
        Kind::Rate,
        Kind::Size,
        RATES,
        Kind::RateLimit,
        Kind::Address,
        Kind::Prefix,
        Kind::InterfaceAddress,
        Kind::AddressRange,
        Kind::AddressMatch,
        Kind::Mac,
        Kind::Ports,
        PREFIXES,
        Kind::List(&Kind::AddressRange),
        Kind::Flags(&["api", "read"]),
        Kind::Negatable(&Kind::Prefix),
        Kind::Date,
        Kind::TimeOfDay,
        Kind::Key,
    ])
}

proptest! {
    #[test]
    fn canonical_text_is_stable(kind in any_kind(), text in "[0-9a-fxwdhmsMGk:/. ,!-]{0,40}") {
        if let Ok(once) = canonical(kind, &text) {
            prop_assert_eq!(canonical(kind, &once), Ok(once));
        }
    }

    #[test]
    fn no_bytes_upset_it(kind in any_kind(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = kind.canonical(&bytes);
    }

    #[test]
    fn durations_agree(seconds in 0_u64..100_000_000) {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
        let expected = canonical(Kind::Duration, &seconds.to_string());
        prop_assert_eq!(canonical(Kind::Duration, &format!("{days}d{clock}")), expected.clone());
        prop_assert_eq!(canonical(Kind::Duration, &format!("{seconds}s")), expected.clone());
        prop_assert_eq!(canonical(Kind::Duration, &format!("{}ms", seconds * 1000)), expected.clone());
        let next = canonical(Kind::Duration, &(seconds + 1).to_string());
        prop_assert_ne!(next, expected);
    }

    #[test]
    fn rates_agree(kilo in 0_u64..100_000_000) {
        prop_assert_eq!(canonical(Kind::Rate, &format!("{kilo}k")), Ok((kilo * 1000).to_string()));
        prop_assert_eq!(canonical(RATES, &format!("{kilo}k/{kilo}000")), canonical(RATES, &format!("{kilo}k")));
    }

    #[test]
    fn rate_limits_keep_what_they_say(rx in 1_u64..1000, tx in 1_u64..1000, burst in 1_u64..1000, time in 1_u64..60, priority in 1_u64..=8) {
        let text = format!("{rx}M/{tx}M {burst}M/{burst}M {rx}M/{tx}M {time}s/{time}s {priority} {rx}M/{tx}M");
        let short = canonical(Kind::RateLimit, &text).expect("a rate limit");
        prop_assert!(short.len() <= text.len());
        let other = format!("{rx}M/{tx}M {burst}M/{burst}M {rx}M/{tx}M {time}s/{time}s {} {rx}M/{tx}M", priority % 8 + 1);
        prop_assert_ne!(canonical(Kind::RateLimit, &other), Ok(short));
    }

    #[test]
    fn sets_have_no_order(mut hosts in prop::collection::vec(any::<u32>(), 1..8)) {
        let join = |hosts: &[u32]| hosts.iter().map(|host| std::net::Ipv4Addr::from(*host).to_string()).collect::<Vec<_>>().join(",");
        let one = canonical(PREFIXES, &join(&hosts));
        hosts.reverse();
        prop_assert_eq!(canonical(PREFIXES, &join(&hosts)), one);
    }
}
