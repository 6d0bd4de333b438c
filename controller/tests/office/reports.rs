//! Goal: an ISP sees what each message cost and whether it arrived, and nobody but the gateway's service can say so.

use crate::carrier::{Carrier, Reply};
use crate::fixture::{Isp, office};
use axum::body::Body;
use axum::http::Request;
use controller::testing::Answer;
use serde_json::{Value, json};

const TAKEN: &str = r#"{"id":"AT-77","cost":"KES 0.8000"}"#;

/// Keys of a gateway that tells what messages cost and what became of them.
fn keys() -> Value {
    json!({ "credentials": {
        "reference": "/id", "cost": "/cost", "report_id": "/id", "report_status": "/status", "report_delivered": "Success",
        "report_failed": "Failed,Rejected", "report_reason": "/failureReason", "report_cost": "/cost"
    } })
}

/// Makes an address for a gateway's reports and returns what stands behind the host.
async fn address(isp: &Isp<'_>, gateway: &str) -> String {
    let answer = isp.post(&format!("/gateways/{gateway}/report-address"), json!({})).await.expect(201);
    let address = answer.text("address");
    assert!(address.starts_with(&isp.test.app.config.public_url), "{address}");
    address[isp.test.app.config.public_url.len()..].to_owned()
}

async fn report(isp: &Isp<'_>, address: &str, posted: Value) -> Answer {
    isp.test.call("POST", address, "", Some(posted)).await
}

/// Reports as a form, as Africa's Talking does.
async fn form(isp: &Isp<'_>, address: &str, posted: &'static str) -> Answer {
    let request = Request::post(address).header("content-type", "application/x-www-form-urlencoded").body(Body::from(posted));
    isp.test.send(request.expect("a good request")).await
}

#[tokio::test]
async fn what_it_cost_and_whether_it_arrived_are_known() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    let gateway = isp.gateway("Mast SMS", &carrier, keys()).await;
    let address = address(&isp, &gateway).await;
    carrier.will(&[Reply::Status(200, TAKEN)]);
    let jane = isp.customer("jane").await;
    let message = isp.write(&jane, "hello").await;
    isp.send().await;
    let shown = isp.message(&message).await;
    assert_eq!((&shown["cost_micros"], &shown["cost_currency"]), (&json!(800_000), &json!("KES")));
    assert!(shown["delivery"].is_null() && shown["delivery_at"].is_null());

    // On its way still; then it failed, then it came after all, and so it stays.
    let _ = report(&isp, &address, json!({ "id": "AT-77", "status": "Buffered" })).await.expect(204);
    assert!(isp.message(&message).await["delivery"].is_null());
    let _ = form(&isp, &address, "id=AT-77&status=Failed&failureReason=DeliveryFailure&phoneNumber=%2B254712345678")
        .await
        .expect(204);
    let shown = isp.message(&message).await;
    assert_eq!((&shown["delivery"], &shown["delivery_reason"]), (&json!("undelivered"), &json!("DeliveryFailure")));
    assert_eq!(shown["state"], "sent", "what we did stays what it was");
    let _ = report(&isp, &address, json!({ "id": "AT-77", "status": "Success", "cost": "KES 1.6" })).await.expect(204);
    let arrived = isp.message(&message).await;
    assert_eq!((&arrived["delivery"], &arrived["delivery_reason"]), (&json!("delivered"), &Value::Null));
    assert_eq!(arrived["cost_micros"], 1_600_000);
    test.clock.advance(jiff::SignedDuration::from_mins(1));
    let _ = report(&isp, &address, json!({ "id": "AT-77", "status": "Success" })).await.expect(204);
    let _ = report(&isp, &address, json!({ "id": "AT-77", "status": "Failed" })).await.expect(204);
    assert_eq!(isp.message(&message).await, arrived, "said twice it is noted once, and what came does not go back");
}

#[tokio::test]
async fn a_report_says_that_a_message_was_sent_whose_answer_was_lost() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    let mut keys = keys();
    keys["credentials"]["body"] = json!("to={phone}&message={text}&ref={id}");
    let gateway = isp.gateway("Mast SMS", &carrier, keys).await;
    let address = address(&isp, &gateway).await;
    carrier.will(&[Reply::HangUp]);
    let jane = isp.customer("jane").await;
    let message = isp.write(&jane, "hello").await;
    isp.send().await;
    assert_eq!(isp.message(&message).await["state"], "unknown");
    let _ = report(&isp, &address, json!({ "id": message, "status": "Success" })).await.expect(204);
    let shown = isp.message(&message).await;
    assert_eq!((&shown["state"], &shown["delivery"], &shown["reason"]), (&json!("sent"), &json!("delivered"), &json!("")));
    // One that waits was given to nobody, whatever somebody says.
    let waiting = isp.write(&jane, "later").await;
    let _ = report(&isp, &address, json!({ "id": waiting, "status": "Success" })).await.expect(404);
    assert_eq!(isp.message(&waiting).await["state"], "queued");
}

#[tokio::test]
async fn only_who_knows_the_address_reports_and_only_for_its_gateway() {
    let test = office().await;
    let (alpha, beta) = (Isp::new(&test, "Alpha").await, Isp::new(&test, "Beta").await);
    let carrier = Carrier::new().await;
    let (ours, other) = (alpha.gateway("one", &carrier, keys()).await, alpha.gateway("two", &carrier, json!({})).await);
    let theirs = beta.gateway("one", &carrier, keys()).await;
    carrier.will(&[Reply::Status(200, TAKEN)]);
    let jane = alpha.customer("jane").await;
    let message = alpha.write(&jane, "hello").await;
    alpha.send().await;

    let said = || json!({ "id": "AT-77", "status": "Success" });
    let of_beta = address(&beta, &theirs).await;
    let _ = report(&beta, &of_beta, said()).await.expect(404);
    let _ = report(&beta, &of_beta, json!({ "id": message, "status": "Success" })).await.expect(404);
    let first = address(&alpha, &ours).await;
    let second = address(&alpha, &ours).await;
    for wrong in [first.as_str(), "/api/v1/delivery-reports?key=", "/api/v1/delivery-reports?key=mw_report_x"] {
        let _ = report(&alpha, wrong, said()).await.expect(404);
    }
    let _ = report(&alpha, "/api/v1/delivery-reports", said()).await.expect(400);
    for (field, wrong) in [("report_id", json!({ "status": "Success" })), ("report_status", json!({ "id": "AT-77" }))] {
        let refused = report(&alpha, &second, wrong).await.expect(400);
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    let _ = form(&alpha, &second, "id=%FF").await.expect(400);
    assert!(alpha.message(&message).await["delivery"].is_null(), "none of these was noted");

    let refused = alpha.post(&format!("/gateways/{other}/report-address"), json!({})).await.expect(400);
    assert_eq!(refused.body["errors"][0]["field"], "credentials", "nobody said how its reports are read");
    let _ = alpha.call("DELETE", &format!("/gateways/{ours}"), None).await.expect(204);
    let _ = report(&alpha, &second, said()).await.expect(404);
    for (table, row) in test.db.rows(None).await {
        assert!(!row.contains("mw_report_"), "{table}: {row}");
    }
}
