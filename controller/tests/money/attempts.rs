//! An attempt ends by its state, a late success revives it, and one receipt counts once whoever tells of it.

use crate::fixture::{Isp, PRICE, each};
use controller::payments::attempts::{
    AttemptState, Completed, NewAttempt, PENDING_LIFE, begin, complete, end, expire, keep_hint,
};
use controller::payments::{Aim, Method, PaymentError, Settled, settle};
use controller::testing::TestApp;
use jiff::SignedDuration;
use model::{Currency, GatewayId, Money, PaymentAttemptId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Isp<'_> {
    fn attempt(&self, gateway: GatewayId, checkout: &str, customer: Option<&str>) -> NewAttempt {
        NewAttempt {
            gateway,
            checkout: checkout.to_owned(),
            phone: "254712345678".to_owned(),
            package: self.package.parse().expect("an id"),
            customer: customer.map(|text| text.parse().expect("an id")),
            router: self.router.parse().expect("an id"),
            mac: customer.is_none().then(|| "AA:BB:CC:00:00:01".to_owned()),
        }
    }

    async fn begin(&self, gateway: GatewayId, checkout: &str, customer: Option<&str>) -> PaymentAttemptId {
        let mut tx = self.tx().await;
        let id = begin(&self.test.app, &mut tx, self.attempt(gateway, checkout, customer)).await.expect("begun");
        tx.commit().await.expect("committed");
        id
    }

    async fn complete(&self, id: PaymentAttemptId, receipt: &str, minor: i64) -> Completed {
        let mut tx = self.tx().await;
        let amount = Money::new(minor, Currency::KES);
        let done =
            complete(&self.test.app, &mut tx, id, Method::MobileMoney, receipt.to_owned(), amount).await.expect("completed");
        tx.commit().await.expect("committed");
        done
    }

    async fn end(&self, id: PaymentAttemptId, state: AttemptState) -> Result<(), PaymentError> {
        let mut tx = self.tx().await;
        end(&self.test.app, &mut tx, id, state, "the provider said so").await?;
        tx.commit().await.expect("committed");
        Ok(())
    }

    async fn shown(&self, id: PaymentAttemptId) -> Value {
        self.get(&format!("/payment-attempts/{id}")).await.expect(200).body
    }
}

#[tokio::test]
async fn one_receipt_settled_twenty_times_at_once_counts_once() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let gateway = isp.gateway("M-Pesa", "production").await;
    let settled = futures_util::future::join_all((0..20).map(|_| isp.settle(gateway, "SFC1", PRICE, &jane))).await;
    let counted = settled.iter().filter(|one| matches!(one, Settled::Counted(_))).count();
    let payments: BTreeSet<_> = settled
        .iter()
        .map(|one| match one {
            Settled::Counted(taken) => taken.payment,
            Settled::Known(payment) => *payment,
            Settled::Parked { .. } => panic!("jane is there"),
        })
        .collect();
    assert_eq!((counted, payments.len()), (1, 1));
    assert_eq!((isp.balance("mobile_money").await, isp.balance("sales").await), (PRICE, -PRICE));
    // The same receipt of another gateway, and the same one as cash, are other money.
    let second = isp.gateway("Second", "production").await;
    assert!(matches!(isp.settle(second, "SFC1", 5, &jane).await, Settled::Counted(_)));
    assert_eq!(isp.wallet(&jane).await, 5);
    // Nor does one that lies in the inbox already count for somebody.
    let park =
        |isp: &Isp<'_>| (isp.money(gateway, "SFC2", PRICE), Aim::Nobody { payer: controller::payments::inbox::Payer::default() });
    let mut tx = isp.tx().await;
    let (money, aim) = park(&isp);
    assert!(matches!(settle(&test.app, &mut tx, money, aim).await, Ok(Settled::Parked { .. })));
    tx.commit().await.expect("committed");
    assert!(matches!(isp.settle(gateway, "SFC2", PRICE, &jane).await, Settled::Known(_)));
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn a_late_success_revives_and_nothing_undoes_it() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let gateway = isp.gateway("M-Pesa", "production").await;
    for (number, ended) in [AttemptState::Failed, AttemptState::Cancelled, AttemptState::Expired].into_iter().enumerate() {
        let id = isp.begin(gateway, &format!("ws_{number}"), Some(&jane)).await;
        isp.end(id, ended).await.expect("it was open");
        let again = isp.end(id, AttemptState::Failed).await.expect_err("it ended");
        assert!(again.to_string().contains(ended.as_str()), "{again}");
        assert!(matches!(isp.complete(id, &format!("R{number}"), PRICE).await, Completed::Settled(Settled::Counted(_))));
        let shown = isp.shown(id).await;
        assert_eq!((&shown["state"], &shown["revived"]), (&json!("completed"), &json!(true)));
        for state in [AttemptState::Failed, AttemptState::Expired, AttemptState::Cancelled] {
            assert!(matches!(isp.end(id, state).await, Err(PaymentError::Attempt("completed"))), "a success stays");
        }
        assert!(matches!(isp.complete(id, "another", PRICE).await, Completed::Already(Some(_))));
    }
    assert_eq!(isp.balance("mobile_money").await, 3 * PRICE);
    // An attempt is named once for each gateway.
    let mut tx = isp.tx().await;
    assert!(begin(&test.app, &mut tx, isp.attempt(gateway, "ws_0", Some(&jane))).await.is_err());
    isp.expect_sound_books().await;
}

