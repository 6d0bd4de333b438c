//! What leaves leaves once: whatever a gateway answers, and wherever the controller stops.

use crate::carrier::{Carrier, Reply};
use crate::fixture::{Isp, office};
use controller::messages;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_message_is_handed_over_once_with_its_key_and_its_number() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    let body = r#"{"to":"+{phone}","text":"{text}","ref":"{id}"}"#;
    let keys = json!({ "credentials": { "body": body, "success": "Accepted", "reference": "/messages/0/id" } });
    let gateway = isp.gateway("Mast SMS", &carrier, keys).await;
    carrier.will(&[Reply::Status(200, r#"{"status":"Accepted","messages":[{"id":"AT-77"}]}"#)]);
    let jane = isp.customer("jane").await;
    let message = isp.write(&jane, "a \"quoted\" {phone} €\n2").await;
    let send = || messages::send_due(&test.app);
    let (a, b, c) = tokio::join!(send(), send(), send());
    assert_eq!([a, b, c].into_iter().map(|count| count.expect("sent")).sum::<usize>(), 1);
    assert_eq!(isp.send().await, 0);
    let [(head, body)] = &carrier.seen()[..] else { panic!("one request came") };
    assert!(head.starts_with("POST /send HTTP/1.1") && head.contains("Bearer planted-key"), "{head}");
    let sent: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(sent, json!({ "to": "+254712345678", "text": "a \"quoted\" {phone} €\n2", "ref": message }));
    let shown = isp.message(&message).await;
    assert_eq!((&shown["state"], &shown["provider_ref"], &shown["gateway"]), (&json!("sent"), &json!("AT-77"), &json!(gateway)));
    assert!(!shown["sent_at"].is_null() && shown["attempts"] == 1);
    // The key is nowhere in the clear.
    for (table, row) in test.db.rows(None).await {
        assert!(!row.contains("planted-key") && !row.contains(&hex::encode("planted-key")), "{table}: {row}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_never_sent_again() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (first, second) = (Carrier::new().await, Carrier::new().await);
    isp.gateway("first", &first, json!({ "position": 1 })).await;
    isp.gateway("second", &second, json!({ "position": 2 })).await;
    let jane = isp.customer("jane").await;
    for reply in [Reply::HangUp, Reply::Status(500, "oops"), Reply::Status(504, "")] {
        first.will(&[reply]);
        let message = isp.write(&jane, "once").await;
        isp.send().await;
        for _ in 0..5 {
            isp.pass(SignedDuration::from_hours(1));
            isp.send().await;
        }
        let shown = isp.message(&message).await;
        assert_eq!((&shown["state"], &shown["attempts"]), (&json!("unknown"), &json!(1)), "{shown}");
        assert!(shown["reason"].as_str().expect("a text").starts_with("gateway first: "), "{shown}");
    }
    assert_eq!((first.count(), second.count()), (3, 0), "the other gateway is not asked: it may have arrived");
}

#[tokio::test]
async fn who_refuses_is_followed_by_the_next() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (first, second) = (Carrier::new().await, Carrier::new().await);
    isp.gateway("first", &first, json!({ "position": 1, "credentials": { "success": "OK" } })).await;
    let other = isp.gateway("second", &second, json!({ "position": 2 })).await;
    let jane = isp.customer("jane").await;
    for reply in [Reply::Status(401, ""), Reply::Status(200, "no credit left"), Reply::Status(302, ""), Reply::Status(503, "")] {
        first.will(&[reply]);
        let message = isp.write(&jane, "hello").await;
        isp.send().await;
        let shown = isp.message(&message).await;
        assert_eq!((&shown["state"], &shown["gateway"]), (&json!("sent"), &json!(other)), "{shown}");
    }
    assert_eq!((first.count(), second.count()), (4, 4));
    // When all of them refuse, it has failed, and nobody asks again.
    first.will(&[Reply::Status(400, "")]);
    second.will(&[Reply::Status(422, "")]);
    let message = isp.write(&jane, "hello").await;
    isp.send().await;
    isp.pass(SignedDuration::from_hours(2));
    assert_eq!(isp.send().await, 0);
    let shown = isp.message(&message).await;
    assert_eq!((&shown["state"], shown["reason"].as_str()), (&json!("failed"), Some("gateway second: it answered 422")));
}

#[tokio::test]
async fn what_nobody_took_is_tried_again_and_given_up_in_the_end() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    let jane = isp.customer("jane").await;
    carrier.will(&[Reply::Status(429, ""), Reply::Status(503, "")]);
    let message = isp.write(&jane, "patience").await;
    assert_eq!((isp.send().await, isp.send().await), (1, 0), "not at once");
    isp.pass(SignedDuration::from_secs(61));
    assert_eq!((isp.send().await, isp.send().await), (1, 0));
    isp.pass(SignedDuration::from_mins(4));
    assert_eq!(isp.send().await, 0, "each time it waits longer");
    isp.pass(SignedDuration::from_mins(2));
    isp.send().await;
    assert_eq!((isp.message(&message).await["state"].clone(), carrier.count()), (json!("sent"), 3));

    // One that is not there at all.
    drop(carrier);
    tokio::task::yield_now().await;
    let message = isp.write(&jane, "nobody home").await;
    for _ in 0..6 {
        isp.send().await;
        isp.pass(SignedDuration::from_mins(61));
    }
    let shown = isp.message(&message).await;
    assert_eq!((&shown["state"], &shown["attempts"]), (&json!("failed"), &json!(5)), "{shown}");
    assert!(shown["reason"].as_str().expect("a text").contains("cannot be reached"), "{shown}");
}

#[tokio::test]
async fn without_a_gateway_it_waits_and_says_so_until_nobody_needs_it() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let (carrier, jane) = (Carrier::new().await, isp.customer("jane").await);
    // A playground is none, and money's neither.
    isp.gateway("playground", &carrier, json!({ "environment": "sandbox" })).await;
    let old = isp.write(&jane, "old").await;
    isp.send().await;
    let shown = isp.message(&old).await;
    assert_eq!((&shown["state"], &shown["attempts"]), (&json!("queued"), &json!(0)));
    assert!(shown["reason"].as_str().expect("a text").contains("no gateway"), "{shown}");
    isp.pass(SignedDuration::from_hours(49));
    let new = isp.write(&jane, "new").await;
    isp.send().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    isp.pass(SignedDuration::from_mins(6));
    isp.send().await;
    assert_eq!(
        (isp.message(&old).await["state"].clone(), isp.message(&new).await["state"].clone()),
        (json!("failed"), json!("sent"))
    );
    assert_eq!(carrier.count(), 1);
}

#[tokio::test]
async fn a_controller_that_stops_in_between_leaves_no_second_message() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    let jane = isp.customer("jane").await;
    let message = isp.write(&jane, "once").await;
    carrier.will(&[Reply::Silence]);
    let app = test.app.clone();
    let sending = tokio::spawn(async move { messages::send_due(&app).await });
    tokio::time::timeout(Duration::from_secs(30), carrier.arrived()).await.expect("it is sent");
    sending.abort();
    assert!(sending.await.is_err(), "it was cut off");
    assert_eq!(isp.message(&message).await["state"], "sending");
    assert_eq!(isp.send().await, 0, "its lease holds");
    isp.pass(SignedDuration::from_mins(11));
    isp.send().await;
    isp.pass(SignedDuration::from_hours(3));
    isp.send().await;
    let shown = isp.message(&message).await;
    assert_eq!((&shown["state"], carrier.count()), (&json!("unknown"), 1), "{shown}");
    let _ = isp.call("POST", &format!("/messages/{message}/cancel"), None).await.expect(409);
}

