//! Templates say only what is known, rules write once, and each ISP's messages are its own.

use crate::fixture::{Isp, each, office};
use controller::monitoring::{self, Evidence};
use controller::operators::Role;
use controller::testing::TestApp;
use jiff::SignedDuration;
use serde_json::{Value, json};

fn words(list: &[&str]) -> Vec<Value> {
    list.iter().map(|word| json!(word)).collect()
}

#[tokio::test]
async fn a_template_names_what_is_known_and_keeps_what_it_said() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let new = |text: &str| json!({ "name": "Receipt", "channel": "sms", "event": "payment_received", "text": text });
    for wrong in ["", "{password}", "{amount", "amount}", "{ticket}"] {
        let problem = isp.post("/message-templates", new(wrong)).await.expect(400);
        assert_eq!(problem.body["errors"][0]["field"], "text", "{wrong}");
    }
    let id = isp.post("/message-templates", new("{amount} from {name}")).await.expect(201).text("id");
    let path = format!("/message-templates/{id}");
    assert_eq!(isp.get(&path).await.expect(200).body["variables"], json!(["amount", "name"]));
    let again = isp.post("/message-templates", new("{amount}")).await.expect(409);
    assert!(again.text("detail").contains("new text"), "{}", again.body);
    let other = json!({ "name": "Receipt", "channel": "sms", "event": "expiry", "language": "sw", "text": "x" });
    let _ = isp.post("/message-templates", other).await.expect(409);

    let _ = isp.post(&format!("{path}/versions"), json!({ "text": "{wrong}" })).await.expect(400);
    let second = isp.post(&format!("{path}/versions"), json!({ "text": "Thank you, {name}" })).await.expect(201);
    assert_eq!(second.body["version"], 2);
    let versions = isp.items(&format!("{path}/versions")).await;
    assert_eq!(each(&versions, "text"), words(&["Thank you, {name}", "{amount} from {name}"]));

    // What a rule writes by stays until the rule is gone.
    let rule = isp.post("/message-rules", json!({ "event": "payment_received", "template": id })).await.expect(201).text("id");
    let wrong = isp.post("/message-rules", json!({ "event": "ticket_opened", "template": id })).await.expect(409);
    assert!(wrong.text("detail").contains("another event"), "{}", wrong.body);
    let _ = isp.call("DELETE", &path, None).await.expect(409);
    let _ = isp.call("DELETE", &format!("/message-rules/{rule}"), None).await.expect(204);
    let _ = isp.call("DELETE", &path, None).await.expect(204);
    let _ = isp.call("DELETE", &path, None).await.expect(404);
    assert!(!isp.get(&path).await.expect(200).body["removed_at"].is_null());
    let _ = isp.post("/message-rules", json!({ "event": "payment_received", "template": id })).await.expect(404);
}

#[tokio::test]
async fn a_preview_shows_the_text_and_what_it_takes() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let preview = async |body: Value| isp.post("/message-templates/preview", body).await;
    let plain = preview(json!({ "text": "Dear {name}", "values": { "name": "Ann" } })).await.expect(200);
    assert_eq!((plain.text("text"), plain.text("encoding")), ("Dear Ann".to_owned(), "gsm7".to_owned()));
    assert_eq!((&plain.body["segments"], &plain.body["units"]), (&json!(1), &json!(8)));
    let long = preview(json!({ "text": "€".repeat(81) })).await.expect(200);
    assert_eq!((&long.body["segments"], &long.body["units"]), (&json!(2), &json!(162)));
    let far = preview(json!({ "text": "Привет {name}", "values": { "name": "я".repeat(70) } })).await.expect(200);
    assert_eq!((far.text("encoding"), &far.body["segments"]), ("ucs2".to_owned(), &json!(2)));
    let _ = preview(json!({ "text": "{name}", "values": { "amount": "1" } })).await.expect(400);
    let variables = isp.items("/message-variables?event=ticket_opened").await;
    assert!(each(&variables, "name").contains(&json!("ticket")), "{variables:?}");
    assert!(!each(&isp.items("/message-variables").await, "name").contains(&json!("ticket")));
}

#[tokio::test]
async fn what_happens_is_written_about_once_and_with_what_is_known() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("customer_created", "Welcome {name}, your account is {account}.", json!({})).await;
    isp.rule("payment_received", "{amount} {receipt} until {until}, wallet {wallet}, {isp}", json!({})).await;
    isp.rule("ticket_opened", "Ticket {ticket}: {title}", json!({})).await;
    isp.rule("ticket_closed", "Ticket {ticket} is done", json!({})).await;

    let jane = isp.customer("jane").await;
    let account = isp.get(&format!("/customers/{jane}")).await.expect(200).text("account_number");
    let receipt = isp.pay(&jane).await.text("receipt");
    let ticket = isp.post("/tickets", json!({ "title": "Slow {name}", "customer": jane })).await.expect(201).text("id");
    for status in ["resolved", "open", "closed"] {
        let _ = isp.patch(&format!("/tickets/{ticket}"), json!({ "status": status })).await.expect(200);
    }
    let texts: Vec<String> = isp.written().await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        [
            format!("Welcome jane, your account is {account}."),
            format!("KES 1500.00 {receipt} until 15 Feb 2026 12:00, wallet KES 0.00, Alpha"),
            "Ticket 1: Slow {name}".to_owned(),
            "Ticket 1 is done".to_owned(),
        ]
    );
    // Whom nobody can write to is written nothing, and a ticket about nobody neither.
    let john = isp.customer_with(json!({ "login": "john" })).await;
    isp.pay(&john).await;
    let _ = isp.post("/tickets", json!({ "title": "Paint the mast" })).await.expect(201);
    assert_eq!(isp.written().await.len(), 4);
}