#[tokio::test]
async fn the_price_is_that_of_the_beginning() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let gateway = isp.gateway("M-Pesa", "production").await;
    let id = isp.begin(gateway, "ws_1", Some(&jane)).await;
    let dearer = json!({ "price": { "minor": 2 * PRICE, "currency": "KES" } });
    let _ = isp.call("PATCH", &format!("/packages/{}", isp.package), Some(dearer)).await.expect(200);
    let Completed::Settled(Settled::Counted(taken)) = isp.complete(id, "R1", PRICE).await else { panic!("counted") };
    assert!(taken.ends_at.is_some() && taken.wallet.minor == 0, "{taken:?}");
    let version = isp.shown(id).await["package_version"].clone();
    assert_eq!(isp.get(&format!("/payments/{}", taken.payment)).await.expect(200).body["package_version"], version);
}

#[tokio::test]
async fn what_runs_out_is_kept_and_found() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let gateway = isp.gateway("M-Pesa", "production").await;
    let id = isp.begin(gateway, "ws_1", Some(&jane)).await;
    assert_eq!(expire(&test.app).await.expect("nothing is due"), 0);
    test.clock.advance(PENDING_LIFE);
    assert_eq!(expire(&test.app).await.expect("one is due"), 1);
    assert_eq!(isp.shown(id).await["state"], "expired");
    let expired = isp.get("/payment-attempts?state=expired").await.expect(200);
    assert_eq!(
        (each(&expired, "id"), each(&isp.get("/payment-attempts?state=pending").await.expect(200), "id").len()),
        (vec![json!(id)], 0)
    );
    // Weeks later it still counts: nothing was deleted.
    test.clock.advance(SignedDuration::from_hours(24 * 21));
    assert!(matches!(isp.complete(id, "R1", PRICE).await, Completed::Settled(Settled::Counted(_))));
    let other = Isp::new(&test, "Beta").await;
    let _ = other.get(&format!("/payment-attempts/{id}")).await.expect(404);
}

#[tokio::test]
async fn a_sandboxs_money_is_none() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let sandbox = isp.gateway("Playground", "sandbox").await;
    let id = isp.begin(sandbox, "ws_1", Some(&jane)).await;
    assert!(matches!(isp.complete(id, "R1", PRICE).await, Completed::Sandbox));
    let shown = isp.shown(id).await;
    assert_eq!(
        (&shown["state"], &shown["payment"], &shown["environment"]),
        (&json!("completed"), &json!(null), &json!("sandbox"))
    );
    let mut tx = isp.tx().await;
    let aim = Aim::Wallet { customer: jane.parse().expect("an id") };
    let refused = settle(&test.app, &mut tx, isp.money(sandbox, "R1", PRICE), aim).await;
    assert!(matches!(refused, Err(PaymentError::Sandbox)), "{refused:?}");
    drop(tx);
    assert_eq!(isp.get("/payments").await.expect(200).body["items"], json!([]));
    // Not even past the program: the database refuses a sandbox's attempt with a payment.
    let trick = "UPDATE payment_attempt SET payment_id = id";
    let error = test.db.try_as_app(isp.tenant.id, trick).await.expect_err("refused");
    assert!(error.contains("payment_attempt_counted") || error.contains("foreign key"), "{error}");
}

#[tokio::test]
async fn a_device_that_is_nobodys_leaves_its_money_in_the_inbox() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let gateway = isp.gateway("M-Pesa", "production").await;
    let id = isp.begin(gateway, "ws_1", None).await;
    assert!(matches!(isp.complete(id, "R1", PRICE).await, Completed::Settled(Settled::Parked { .. })));
    let inbox = isp.get("/unmatched-payments?state=open").await.expect(200);
    assert_eq!((each(&inbox, "receipt"), each(&inbox, "phone")), (vec![json!("R1")], vec![json!("254712345678")]));
    let mut tx = isp.tx().await;
    let nobody = NewAttempt { mac: None, ..isp.attempt(gateway, "ws_2", None) };
    assert!(begin(&test.app, &mut tx, nobody).await.is_err(), "neither a customer nor a device");
}

#[tokio::test]
async fn a_hint_is_kept_whatever_is_in_it_and_never_whole_when_too_long() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let gateway = isp.gateway("M-Pesa", "production").await;
    let id = isp.begin(gateway, "ws_1", Some(&jane)).await;
    let mut tx = isp.tx().await;
    keep_hint(&test.app, &mut tx, id, &("\0{\"Body\":1}".to_owned() + &"\u{00e9}".repeat(10_000))).await.expect("kept");
    tx.commit().await.expect("committed");
    assert_eq!(
        isp.number("SELECT length(hint)::bigint FROM payment_attempt WHERE tenant_id = $1 AND hint LIKE '{\"Body\":1}%'").await,
        4_005
    );
    assert!(isp.shown(id).await["hint_at"].is_string());
}
