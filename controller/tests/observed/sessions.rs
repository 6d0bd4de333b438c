//! One row for each session, whoever tells of it, in whatever order.

use crate::fixture::{Isp, ended, listed, router};
use controller::sessions::{self, Cause, Ended, Sighting};
use controller::testing::TestApp;
use jiff::SignedDuration;
use model::{Bytes, Entropy as _, SeededEntropy};
use serde_json::{Value, json};

/// Draws a number below `end`.
fn draw(entropy: &SeededEntropy, end: u64) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes) % end
}

/// News of one session at random times with random counters; one in eight tells an end.
fn history(isp: &Isp<'_>, entropy: &SeededEntropy, key: &str, length: u64) -> Vec<Sighting> {
    let one = |_| {
        let seen = draw(entropy, 4000);
        let mut news = isp.sighting("jane", key, 0);
        news.seen_at -= SignedDuration::from_secs(i64::try_from(seen).expect("small"));
        news.started_at = news.seen_at - SignedDuration::from_secs(i64::try_from(draw(entropy, 4000)).expect("small"));
        news.online_seconds = draw(entropy, 9000);
        news.upload = (draw(entropy, 4) > 0).then(|| Bytes(draw(entropy, 1 << 40)));
        news.download = (draw(entropy, 4) > 0).then(|| Bytes(draw(entropy, 1 << 40)));
        let causes = [Cause::Unseen, Cause::UserRequest, Cause::RouterReboot];
        let cause = causes[usize::try_from(draw(entropy, 3)).expect("small")];
        news.ended = (draw(entropy, 8) == 0).then_some(Ended { at: news.seen_at, cause });
        news
    };
    (0..length).map(one).collect()
}

/// What must stand in the row, reckoned from the whole history at once and not step by step.
fn reckoned(history: &[Sighting]) -> Value {
    let seen = history.iter().map(|news| news.seen_at).max().expect("some news");
    let reported = history.iter().filter_map(|news| news.ended.filter(|end| end.cause != Cause::Unseen));
    let reported = reported.min_by_key(|end| (end.at, end.cause));
    let concluded = history
        .iter()
        .filter_map(|news| news.ended.filter(|end| end.cause == Cause::Unseen && end.at >= seen))
        .max_by_key(|end| end.at);
    let end = reported.or(concluded);
    json!({
        "started_at": history.iter().map(|news| news.started_at).min().expect("some news").to_string(),
        "seen_at": seen.to_string(),
        "online_seconds": history.iter().map(|news| news.online_seconds).max(),
        "upload_bytes": history.iter().filter_map(|news| news.upload).max(),
        "download_bytes": history.iter().filter_map(|news| news.download).max(),
        "ended_at": end.map(|end| end.at.to_string()),
        "cause": end.map(|end| end.cause),
    })
}

fn stored(item: &Value) -> Value {
    let fields = ["started_at", "seen_at", "online_seconds", "upload_bytes", "download_bytes", "ended_at", "cause"];
    Value::Object(fields.into_iter().map(|field| (field.to_owned(), item[field].clone())).collect())
}

#[tokio::test]
async fn random_histories_in_random_order_and_batches_give_the_row_that_their_whole_gives() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.paying("jane").await;
    let entropy = SeededEntropy::new(7);
    for round in 0..60 {
        isp.pass(1);
        let history = history(&isp, &entropy, &format!("acct:0:{round}:"), 1 + draw(&entropy, 12));
        let mut told: Vec<Sighting> = history.clone();
        for _ in 0..draw(&entropy, 6) {
            let again = usize::try_from(draw(&entropy, history.len() as u64)).expect("small");
            told.push(history[again].clone());
        }
        while !told.is_empty() {
            let size = usize::try_from(1 + draw(&entropy, told.len() as u64)).expect("small");
            let batch: Vec<Sighting> =
                (0..size).map(|_| told.swap_remove(usize::try_from(draw(&entropy, told.len() as u64)).expect("small"))).collect();
            isp.record(&batch).await;
        }
        let newest = isp.items(&format!("/customers/{jane}/sessions?limit=1")).await;
        assert_eq!(stored(&newest[0]), reckoned(&history), "round {round}: {history:#?}");
    }
    assert_eq!(isp.items(&format!("/customers/{jane}/sessions?limit=200")).await.len(), 60, "one row each");
}