#[tokio::test]
async fn a_customer_reads_their_own_language() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("customer_created", "Welcome", json!({})).await;
    isp.template("customer_created", "customer_created", "sw", "Karibu").await;
    isp.template("customer_created", "customer_created", "en-KE", "Sasa").await;
    for (login, language) in [("a", "sw"), ("b", "sw-KE"), ("c", "en-KE"), ("d", "en-GB"), ("e", "")] {
        isp.customer_with(json!({ "login": login, "phone": "0712345678", "language": language })).await;
    }
    let texts: Vec<String> = isp.written().await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["Karibu", "Karibu", "Sasa", "Welcome", "Welcome"]);
}

#[tokio::test]
async fn a_rule_may_be_for_some_and_may_rest() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let rule = isp.rule("customer_created", "Welcome {login}", json!({ "kind": "hotspot" })).await;
    isp.customer("one").await;
    let path = format!("/message-rules/{rule}");
    let _ = isp.patch(&path, json!({ "kind": null })).await.expect(200);
    isp.customer("two").await;
    let _ = isp.patch(&path, json!({ "enabled": false })).await.expect(200);
    isp.customer("three").await;
    let _ = isp.patch(&path, json!({ "enabled": true, "kind": "pppoe" })).await.expect(200);
    isp.customer("four").await;
    let texts: Vec<String> = isp.written().await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["Welcome two", "Welcome four"]);
    for wrong in [json!({ "event": "expiry" }), json!({ "event": "customer_created", "offset_minutes": 5 })] {
        let mut body = json!({ "template": isp.get(&path).await.expect(200).text("template") });
        for (field, value) in wrong.as_object().expect("fields") {
            body[field] = value.clone();
        }
        assert_eq!(isp.post("/message-rules", body).await.expect(400).body["errors"][0]["field"], "offset_minutes");
    }
}

#[tokio::test]
async fn those_behind_a_router_are_told_when_it_is_away_for_long_and_back() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    isp.rule("outage_start", "We are working on it", json!({})).await;
    isp.rule("outage_end", "It works again", json!({})).await;
    let jane = isp.customer("jane").await;
    isp.pay(&jane).await;
    // Who has not paid misses nothing, and another router's customers neither.
    isp.customer("john").await;
    let elsewhere = crate::fixture::router(&test, &isp.tenant, "elsewhere").await;
    let ann = isp.customer_with(json!({ "login": "ann", "phone": "0712345679", "router": elsewhere })).await;
    isp.pay(&ann).await;
    let door = isp.door().await;
    let judge = async |evidence| {
        monitoring::judge_router(&test.app, &door, isp.router_id(), evidence).await.expect("judged");
    };
    judge(Evidence::Away(isp.now())).await;
    isp.pass(SignedDuration::from_mins(14));
    assert_eq!(isp.sweep().await, 0, "it may be back at once");
    isp.pass(SignedDuration::from_mins(2));
    assert_eq!((isp.sweep().await, isp.sweep().await), (1, 0));
    isp.pass(SignedDuration::from_mins(30));
    judge(Evidence::There(isp.now())).await;
    isp.pass(SignedDuration::from_mins(1));
    assert_eq!((isp.sweep().await, isp.sweep().await), (1, 0));
    // One of five minutes is told to nobody.
    judge(Evidence::Away(isp.now())).await;
    isp.pass(SignedDuration::from_mins(5));
    judge(Evidence::There(isp.now())).await;
    isp.pass(SignedDuration::from_mins(20));
    assert_eq!(isp.sweep().await, 0);
    let all = isp.items("/messages").await;
    assert_eq!(each(&all, "text"), words(&["It works again", "We are working on it"]));
    assert!(each(&all, "customer").iter().all(|customer| *customer == json!(jane)));
}

