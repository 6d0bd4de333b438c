//! Who was away, since when, why; and what nobody knows.

use crate::fixture::Isp;
use controller::monitoring::{self, Evidence};
use controller::testing::TestApp;
use jiff::{SignedDuration, Timestamp};
use model::{CustomerId, RouterId};
use serde_json::{Value, json};

impl Isp<'_> {
    async fn sweep(&self) {
        // Long ago, so that routers had time to connect.
        let began = self.now() - SignedDuration::from_hours(24);
        monitoring::watch_tenant(&self.test.app, &self.door, began).await.expect("watched");
    }

    /// Lets time pass as it does when somebody watches: with a sweep each minute, and the router listing who is online.
    async fn watch(&self, minutes: i64, online: &[(&str, &str, i64)]) {
        for minute in 1..=minutes {
            self.pass(60);
            let now: Vec<(&str, &str, i64)> = online.iter().map(|(login, id, age)| (*login, *id, age + minute * 60)).collect();
            self.lists(&now).await;
            self.sweep().await;
        }
    }

    async fn judge(&self, evidence: Evidence) {
        monitoring::judge_router(&self.test.app, &self.door, self.router, evidence).await.expect("judged");
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

async fn of(isp: &Isp<'_>, customer: CustomerId) -> Vec<Value> {
    isp.items(&format!("/outages?customer={customer}")).await
}

#[tokio::test]
async fn a_silent_router_is_out_once_until_it_is_heard() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    monitoring::router_silent(&test.app, &isp.door, isp.router).await.expect("judged");
    monitoring::router_silent(&test.app, &isp.door, isp.router).await.expect("judged again");
    isp.sweep().await;
    let open = isp.items(&format!("/routers/{}/outages", isp.router)).await;
    assert_eq!(open.len(), 1);
    assert_eq!((&open[0]["started_at"], &open[0]["ended_at"]), (&json!("2026-01-15T08:57:00Z"), &Value::Null));
    isp.pass(600);
    monitoring::router_heard(&test.app, &isp.door, isp.router).await.expect("judged");
    monitoring::router_heard(&test.app, &isp.door, isp.router).await.expect("judged again");
    let over = isp.items("/outages?open=false").await;
    assert_eq!((over.len(), &over[0]["ended_at"], &over[0]["ending"]), (1, &json!("2026-01-15T09:10:00Z"), &json!("back")));
    assert_eq!(isp.items("/outages?open=true").await.len(), 0);
}

#[tokio::test]
async fn two_who_see_the_same_silence_open_one_outage() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let silent = || monitoring::router_silent(&test.app, &isp.door, isp.router);
    let (one, two, three) = tokio::join!(silent(), silent(), silent());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(isp.items("/outages").await.len(), 1);
}

#[tokio::test]
async fn a_router_that_was_taken_out_is_missed_no_more() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.judge(Evidence::Away(isp.now() - SignedDuration::from_secs(180))).await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE router SET stage = 'removed', removed_at = now()").execute(&mut owner).await.expect("taken out");
    isp.sweep().await;
    assert_eq!(isp.items("/outages").await[0]["ending"], "not_owed");
    isp.judge(Evidence::Away(isp.now())).await;
    assert_eq!(isp.items("/outages").await.len(), 1, "and none begins");
}

#[tokio::test]
async fn uptime_counts_what_was_watched_alone() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.sweep().await;
    // Out for an hour.
    isp.judge(Evidence::Away(isp.now())).await;
    for _ in 0..60 {
        isp.pass(60);
        isp.sweep().await;
    }
    isp.judge(Evidence::There(isp.now())).await;
    // The controller does not run for two hours; that is nobody's outage.
    isp.pass(7200);
    isp.sweep().await;
    assert_eq!(isp.items("/outages").await.len(), 1);
    let uptime = isp.get(&format!("/routers/{}/uptime?month=2026-01", isp.router)).await.expect(200).body;
    assert_eq!(
        (&uptime["down_seconds"], &uptime["unknown_seconds"], &uptime["outages"]),
        (&json!(3600), &json!(7200), &json!(1))
    );
    // From the router's first second, 1 January 00:00 UTC, to now, 12:00 of the 15th.
    let whole: i64 = 14 * 86_400 + 12 * 3600;
    assert_eq!(uptime["up_seconds"], whole - 3600 - 7200);
    assert_eq!(uptime["up_per_myriad"], (whole - 10_800) * 10_000 / (whole - 7200));
    for wrong in ["2026-02", "2026-13", "january", "2026-1"] {
        let _ = isp.get(&format!("/routers/{}/uptime?month={wrong}", isp.router)).await.expect(400);
    }
    let before = isp.get(&format!("/routers/{}/uptime?month=2025-11", isp.router)).await.expect(200).body;
    assert_eq!(before["up_per_myriad"], Value::Null, "before it was there, nothing is known");
}