#[tokio::test]
async fn a_counter_never_falls_whoever_tells_it_and_a_stop_without_counters_takes_nothing() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.paying("jane").await;
    let at = |bytes: u64| Sighting { download: Some(Bytes(bytes)), ..isp.sighting("jane", "k", 60) };
    isp.record(&[at(9000)]).await;
    isp.record(&[at(4000)]).await;
    assert_eq!(isp.items("/sessions").await[0]["download_bytes"], 9000);
    isp.record(&[Sighting { download: None, upload: None, online_seconds: 0, ..ended(at(0), Cause::LostCarrier) }]).await;
    let over = isp.items("/sessions/history").await;
    assert_eq!(
        (&over[0]["download_bytes"], &over[0]["online_seconds"], &over[0]["cause"]),
        (&json!(9000), &json!(60), &json!("lost_carrier"))
    );
    assert!(over[0]["cause_text"].as_str().is_some_and(|text| text.contains("cable")), "{}", over[0]);
    // What comes after the end still counts, and does not bring the session back.
    isp.record(&[at(12_000)]).await;
    assert_eq!(isp.items("/sessions").await, Vec::<Value>::new());
    assert_eq!(isp.items("/sessions/history").await[0]["download_bytes"], 12_000);
    // Counters beyond 4 GB, and beyond what a signed number holds.
    isp.record(&[Sighting { download: Some(Bytes(1 << 40)), ..isp.sighting("jane", "big", 60) }]).await;
    isp.pass(1);
    isp.record(&[Sighting { download: Some(Bytes(u64::MAX)), ..isp.sighting("jane", "huge", 60) }]).await;
    let live = isp.items("/sessions").await;
    assert_eq!((&live[0]["download_bytes"], &live[1]["download_bytes"]), (&json!(i64::MAX), &json!(1_u64 << 40)));
}

#[tokio::test]
async fn a_late_interim_makes_the_session_that_its_start_did_not() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.paying("jane").await;
    isp.record(&[isp.sighting("jane", "k", 7200)]).await;
    let live = isp.items(&format!("/sessions?customer={jane}")).await;
    assert_eq!((live.len(), &live[0]["started_at"]), (1, &json!("2026-01-15T07:00:00Z")));
}

#[tokio::test]
async fn a_restarted_router_ends_its_own_sessions_and_nobody_elses() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let second = router(&test, &alpha.tenant, "second").await;
    // The same names on three routers of two ISPs.
    alpha.record(&[alpha.sighting("jane", "k", 600), Sighting { router: second, ..alpha.sighting("jane", "k", 600) }]).await;
    beta.record(&[beta.sighting("jane", "k", 600)]).await;
    alpha.pass(60);
    alpha.record(&[alpha.sighting("ben", "young", 10)]).await;
    let mut tx = test.app.db.tenant(&alpha.door).await.expect("a transaction");
    let boot = alpha.now() - SignedDuration::from_secs(30);
    let recorded = sessions::router_restarted(&test.app, &mut tx, alpha.router, boot).await.expect("noted");
    tx.commit().await.expect("kept");
    assert_eq!(recorded.ended, 1);
    let live = alpha.items("/sessions").await;
    let left: Vec<(&str, &str)> =
        live.iter().map(|one| (one["login"].as_str().expect("text"), one["router"].as_str().expect("text"))).collect();
    assert_eq!(left, [("ben", alpha.router.to_string().as_str()), ("jane", second.to_string().as_str())]);
    assert_eq!(alpha.items("/sessions/history").await[0]["cause"], "router_reboot");
    assert_eq!(beta.items("/sessions").await.len(), 1);
    assert_eq!(beta.items("/sessions/history").await.len(), 0);
}

#[tokio::test]
async fn a_batch_of_a_thousand_is_written_at_once_by_several_at_the_same_time() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.paying("jane").await;
    let batch = |bytes: u64| -> Vec<Sighting> {
        let one = |number| Sighting { download: Some(Bytes(bytes)), ..isp.sighting("jane", &format!("k{number}"), 60) };
        (0..1000).map(one).collect()
    };
    let (low, high, middle) = (batch(100), batch(300), batch(200));
    let recorded = tokio::join!(isp.record(&low), isp.record(&high), isp.record(&middle));
    assert_eq!(recorded.0.began + recorded.1.began + recorded.2.began, 1000);
    let used = isp.get(&format!("/customers/{jane}/usage")).await.expect(200).body;
    assert_eq!(used["total"]["download_bytes"], 300_000, "each byte once");
    assert_eq!(used["total"]["online_seconds"], 60_000);
}