#[tokio::test]
async fn a_person_writes_by_hand_and_stops_what_waits() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let by_hand = json!({ "name": "Antenna", "channel": "sms", "text": "Dear {name}, your antenna is here" });
    let template = isp.post("/message-templates", by_hand).await.expect(201).text("id");
    let for_event = isp.template("Receipt", "payment_received", "", "{amount}").await;
    for (field, wrong) in [
        ("text", json!({ "customer": jane })),
        ("text", json!({ "customer": jane, "text": "x", "template": template })),
        ("text", json!({ "customer": jane, "text": " " })),
        ("text", json!({ "customer": jane, "text": "я".repeat(700) })),
        ("template", json!({ "customer": jane, "template": for_event })),
        ("channel", json!({ "customer": jane, "template": template, "channel": "whatsapp" })),
    ] {
        assert_eq!(isp.post("/messages", wrong).await.expect(400).body["errors"][0]["field"], field);
    }
    let silent = isp.customer_with(json!({ "login": "silent" })).await;
    let _ = isp.post("/messages", json!({ "customer": silent, "text": "x" })).await.expect(409);
    let first = isp.post("/messages", json!({ "customer": jane, "template": template })).await.expect(201).text("id");
    let second = isp.write(&jane, "It is {name}").await;
    let shown = isp.message(&first).await;
    assert_eq!(
        (&shown["text"], &shown["recipient"], &shown["state"]),
        (&json!("Dear jane, your antenna is here"), &json!("254712345678"), &json!("queued"))
    );
    assert_eq!((&shown["template_version"], &isp.message(&second).await["text"]), (&json!(1), &json!("It is {name}")));
    let _ = isp.call("POST", &format!("/messages/{second}/cancel"), None).await.expect(204);
    let twice = isp.call("POST", &format!("/messages/{second}/cancel"), None).await.expect(409);
    assert!(twice.text("detail").contains("cancelled"), "{}", twice.body);
    assert_eq!(each(&isp.items("/messages?state=queued").await, "id"), [json!(first)]);
    assert_eq!(each(&isp.items(&format!("/messages?customer={jane}")).await, "id"), [json!(second), json!(first)]);
}

#[tokio::test]
async fn the_months_messages_are_limited() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = crate::carrier::Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, json!({})).await;
    let platform = test.platform().await;
    let limit = json!({ "name": "messages", "bounds": { "soft": 1, "hard": 2 }, "reason": "a test" });
    let path = format!("/platform/tenants/{}/limits", isp.tenant.id);
    let _ = isp.call_as(&platform, "PUT", &path, Some(limit)).await.expect(200);
    let jane = isp.customer("jane").await;
    isp.write(&jane, "one").await;
    isp.rule("payment_received", "two", json!({})).await;
    isp.pay(&jane).await;
    assert_eq!(isp.send().await, 2);
    assert_eq!(carrier.count(), 2);
    let refused = isp.post("/messages", json!({ "customer": jane, "text": "three" })).await.expect(409);
    assert!(refused.text("type").ends_with("tenant-limit-reached"), "{}", refused.body);
    isp.pay(&jane).await;
    isp.send().await;
    let failed = isp.items("/messages?state=failed").await;
    assert_eq!((failed.len(), carrier.count()), (1, 2));
    assert!(failed[0]["reason"].as_str().expect("a text").contains("messages a month"), "{}", failed[0]);
}

#[tokio::test]
async fn roles_and_tenants_are_kept_apart() {
    let test = TestApp::new().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let jane = alpha.customer("jane").await;
    let message = alpha.write(&jane, "for Jane").await;
    let rule = alpha.rule("expiry", "{until}", json!({ "offset_minutes": 0 })).await;
    let template = alpha.items("/message-templates").await[0]["id"].as_str().expect("an id").to_owned();
    for (method, path) in [
        ("GET", format!("/messages/{message}")),
        ("POST", format!("/messages/{message}/cancel")),
        ("GET", format!("/message-templates/{template}")),
        ("DELETE", format!("/message-templates/{template}")),
        ("GET", format!("/message-templates/{template}/versions")),
        ("GET", format!("/message-rules/{rule}")),
        ("DELETE", format!("/message-rules/{rule}")),
    ] {
        let _ = beta.call(method, &path, None).await.expect(404);
    }
    let _ = beta.post("/messages", json!({ "customer": jane, "text": "x" })).await.expect(404);
    assert_eq!(beta.items("/messages").await.len() + beta.items("/message-rules").await.len(), 0);
    let (viewer, care) = (test.token(&alpha.tenant, Role::Viewer).await, test.token(&alpha.tenant, Role::CustomerCare).await);
    let technician = test.token(&alpha.tenant, Role::FieldTech).await;
    let new = || Some(json!({ "customer": jane, "text": "x" }));
    let _ = alpha.call_as(&viewer, "GET", "/messages", None).await.expect(200);
    let _ = alpha.call_as(&viewer, "POST", "/messages", new()).await.expect(403);
    let _ = alpha.call_as(&technician, "GET", "/messages", None).await.expect(403);
    let _ = alpha.call_as(&care, "POST", "/messages", new()).await.expect(201);
    let _ = alpha.call_as(&care, "DELETE", &format!("/message-rules/{rule}"), None).await.expect(403);
}