#[tokio::test]
async fn a_customer_who_paid_and_is_gone_for_five_minutes_is_out_until_back() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.paying("jane").await;
    isp.sweep().await;
    isp.watch(3, &[("jane", "0x81", 100)]).await;
    isp.watch(4, &[]).await;
    assert_eq!(of(&isp, jane).await.len(), 0, "a device that dials anew is not out");
    isp.watch(4, &[]).await;
    let open = of(&isp, jane).await;
    assert_eq!((open.len(), &open[0]["started_at"], &open[0]["ended_at"]), (1, &json!("2026-01-15T09:03:00Z"), &Value::Null));
    assert_eq!((&open[0]["router"], &open[0]["suppressed"]), (&json!(isp.router), &json!(false)));
    isp.watch(1, &[("jane", "0x82", 0)]).await;
    let over = of(&isp, jane).await;
    assert_eq!((over.len(), &over[0]["ended_at"]), (1, &json!("2026-01-15T09:11:00Z")));
}

#[tokio::test]
async fn a_short_break_is_none_and_who_owes_nothing_misses_nobody() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (jane, ben, mary) = (isp.paying("jane").await, isp.customer("ben").await, isp.paying("mary").await);
    isp.sweep().await;
    isp.watch(2, &[("jane", "0x81", 0), ("ben", "0x82", 0), ("mary", "0x83", 0)]).await;
    isp.watch(3, &[]).await;
    isp.watch(12, &[("jane", "0x91", 0)]).await;
    assert_eq!(of(&isp, jane).await.len(), 0, "back within five minutes");
    assert_eq!(of(&isp, ben).await.len(), 0, "nothing was paid");
    assert_eq!(of(&isp, mary).await.len(), 1);
    let _ = isp.post(&format!("/customers/{mary}/suspend"), json!({})).await.expect(204);
    isp.watch(1, &[]).await;
    assert_eq!(of(&isp, mary).await[0]["ending"], "not_owed");
}

#[tokio::test]
async fn a_routers_outage_explains_its_customers_and_sessions_that_went_on_were_none() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (jane, ben, mary) = (isp.paying("jane").await, isp.paying("ben").await, isp.paying("mary").await);
    isp.sweep().await;
    isp.watch(2, &[("jane", "0x81", 0), ("ben", "0x82", 0), ("mary", "0x83", 0)]).await;
    // The tunnel is silent for half an hour. What its customers do in the meantime is not known.
    isp.judge(Evidence::Away(isp.now())).await;
    for _ in 0..30 {
        isp.pass(60);
        isp.sweep().await;
    }
    assert_eq!(isp.items("/outages?of_routers=false").await.len(), 0);
    isp.judge(Evidence::There(isp.now())).await;
    // Back again: jane's session went on all the time, ben dialled anew ten minutes ago, mary is still away.
    isp.watch(10, &[("jane", "0x81", 1920), ("ben", "0x92", 600)]).await;
    assert_eq!(of(&isp, jane).await.len(), 0);
    let outage = isp.items(&format!("/routers/{}/outages", isp.router)).await;
    assert_eq!((outage.len(), &outage[0]["explains"]), (1, &json!(2)));
    let (of_ben, of_mary) = (of(&isp, ben).await, of(&isp, mary).await);
    assert_eq!(
        (&of_ben[0]["started_at"], &of_ben[0]["ended_at"]),
        (&json!("2026-01-15T09:02:00Z"), &json!("2026-01-15T09:22:00Z"))
    );
    assert_eq!((&of_mary[0]["started_at"], &of_mary[0]["ended_at"]), (&json!("2026-01-15T09:02:00Z"), &Value::Null));
    for child in [&of_ben[0], &of_mary[0]] {
        assert_eq!((&child["parent"], &child["suppressed"]), (&outage[0]["id"], &json!(true)));
    }
}

#[tokio::test]
async fn outages_end_at_the_wall() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    alpha.judge(Evidence::Away(at("2026-01-15T08:00:00Z"))).await;
    assert_eq!(beta.items("/outages").await, Vec::<Value>::new());
    assert_eq!(beta.items(&format!("/outages?router={}", alpha.router)).await, Vec::<Value>::new());
    let unknown: RouterId = "rtr_0190163d8694739b8fd74dd02ebd3dc4".parse().expect("an id");
    for path in ["outages", "uptime"] {
        let foreign = beta.get(&format!("/routers/{}/{path}", alpha.router)).await.expect(404);
        assert_eq!(foreign.text("detail"), beta.get(&format!("/routers/{unknown}/{path}")).await.expect(404).text("detail"));
    }
    // Another tenant's door leads to no router of this one.
    monitoring::router_heard(&test.app, &beta.door, alpha.router).await.expect("nothing to judge");
    assert_eq!(alpha.items("/outages?open=true").await.len(), 1);
}