#[tokio::test]
async fn a_gateway_leads_nowhere_near_the_controller() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    let port = carrier.url.rsplit(':').next().expect("a port").to_owned();
    let new = |name: &str, url: String| {
        json!({
            "name": name, "provider": "http_sms", "purpose": "all", "environment": "production",
            "credentials": { "url": url, "body": "{phone} {text}" }
        })
    };
    let _ = isp.post("/gateways", new("plain", carrier.url.clone())).await.expect(400);
    let jane = isp.customer("jane").await;
    const NEAR: &str = "none of the open internet";
    for (host, why) in [
        ("127.0.0.1", NEAR),
        ("[::1]", NEAR),
        ("2130706433", NEAR),
        ("169.254.169.254", NEAR),
        // A name is looked at when it is looked up.
        ("localhost", "cannot be reached"),
    ] {
        let id = isp.post("/gateways", new(host, format!("https://{host}:{port}"))).await.expect(201).text("id");
        let message = isp.write(&jane, "hello").await;
        isp.send().await;
        let shown = isp.message(&message).await;
        assert_eq!(shown["state"], "queued", "{shown}");
        assert!(shown["reason"].as_str().expect("a text").contains(why), "{shown}");
        let _ = isp.call("POST", &format!("/messages/{message}/cancel"), None).await.expect(204);
        let _ = isp.call("DELETE", &format!("/gateways/{id}"), None).await.expect(204);
    }
    assert_eq!(carrier.calls(), 0, "nobody called there");
}

#[tokio::test]
async fn a_suspended_isp_sends_nothing_and_another_does() {
    let test = office().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let (near, far) = (Carrier::new().await, Carrier::new().await);
    alpha.gateway("Mast SMS", &near, json!({})).await;
    beta.gateway("Mast SMS", &far, json!({})).await;
    for isp in [&alpha, &beta] {
        let jane = isp.customer("jane").await;
        isp.write(&jane, "hello").await;
    }
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let suspend = "UPDATE tenant SET status = 'suspended' WHERE id = $1";
    sqlx::query(suspend).bind(alpha.tenant.id).execute(&mut owner).await.expect("the owner may");
    assert_eq!(alpha.send().await, 1);
    assert_eq!((near.count(), far.count()), (0, 1), "and through its own gateway");
}

#[tokio::test]
async fn what_comes_back_from_a_backup_is_not_sent_again() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    isp.rule("expiry", "It has ended", json!({ "offset_minutes": 0 })).await;
    let jane = isp.customer("jane").await;
    isp.pay(&jane).await;
    isp.wait_until("2026-02-15T09:10:00Z");
    let message = isp.write(&jane, "hello").await;
    isp.pass(SignedDuration::from_secs(1));
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let restored = "INSERT INTO restore (tenant_id, id, kind, taken_at, taken_of, schema_version, restored_at, restored_by)
                    VALUES ($1, gen_random_uuid(), 'replace', '2026-02-15 09:00Z', $1, 17, '2026-02-15 09:10:01.5Z', 'system:test')";
    sqlx::query(restored).bind(isp.tenant.id).execute(&mut owner).await.expect("the owner may");
    isp.pass(SignedDuration::from_secs(5));
    assert_eq!(isp.sweep().await, 0, "the reminder may have been written after the backup was taken");
    isp.send().await;
    assert_eq!((isp.message(&message).await["state"].clone(), carrier.count()), (json!("unknown"), 0));
    let new = isp.write(&jane, "hello again").await;
    isp.send().await;
    assert_eq!((isp.message(&new).await["state"].clone(), carrier.count()), (json!("sent"), 1));
}
