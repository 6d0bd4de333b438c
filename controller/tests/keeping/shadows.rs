//! A backup laid beside the original: the same rows under another tenant, to be compared, and never at work.

use super::world::{SECRETS, assert_same, assert_sound, door, isp, keeper, named, no_keys, rows, take, uuid};
use controller::backups::{self, BackupError, Target};
use controller::secrets::Place;
use controller::testing::TestApp;
use db::PlatformActor;
use db::copies::RestoreKind;
use serde_json::json;

fn shadow(name: &str) -> Target {
    Target::Shadow { name: name.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_the_same_until_something_changes_and_the_difference_is_named() {
    let test = TestApp::new().await;
    let (alpha, beta) = (isp(&test, "Alpha").await, isp(&test, "Beta").await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    take(&test, &alpha, &file).await;
    let (before, others) = (rows(&test, alpha.tenant.id, &[]).await, rows(&test, beta.tenant.id, &[]).await);
    let actor = PlatformActor::system("test");
    let done = backups::restore(keeper(&test), &actor, &file, &no_keys(), &shadow("Alpha on Monday")).await.expect("laid beside");
    assert_eq!(done.kind, RestoreKind::Shadow);
    assert_ne!(done.tenant, alpha.tenant.id);
    assert_same(&before, &rows(&test, alpha.tenant.id, &[]).await);
    assert_same(&others, &rows(&test, beta.tenant.id, &[]).await);
    assert_sound(&test).await;
    let told: Vec<&str> = done.other.iter().map(|(what, _)| what.as_str()).collect();
    for left_out in ["tunnel_peer", "tunnel_address", "api_token", "membership", "assignment", "enrolment"] {
        assert!(told.contains(&left_out), "{left_out} is left out, and that is told: {told:?}");
    }

    let (original, copy) = (named(&test, "Alpha").await, named(&test, "Alpha on Monday").await);
    let found = backups::compare(keeper(&test), &original, &copy).await.expect("compared");
    assert!(found.is_same(), "{:#?}", found.tables.iter().filter(|table| !table.is_none()).collect::<Vec<_>>());
    assert!(found.tables.iter().any(|table| table.table == "customer" && table.same == 6), "{:?}", found.tables);

    // A secret is sealed anew: other bytes, the same password, for the shadow alone.
    let mut tx = test.app.db.tenant(&door(&test, done.tenant).await).await.expect("open");
    let customer = uuid(&alpha.customer);
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT password FROM customer WHERE tenant_id = $1 AND id = $2")
        .bind(done.tenant)
        .bind(customer)
        .fetch_one(tx.conn())
        .await
        .expect("a customer");
    let place = Place { table: "customer", column: "password", row: customer };
    assert_eq!(test.app.vault.open_text(&mut tx, place, &sealed).await.expect("opens").expose(), SECRETS[0]);
    drop(tx);
    let mut other = test.app.db.tenant(&original.door).await.expect("open");
    assert!(test.app.vault.open(&mut other, place, &sealed).await.is_err(), "the original's key does not open it");
    drop(other);

    let path = format!("/api/v1/customers/{}", alpha.customer);
    let _ = test.call("PATCH", &path, &alpha.tenant.token, Some(json!({ "full_name": "Somebody Else" }))).await.expect(204);
    let reset = json!({ "password": "another-dial-password" });
    let _ = test.call("POST", &format!("{path}/password"), &alpha.tenant.token, Some(reset)).await.expect(200);
    let _ =
        test.call("POST", "/api/v1/sites", &alpha.tenant.token, Some(json!({ "kind": "area", "name": "new" }))).await.expect(201);
    let found = backups::compare(keeper(&test), &original, &copy).await.expect("compared");
    let table = |name: &str| found.tables.iter().find(|table| table.table == name).expect("compared");
    assert_eq!((table("customer").changed, table("customer").same), (1, 5), "{:?}", table("customer"));
    let example = &table("customer").examples[0];
    assert!(
        example.contains("full_name") && example.contains("password") && !example.contains("Somebody"),
        "columns, no values: {example}"
    );
    assert_eq!((table("site").only_first, table("site").only_second), (1, 0));
    assert!(table("payment").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_works_on_a_shadow_and_nobody_gets_into_one() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    take(&test, &alpha, &file).await;
    let actor = PlatformActor::system("test");
    let copy = backups::restore(keeper(&test), &actor, &file, &no_keys(), &shadow("A shadow")).await.expect("laid beside").tenant;
    let locator = test.app.db.locator();
    assert!(locator.tenants("test").await.expect("listed").iter().all(|door| door.tenant() != copy));
    let behind = locator.routers_behind().await.expect("listed");
    assert!(behind.iter().all(|(door, _)| door.tenant() != copy), "its routers are not looked after");
    let (from, until) = ("2000-01-01T00:00:00Z".parse().expect("a time"), "2100-01-01T00:00:00Z".parse().expect("a time"));
    let ending = locator.routers_with_expiry(from, until).await.expect("listed");
    assert!(!ending.is_empty() && ending.iter().all(|(door, _)| door.tenant() != copy), "nothing of it ends");
    // Its admin has one ISP, as before, and cannot be let into the shadow.
    let login = json!({ "login": "alpha", "password": "a password for tests" });
    let _ = test.call("POST", "/api/v1/login", "", Some(login)).await.expect(200);
    let platform = test.platform().await;
    for status in ["active", "trial", "restricted"] {
        let body = json!({ "standing": status, "reason": "trying" });
        let answer = test.call("POST", &format!("/api/v1/platform/tenants/{copy}/standing"), &platform, Some(body)).await;
        assert!(!answer.status.is_success(), "{status}: {}", answer.body);
    }
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let woken = sqlx::query("UPDATE tenant SET status = 'active' WHERE id = $1").bind(copy).execute(&mut owner).await;
    assert!(woken.expect_err("the table itself refuses").to_string().contains("tenant_shadow_rests"));

    let again = backups::restore(keeper(&test), &actor, &file, &no_keys(), &shadow("Alpha")).await;
    assert!(matches!(again, Err(BackupError::Taken { .. })), "two ISPs never have one name: {again:?}");
    let elsewhere = TestApp::new().await;
    let master = controller::secrets::MasterKey::load(&test.app.config.data.join("master.key")).expect("a key");
    let keys = backups::Keys { passphrase: None, master: Some(master) };
    let alone = backups::restore(keeper(&elsewhere), &actor, &file, &keys, &shadow("Alone")).await;
    assert!(matches!(alone, Err(BackupError::NoOriginal)), "{alone:?}");
}
