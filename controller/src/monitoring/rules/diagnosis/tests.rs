//! The golden conclusions: for each layer that can fail, the sentence that is told and the one thing to do.

use super::*;
use expect_test::{Expect, expect};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn healthy() -> RouterFacts {
    RouterFacts {
        name: "mast-1".to_owned(),
        joined: true,
        confirmed: true,
        serial: Some("HCX1".to_owned()),
        connected: Some(true),
        handshake_s: Some(42),
        hub_port: 51820,
        reached: Reached::Read(Seen { serial: "HCX1".to_owned(), version: "7.21.5".to_owned(), obstacles: Vec::new() }),
        desired: 7,
        applied: 7,
        failures: 0,
        last_error: None,
        owed: 3,
        online: 2,
        listed_at: Some(at("2026-01-15T09:00:00Z")),
    }
}

fn served() -> CustomerFacts {
    CustomerFacts {
        login: "jane".to_owned(),
        status: "active".to_owned(),
        has_sessions: true,
        paid_until: Some(at("2026-02-15T09:00:00Z")),
        router: "mast-1".to_owned(),
        connected: true,
        silent_s: Some(30),
        in_sync: true,
        last_error: None,
        online_since: Some(at("2026-01-15T06:00:00Z")),
        listed_at: Some(at("2026-01-15T08:59:30Z")),
        last_end: None,
    }
}

fn told(checks: &[Check]) -> String {
    let conclusion = conclude(checks, "all is well");
    let letters: String = checks
        .iter()
        .map(|check| match check.status {
            CheckStatus::Passed => '+',
            CheckStatus::Warning => '!',
            CheckStatus::Failed => 'x',
            CheckStatus::Skipped => '.',
        })
        .collect();
    format!("{letters} {}\n{}\n{}\n", conclusion.cause, conclusion.text, conclusion.remedy)
}

fn router_is_told(change: impl FnOnce(&mut RouterFacts), golden: Expect) {
    let mut facts = healthy();
    change(&mut facts);
    golden.assert_eq(&told(&router(&facts)));
}

fn customer_is_told(change: impl FnOnce(&mut CustomerFacts), golden: Expect) {
    let mut facts = served();
    change(&mut facts);
    golden.assert_eq(&told(&customer(&facts, at("2026-01-15T09:00:00Z"))));
}

#[test]
fn routers() {
    router_is_told(|_| {}, expect![[r#""#]]);
    router_is_told(|facts| facts.joined = false, expect![[r#""#]]);
    router_is_told(
        |facts| {
            facts.connected = Some(false);
            facts.handshake_s = Some(9000);
            facts.reached = Reached::Away;
        },
        expect![[r#""#]],
    );
    router_is_told(|facts| facts.connected = None, expect![[r#""#]]);
    router_is_told(|facts| facts.reached = Reached::Closed { silent: true }, expect![[r#""#]]);
    router_is_told(|facts| facts.reached = Reached::Closed { silent: false }, expect![[r#""#]]);
    router_is_told(|facts| facts.reached = Reached::WrongPassword, expect![[r#""#]]);
    router_is_told(|facts| facts.reached = Reached::Unreadable("reading failed".to_owned()), expect![[r#""#]]);
    router_is_told(|facts| facts.serial = Some("HCX2".to_owned()), expect![[r#""#]]);
    router_is_told(|facts| facts.confirmed = false, expect![[r#""#]]);
}

#[test]
fn what_is_on_a_router() {
    let obstacle = |severity: &str| Obstacle {
        code: "fasttrack".to_owned(),
        severity: severity.to_owned(),
        text: "FastTrack goes past the queues".to_owned(),
        command: Some("/ip firewall filter disable [find action=fasttrack-connection]".to_owned()),
    };
    let with = |one: Obstacle| Reached::Read(Seen { serial: "HCX1".to_owned(), version: String::new(), obstacles: vec![one] });
    router_is_told(|facts| facts.reached = with(obstacle("blocker")), expect![[r#""#]]);
    router_is_told(|facts| facts.reached = with(obstacle("warning")), expect![[r#""#]]);
    router_is_told(|facts| facts.applied = 6, expect![[r#""#]]);
    router_is_told(
        |facts| {
            facts.failures = 3;
            facts.last_error = Some("the router took the changes and still differs".to_owned());
        },
        expect![[r#""#]],
    );
    router_is_told(|facts| facts.online = 0, expect![[r#""#]]);
}

#[test]
fn customers() {
    customer_is_told(|_| {}, expect![[r#""#]]);
    customer_is_told(|facts| facts.status = "suspended".to_owned(), expect![[r#""#]]);
    customer_is_told(|facts| facts.paid_until = None, expect![[r#""#]]);
    customer_is_told(
        |facts| {
            facts.connected = false;
            facts.silent_s = Some(600);
        },
        expect![[r#""#]],
    );
    customer_is_told(|facts| facts.in_sync = false, expect![[r#""#]]);
    customer_is_told(
        |facts| {
            facts.online_since = None;
            facts.last_end = Some((at("2026-01-15T08:00:00Z"), "the line to the customer was lost"));
        },
        expect![[r#""#]],
    );
    customer_is_told(|facts| facts.online_since = None, expect![[r#""#]]);
    customer_is_told(|facts| facts.has_sessions = false, expect![[r#""#]]);
}