#[tokio::test]
async fn who_is_not_listed_any_more_has_gone_and_who_is_listed_again_had_not() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (jane, _) = (isp.paying("jane").await, isp.paying("Ben.K").await);
    // The router writes the logins as the devices do.
    let first = isp.lists(&[("jane", "0x81", 100), ("ben.k", "0x82", 50), ("nobody", "0x83", 5)]).await;
    assert_eq!((first.began, first.ended), (3, 0));
    let live = isp.items("/sessions").await;
    let owners: Vec<bool> = live.iter().map(|one| one["customer"].is_string()).collect();
    assert_eq!(owners.iter().filter(|owned| **owned).count(), 2, "{live:#?}");
    isp.pass(60);
    assert_eq!(isp.lists(&[("jane", "0x81", 160)]).await.ended, 2);
    let over = isp.items("/sessions/history").await;
    assert!(over.iter().all(|one| one["cause"] == "unseen" && one["ended_at"] == "2026-01-15T09:00:00Z"), "{over:#?}");
    // The listing had been cut short: ben's session goes on, under the same id.
    isp.pass(60);
    let again = isp.lists(&[("jane", "0x81", 220), ("ben.k", "0x82", 170)]).await;
    assert_eq!((again.began, again.ended), (0, 0));
    let live = isp.items("/sessions").await;
    assert_eq!(live.len(), 2);
    assert!(over.iter().any(|one| live.iter().any(|now| now["id"] == one["id"])));
    // A listing that arrives late says nothing.
    isp.list(isp.now() - SignedDuration::from_secs(30), Some(90_000), vec![]).await;
    assert_eq!(isp.items("/sessions").await.len(), 2);
    // The router lost its power: other sessions, though their names are the same.
    isp.pass(600);
    let boot = isp.list(isp.now(), Some(300), vec![listed("jane", "0x81", 100)]).await;
    assert_eq!((boot.began, boot.ended), (1, 2));
    let mine = isp.items(&format!("/customers/{jane}/sessions")).await;
    assert_eq!((&mine[0]["ended_at"], &mine[1]["cause"]), (&Value::Null, &json!("router_reboot")));
}

#[tokio::test]
async fn lists_are_filtered_paged_and_end_at_the_wall() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let (jane, ben) = (alpha.paying("jane").await, alpha.paying("ben").await);
    for hour in 0..5 {
        alpha.record(&[ended(alpha.sighting("jane", &format!("j{hour}"), 600), Cause::UserRequest)]).await;
        alpha.pass(3600);
    }
    alpha.record(&[alpha.sighting("ben", "b", 60), alpha.sighting("jane", "live", 60)]).await;
    let path = format!("/sessions/history?customer={jane}&limit=3");
    let page = alpha.get(&path).await.expect(200).body;
    let next = page["next"].as_str().expect("more");
    let rest = alpha.items(&format!("{path}&cursor={next}")).await;
    assert_eq!((page["items"].as_array().expect("a list").len(), rest.len()), (3, 2));
    // From ten to twelve: what ended before or began after is left out.
    let window = "/sessions/history?from=2026-01-15T10:00:00Z&until=2026-01-15T12:00:00Z";
    assert_eq!(alpha.items(window).await.len(), 3);
    assert_eq!(alpha.items(&format!("/sessions?customer={ben}")).await.len(), 1);
    assert_eq!(alpha.items(&format!("/sessions?router={}", alpha.router)).await.len(), 2);
    assert_eq!(alpha.items(&format!("/customers/{jane}/sessions")).await.len(), 6, "those that go on and those that have ended");
    for path in ["/sessions", "/sessions/history"] {
        assert_eq!(beta.items(path).await, Vec::<Value>::new());
        assert_eq!(beta.items(&format!("{path}?customer={jane}")).await, Vec::<Value>::new());
        assert_eq!(beta.items(&format!("{path}?router={}", alpha.router)).await, Vec::<Value>::new());
    }
    let foreign = beta.get(&format!("/customers/{jane}/sessions")).await.expect(404);
    let unknown = beta.get("/customers/cus_0190163d8694739b8fd74dd02ebd3dc4/sessions").await.expect(404);
    assert_eq!(foreign.text("detail"), unknown.text("detail"));
}
