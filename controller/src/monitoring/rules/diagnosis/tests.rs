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
fn routers_that_are_not_reached() {
    router_is_told(
        |_| {},
        expect![[r#"
        ++++++++ none
        all is well

    "#]],
    );
    router_is_told(
        |facts| facts.joined = false,
        expect![[r#"
        x....... never_joined
        `mast-1` has never joined: its block was not pasted yet, or its packets do not reach us
        paste the block into the router's terminal; if that was done, see that its uplink lets UDP to port 51820 out. New texts: mastwire-controller router reissue
    "#]],
    );
    router_is_told(
        |facts| {
            facts.connected = Some(false);
            facts.handshake_s = Some(9000);
            facts.reached = Reached::Away;
        },
        expect![[r#"
            +x...... tunnel_silent
            `mast-1` has been silent for 2 h
            look at the power and the uplink there; if the router is on and reaches the internet, its uplink must let UDP to port 51820 out, and its clock must be right
        "#]],
    );
    router_is_told(
        |facts| facts.connected = None,
        expect![[r#"
        +x...... no_tunnel
        the hub knows no key of `mast-1`
        give the router new texts and paste them: mastwire-controller router reissue
    "#]],
    );
    router_is_told(
        |facts| facts.reached = Reached::Closed { silent: true },
        expect![[r#"
        ++x..... api_blocked
        the tunnel is up, but the router's API does not answer: a firewall rule, or the service's list of addresses, keeps us out
        on the router: /ip service print, and look that api is not limited to other addresses; /ip firewall filter print, and look for a drop before our rules
    "#]],
    );
    router_is_told(
        |facts| facts.reached = Reached::Closed { silent: false },
        expect![[r#"
        ++x..... api_off
        the tunnel is up, but the router's API is switched off or listens on another port
        on the router: /ip service set api disabled=no port=8728
    "#]],
    );
}

#[test]
fn routers_that_are_reached_and_not_served() {
    router_is_told(
        |facts| facts.reached = Reached::WrongPassword,
        expect![[r#"
        +++x.... login_refused
        the router refuses our account: its password was changed there, or the account was removed
        give the router new texts and paste them: mastwire-controller router reissue
    "#]],
    );
    router_is_told(
        |facts| facts.reached = Reached::Unreadable("reading failed".to_owned()),
        expect![[r#"
        +++x.... unreadable
        the router answers, but not as it should
        look at what it said below; a router that is very busy or short of memory answers so. Restart it if nothing else helps
    "#]],
    );
    router_is_told(
        |facts| facts.serial = Some("HCX2".to_owned()),
        expect![[r#"
        ++++x... other_box
        another box answers in the router's place: its serial number is HCX1, and HCX2 is known
        if the box was swapped, remove this router and add the new one; if not, somebody uses a copy of its keys: give it new texts
    "#]],
    );
    router_is_told(
        |facts| facts.confirmed = false,
        expect![[r#"
        ++++x... not_confirmed
        nobody has confirmed the router's serial number, so nothing is written to it
        compare the serial number with the box's sticker: mastwire-controller router confirm
    "#]],
    );
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
    router_is_told(
        |facts| facts.reached = with(obstacle("blocker")),
        expect![[r#"
        +++++x.. obstacle
        FastTrack goes past the queues
        on the router: /ip firewall filter disable [find action=fasttrack-connection]
    "#]],
    );
    router_is_told(
        |facts| facts.reached = with(obstacle("warning")),
        expect![[r#"
        +++++!++ obstacle
        FastTrack goes past the queues
        on the router: /ip firewall filter disable [find action=fasttrack-connection]
    "#]],
    );
    router_is_told(
        |facts| facts.applied = 6,
        expect![[r#"
        ++++++!+ being_applied
        the router is being brought to what it should hold
        wait a few seconds and look again
    "#]],
    );
    router_is_told(
        |facts| {
            facts.failures = 3;
            facts.last_error = Some("the router took the changes and still differs".to_owned());
        },
        expect![[r#"
            ++++++x. not_applied
            the router could not be brought to what it should hold: the router took the changes and still differs
            see the plan (mastwire-controller router plan) and what stands in its way; it is tried again by itself
        "#]],
    );
    router_is_told(
        |facts| facts.online = 0,
        expect![[r#"
        +++++++! nobody_online
        3 customers have paid, and none of them is online
        look at what stands behind the router: the switch, the sector, the cables; and that the ports of its services are the right ones
    "#]],
    );
}

#[test]
fn customers() {
    customer_is_told(
        |_| {},
        expect![[r#"
        +++++ none
        all is well

    "#]],
    );
    customer_is_told(
        |facts| facts.status = "suspended".to_owned(),
        expect![[r#"
        x.... suspended
        `jane` is switched off by hand
        if that is over: mastwire-controller customer resume
    "#]],
    );
    customer_is_told(
        |facts| facts.paid_until = None,
        expect![[r#"
        +x... not_paid
        nothing is paid for `jane` now
        take a payment: mastwire-controller pay
    "#]],
    );
    customer_is_told(
        |facts| {
            facts.connected = false;
            facts.silent_s = Some(600);
        },
        expect![[r#"
            ++x.. router_away
            the router `mast-1` has been silent for 10 min; whether the customer is online is not known
            diagnose the router: mastwire-controller diagnose router
        "#]],
    );
    customer_is_told(
        |facts| facts.in_sync = false,
        expect![[r#"
        +++!+ being_applied
        the router is being brought to what the customer needs
        wait a few seconds and look again
    "#]],
    );
    customer_is_told(
        |facts| {
            facts.online_since = None;
            facts.last_end = Some((at("2026-01-15T08:00:00Z"), "the line to the customer was lost"));
        },
        expect![[r#"
            ++++x offline
            the customer's device is not connected; the last session ended 60 min ago: the line to the customer was lost
            have the customer restart the device; if it does not come back, look at the cable or the radio link to it
        "#]],
    );
    customer_is_told(
        |facts| facts.online_since = None,
        expect![[r#"
        ++++x never_online
        the customer's device has never connected
        look at the login and password in the device, and that it is on the right port: mastwire-controller customer password
    "#]],
    );
    customer_is_told(
        |facts| facts.has_sessions = false,
        expect![[r#"
        ++++ none
        all is well

    "#]],
    );
}
