//! A tenant's key is changed while everything goes on: every secret opens at every moment, and in the end the old key is gone.

use super::world::{Isp, SECRETS, assert_sound, door, isp, keeper, no_keys, password, rows, take};
use controller::backups::{self, Target};
use controller::secrets::{self, RotateError, Vault, prefix};
use controller::testing::TestApp;
use db::PlatformActor;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A safety net; nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many values of a tenant are sealed with each version of its key.
async fn sealed_with(test: &TestApp, isp: &Isp) -> Vec<(u32, i64)> {
    let mut tx = test.app.db.tenant(&door(test, isp.tenant.id).await).await.expect("open");
    let shape = tx.shape().await.expect("a shape");
    let mut counts = std::collections::BTreeMap::new();
    for table in shape.of_tenants() {
        for column in table.entry.sealed {
            // Whatever does not begin with a prefix that no value has, is all of them.
            for value in tx.sealed_otherwise(table, column, &[0; 5], uuid::Uuid::nil(), 10_000).await.expect("read") {
                assert_eq!(value.value[0], prefix(0)[0], "{}.{column} holds a sealed value", table.name());
                let version = u32::from_be_bytes(value.value[1..5].try_into().expect("four bytes"));
                *counts.entry(version).or_default() += 1;
            }
        }
    }
    counts.into_iter().collect()
}

async fn versions(test: &TestApp, isp: &Isp) -> Vec<(String, i32)> {
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query_as("SELECT purpose, version FROM data_key WHERE tenant_id = $1 ORDER BY 1, 2")
        .bind(isp.tenant.id)
        .fetch_all(&mut owner)
        .await
        .expect("keys")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_secret_gets_the_new_key_and_the_old_one_goes() {
    let test = TestApp::new().await;
    let (alpha, beta) = (isp(&test, "Alpha").await, isp(&test, "Beta").await);
    let before = sealed_with(&test, &alpha).await;
    assert!(matches!(before[..], [(1, count)] if count >= 15), "{before:?}");
    let others = rows(&test, beta.tenant.id, &[]).await;
    let actor = PlatformActor::system("test");
    let door = door(&test, alpha.tenant.id).await;
    let done = secrets::rotate_tenant(keeper(&test), &actor, &door).await.expect("changed");
    assert_eq!((done.version, done.retired, done.resumed), (2, 1, false));
    assert_eq!(done.values, u64::try_from(before[0].1).expect("a count"));
    assert_eq!(sealed_with(&test, &alpha).await, [(2, before[0].1)]);
    assert_eq!(versions(&test, &alpha).await, [("fingerprint".to_owned(), 1), ("seal".to_owned(), 2)]);
    super::world::assert_same(&others, &rows(&test, beta.tenant.id, &[]).await);
    // Everything opens, and a code in somebody's hand is still known.
    assert_eq!(password(&test, &alpha).await, SECRETS[0]);
    let redeem = json!({ "code": alpha.codes[1], "router": alpha.router });
    assert!(test.call("POST", "/api/v1/vouchers/redeem", &alpha.tenant.token, Some(redeem)).await.status.is_success());
    assert_sound(&test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_meanwhile_and_none_is_lost() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    // Another controller has its own memory of the keys, older than each rotation.
    let master = secrets::MasterKey::load(&test.app.config.data.join("master.key")).expect("a key");
    let other = Vault::new(master, test.app.entropy.clone());
    let (rotating, door) = (AtomicBool::new(true), door(&test, alpha.tenant.id).await);
    let write = async {
        let mut count = 0;
        while rotating.load(Ordering::Relaxed) {
            count += 1;
            let reset = json!({ "password": format!("dial-{count:08}") });
            let path = format!("/api/v1/customers/{}/password", alpha.customer);
            let _ = test.call("POST", &path, &alpha.tenant.token, Some(reset)).await.expect(200);
            assert_eq!(password(&test, &alpha).await, format!("dial-{count:08}"));
            let customer = json!({ "login": format!("new{count}"), "router": alpha.router, "package": alpha.package, "password": "dial-of-a-new-one" });
            let _ = test.call("POST", "/api/v1/customers", &alpha.tenant.token, Some(customer)).await.expect(201);
        }
        count
    };
    let rotate = async {
        let actor = PlatformActor::system("test");
        let elsewhere = secrets::Keeper { vault: &other, ..keeper(&test) };
        for version in 2..6 {
            // In turns here and at the other controller.
            let keeper = if version % 2 == 0 { keeper(&test) } else { elsewhere };
            let done = secrets::rotate_tenant(keeper, &actor, &door).await.expect("changed");
            assert_eq!((done.version, done.retired), (version, 1));
        }
        rotating.store(false, Ordering::Relaxed);
    };
    let (count, ()) = tokio::join!(write, rotate);
    assert!(count > 0, "something was written meanwhile");
    let path = format!("/api/v1/customers/{}/password", alpha.customer);
    assert_eq!(test.call("GET", &path, &alpha.tenant.token, None).await.expect(200).text("password"), format!("dial-{count:08}"));
    // One more, and nothing is left of an older key: what was written in between would not open.
    secrets::rotate_tenant(keeper(&test), &PlatformActor::system("test"), &door).await.expect("all of it opens");
    assert!(matches!(sealed_with(&test, &alpha).await[..], [(6, _)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_seals_keeps_the_old_key_from_going() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let door = door(&test, alpha.tenant.id).await;
    let mut slow = test.app.db.tenant(&door).await.expect("open");
    let place = controller::secrets::Place { table: "customer", column: "password", row: super::world::uuid(&alpha.customer) };
    let sealed = test.app.vault.seal(&mut slow, place, b"sealed before, stored after").await.expect("sealed");
    let actor = PlatformActor::system("test");
    let rotation = secrets::rotate_tenant(keeper(&test), &actor, &door);
    let store = async {
        // The rotation has walked through everything by the time it waits for this transaction.
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut superuser = test.db.connect_as("postgres").await;
        loop {
            look.tick().await;
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
                .fetch_one(&mut superuser)
                .await
                .expect("locks");
            if waiting > 0 {
                break;
            }
        }
        sqlx::query("UPDATE customer SET password = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(alpha.tenant.id)
            .bind(place.row)
            .bind(&sealed)
            .execute(slow.conn())
            .await
            .expect("stored");
        slow.commit().await.expect("committed");
    };
    let both = async { tokio::join!(rotation, store) };
    let (done, ()) = tokio::time::timeout(PATIENCE, both).await.expect("the rotation waits for the transaction, and no longer");
    assert_eq!(done.expect("changed").retired, 1);
    assert_eq!(password(&test, &alpha).await, "sealed before, stored after");
    assert!(matches!(sealed_with(&test, &alpha).await[..], [(2, _)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_does_not_open_keeps_the_old_key_and_is_named() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let row = super::world::uuid(&alpha.customer);
    let spoil = "UPDATE customer SET password = set_byte(password, 40, get_byte(password, 40) # 1) WHERE id = $1";
    sqlx::query(spoil).bind(row).execute(&mut owner).await.expect("spoilt");
    let (actor, door) = (PlatformActor::system("test"), door(&test, alpha.tenant.id).await);
    for _ in 0..2 {
        let refused = secrets::rotate_tenant(keeper(&test), &actor, &door).await;
        assert!(
            matches!(&refused, Err(RotateError::Unreadable { table: "customer", row: found, .. }) if *found == row),
            "{refused:?}"
        );
        assert_eq!(versions(&test, &alpha).await.len(), 3, "both keys stay, and a second try begins no third");
    }
    assert!(secrets::is_unfinished(keeper(&test), &door).await.expect("asked"));
    let reset = json!({ "password": "dial-set-anew" });
    let _ = test
        .call("POST", &format!("/api/v1/customers/{}/password", alpha.customer), &alpha.tenant.token, Some(reset))
        .await
        .expect(200);
    let done = secrets::rotate_tenant(keeper(&test), &actor, &door).await.expect("gone on with");
    assert_eq!((done.version, done.retired, done.resumed), (2, 1, true));
    assert!(!secrets::is_unfinished(keeper(&test), &door).await.expect("asked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_remembers_a_key_of_before_a_restore_does_not_use_it() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    take(&test, &alpha, &file).await;
    let (actor, door) = (PlatformActor::system("test"), door(&test, alpha.tenant.id).await);
    let rotate = async || secrets::rotate_tenant(keeper(&test), &actor, &door).await.expect("changed");
    assert_eq!(rotate().await.version, 2);
    assert_eq!(password(&test, &alpha).await, SECRETS[0], "it remembers the second key");
    let target = Target::Place { replace: Some("Alpha".to_owned()) };
    // Restored and rotated by another process: this one hears nothing of it, and its second key is another one.
    let master = secrets::MasterKey::load(&test.app.config.data.join("master.key")).expect("a key");
    let other = Vault::new(master, test.app.entropy.clone());
    let elsewhere = secrets::Keeper { vault: &other, ..keeper(&test) };
    backups::restore(elsewhere, &actor, &file, &no_keys(), &target).await.expect("restored");
    assert_eq!(secrets::rotate_tenant(elsewhere, &actor, &door).await.expect("changed").version, 2);
    assert_eq!(password(&test, &alpha).await, SECRETS[0]);
    let reset = json!({ "password": "dial-after-all-that" });
    let _ = test
        .call("POST", &format!("/api/v1/customers/{}/password", alpha.customer), &alpha.tenant.token, Some(reset))
        .await
        .expect(200);
    assert_eq!(rotate().await.version, 3, "what was sealed opens with the key that the database has");
    assert_eq!(password(&test, &alpha).await, "dial-after-all-that");
}
