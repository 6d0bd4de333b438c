//! The drill: back up, wreck, restore, compare row by row, audit.

use super::world::{SECRETS, assert_same, assert_sound, door, isp, keeper, named, no_keys, password, rows, take};
use controller::backups::{self, BackupError, Keys, SealFor, Target};
use controller::secrets::MasterKey;
use controller::testing::TestApp;
use db::PlatformActor;
use db::copies::RestoreKind;
use model::Secret;
use serde_json::json;

/// What a restore changes by itself: it is written down, the routers are looked at, and the keys are wrapped anew.
const OTHER: &[&str] = &["audit_log", "audit_head", "data_key", "outbox", "restore", "router_state"];

fn in_place(name: &str) -> Target {
    Target::Place { replace: Some(name.to_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrecked_isp_comes_back_row_by_row_and_nobody_else_is_touched() {
    let test = TestApp::new().await;
    let (alpha, beta) = (isp(&test, "Alpha").await, isp(&test, "Beta").await);
    let (before, others) = (rows(&test, alpha.tenant.id, OTHER).await, rows(&test, beta.tenant.id, &[]).await);
    let log = rows(&test, alpha.tenant.id, &[]).await["audit_log"].clone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    let taken = take(&test, &alpha, &file).await;
    assert_eq!(taken.file.bytes, std::fs::metadata(&file).expect("it is there").len());
    assert_same(&before, &rows(&test, alpha.tenant.id, OTHER).await);

    // Life goes on, and then the worst happens.
    let late = json!({ "kind": "area", "name": "late" });
    let _ = test.call("POST", "/api/v1/sites", &alpha.tenant.token, Some(late)).await.expect(201);
    wreck(&test, &alpha).await;
    assert_ne!(before, rows(&test, alpha.tenant.id, OTHER).await);

    let actor = PlatformActor::system("test");
    let done = backups::restore(keeper(&test), &actor, &file, &no_keys(), &in_place("Alpha")).await.expect("restored");
    assert_eq!((done.kind, done.tenant), (RestoreKind::Replace, alpha.tenant.id));
    assert_same(&before, &rows(&test, alpha.tenant.id, OTHER).await);
    assert_same(&others, &rows(&test, beta.tenant.id, &[]).await);
    // The log is what it was, with one line more that says what happened.
    let now = rows(&test, alpha.tenant.id, &[]).await["audit_log"].clone();
    assert!(log.iter().all(|line| now.contains(line)) && now.len() == log.len() + 1, "{} lines, then {}", log.len(), now.len());
    assert!(now.iter().any(|line| line.contains("tenant.restore")));
    assert_sound(&test).await;
    // What was sealed opens, a token is good, and a code can be used.
    assert_eq!(password(&test, &alpha).await, SECRETS[0]);
    let redeem = json!({ "code": alpha.codes[1], "router": alpha.router });
    let redeemed = test.call("POST", "/api/v1/vouchers/redeem", &alpha.tenant.token, Some(redeem)).await;
    assert!(redeemed.status.is_success(), "{}", redeemed.body);
    assert_sound(&test).await;
}

/// Deletes the rows of every other table, and changes what is left.
async fn wreck(test: &TestApp, isp: &super::world::Isp) {
    let mut superuser = test.db.connect_as("postgres").await;
    let tenant = isp.tenant.id;
    let tables: Vec<&str> = rows_tables();
    // No trigger and no foreign key stands in the way of a superuser who wants to break things.
    sqlx::query("SET session_replication_role = replica").execute(&mut superuser).await.expect("a superuser may");
    for table in tables.iter().step_by(2) {
        test.db.delete_rows(&mut superuser, table, tenant).await;
    }
    for change in [
        "UPDATE router SET name = 'wrecked' WHERE tenant_id = $1",
        "UPDATE customer SET full_name = 'nobody', status = 'suspended' WHERE tenant_id = $1",
        "UPDATE package SET name = 'gone ' || id WHERE tenant_id = $1",
    ] {
        sqlx::query(change).bind(tenant).execute(&mut superuser).await.expect("a superuser may");
    }
}

fn rows_tables() -> Vec<&'static str> {
    let tenants = db::registry::TABLES.iter().filter(|table| table.class == db::registry::Class::Tenant);
    tenants.map(|table| table.name).filter(|name| !["backup", "restore"].contains(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_installation_takes_it_with_a_passphrase_or_the_old_master_key() {
    let (here, there) = (TestApp::new().await, TestApp::new().await);
    // Else both would draw the same ids.
    there.app.entropy.fill(&mut [0; 7]);
    let alpha = isp(&here, "Alpha").await;
    let neighbour = isp(&there, "Neighbour").await;
    let folder = tempfile::tempdir().expect("a folder");
    let (sealed, passed) = (folder.path().join("a.mwbackup"), folder.path().join("b.mwbackup"));
    take(&here, &alpha, &sealed).await;
    let passphrase = Secret::new("a horse, a battery and a staple".to_owned());
    let door = door(&here, alpha.tenant.id).await;
    backups::take(keeper(&here), &door, &passed, &SealFor::Passphrase(passphrase.clone())).await.expect("a backup");

    // The other installation has another master key.
    let key = there.app.config.data.join("master.key");
    std::fs::remove_file(&key).expect("ours");
    let other = MasterKey::from_bytes([9; 32]);
    let vault = controller::secrets::Vault::new(other, there.app.entropy.clone());
    let there_keeper = controller::secrets::Keeper { vault: &vault, ..keeper(&there) };
    let actor = PlatformActor::system("test");
    let place = Target::Place { replace: None };
    let restore = async |file, keys: &Keys| backups::restore(there_keeper, &actor, file, keys, &place).await;

    let nothing = there.db.fingerprint().await;
    assert!(matches!(restore(&sealed, &no_keys()).await, Err(BackupError::WrongMasterKey)));
    assert!(matches!(restore(&passed, &no_keys()).await, Err(BackupError::NeedsPassphrase)));
    let wrong = Keys { passphrase: Some(Secret::new("a horse, a battery and a stable".to_owned())), master: None };
    assert!(matches!(restore(&passed, &wrong).await, Err(BackupError::WrongPassphrase)));
    assert_eq!(nothing, there.db.fingerprint().await, "a refusal leaves nothing");

    let neighbours = rows(&there, neighbour.tenant.id, &[]).await;
    let keys = Keys { passphrase: Some(passphrase), master: None };
    let taken_block = restore(&passed, &keys).await;
    assert!(matches!(taken_block, Err(BackupError::Taken { .. })), "both have the first block of addresses: {taken_block:?}");
    assert_eq!(nothing, there.db.fingerprint().await, "a refusal leaves nothing");

    let empty = TestApp::new().await;
    let empty_keeper = controller::secrets::Keeper { vault: &vault, ..keeper(&empty) };
    let done = backups::restore(empty_keeper, &actor, &passed, &keys, &place).await.expect("restored");
    assert_eq!(done.kind, RestoreKind::Fresh);
    assert_same(&rows(&here, alpha.tenant.id, OTHER).await, &rows(&empty, alpha.tenant.id, OTHER).await);
    assert_same(&neighbours, &rows(&there, neighbour.tenant.id, &[]).await);
    assert_sound(&empty).await;
    // Sealed under the new master key, it opens; the person is there and has no password yet.
    let mut tx = empty.app.db.tenant(&super::world::door(&empty, alpha.tenant.id).await).await.expect("open");
    let ring = vault.keyring(&mut tx).await.expect("keys");
    assert_eq!(ring.keys().len(), 2);
    let people: Vec<(String, Option<String>)> = sqlx::query_as("SELECT login, password_hash FROM operator")
        .fetch_all(&mut empty.db.connect_as("mastwire_owner").await)
        .await
        .expect("people");
    assert_eq!(people, [("alpha".to_owned(), None)]);

    // With the old key's file it works as well, and a second time it is in the way of itself.
    let second = TestApp::new().await;
    let second_keeper = controller::secrets::Keeper { vault: &vault, ..keeper(&second) };
    let master = MasterKey::load(&here.app.config.data.join("master.key")).expect("the first installation's");
    let keys = Keys { passphrase: None, master: Some(master) };
    backups::restore(second_keeper, &actor, &sealed, &keys, &place).await.expect("restored");
    let again = backups::restore(second_keeper, &actor, &sealed, &keys, &place).await;
    assert!(matches!(again, Err(BackupError::AtWork { .. })), "{again:?}");
    let wrong_name = backups::restore(second_keeper, &actor, &sealed, &keys, &in_place("Beta")).await;
    assert!(matches!(wrong_name, Err(BackupError::OtherTenant { .. })), "{wrong_name:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_isp_is_replaced_without_being_named_and_stays_suspended() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    take(&test, &alpha, &file).await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("UPDATE tenant SET status = 'suspended', name = 'Alpha Two' WHERE id = $1")
        .bind(alpha.tenant.id)
        .execute(&mut owner)
        .await
        .expect("suspended");
    let actor = PlatformActor::system("test");
    let done =
        backups::restore(keeper(&test), &actor, &file, &no_keys(), &Target::Place { replace: None }).await.expect("restored");
    assert_eq!(done.kind, RestoreKind::Replace);
    let tenant = named(&test, "Alpha").await;
    assert_eq!(tenant.status, "suspended", "how an ISP stands is the platform's word, not the backup's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment_while_everything_goes_on() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    // Each payment is a journal of two entries and more: a backup that saw one without the other does not balance.
    let pay = async {
        for _ in 0..30 {
            let path = format!("/api/v1/customers/{}/payments", alpha.customer);
            let cash = json!({ "amount": { "minor": 150_000, "currency": "KES" } });
            let _ = test.call("POST", &path, &alpha.tenant.token, Some(cash)).await.expect(201);
        }
    };
    let back_up = async {
        let mut files = Vec::new();
        for number in 0..4 {
            let file = folder.path().join(format!("{number}.mwbackup"));
            take(&test, &alpha, &file).await;
            files.push(file);
        }
        files
    };
    let ((), files) = tokio::join!(pay, back_up);
    let mut counts = Vec::new();
    for file in files {
        let actor = PlatformActor::system("test");
        let done = backups::restore(keeper(&test), &actor, &file, &no_keys(), &in_place("Alpha")).await.expect("restored");
        counts.push(done.tables.iter().find(|table| table.table == "payment").expect("a table").loaded);
        assert_sound(&test).await;
    }
    assert!(counts.windows(2).all(|pair| pair[0] <= pair[1]), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_transaction_that_says_so_can_put_rows_in() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let run = uuid::Uuid::from_u128(1);
    let mut app = test.db.connect_as("mastwire_app").await;
    let mut platform = test.db.connect_as("mastwire_platform").await;
    for call in ["SELECT load_rows($1, $2, 'customer', '{}')", "SELECT clear_rows($1, $2, 'customer')"] {
        let refused =
            sqlx::query(call).bind(run).bind(alpha.tenant.id).execute(&mut app).await.expect_err("the app role may not");
        assert!(refused.to_string().contains("permission denied"), "{refused}");
        let refused =
            sqlx::query(call).bind(run).bind(alpha.tenant.id).execute(&mut platform).await.expect_err("it said nothing");
        assert!(refused.to_string().contains("does not restore"), "{refused}");
    }
    let refused = sqlx::query("SELECT load_platform_rows($1, 'operator', '{}')").bind(run).execute(&mut platform).await;
    assert!(refused.expect_err("tenants live here").to_string().contains("tenants live here"));
    // Said by another transaction, it is not said by this one.
    sqlx::query(
        "INSERT INTO restore (tenant_id, id, kind, taken_at, taken_of, schema_version, restored_at, restored_by)
         VALUES ($1, $2, 'replace', now(), $1, 1, now(), 'test')",
    )
    .bind(alpha.tenant.id)
    .bind(run)
    .execute(&mut platform)
    .await
    .expect("written down");
    let late = sqlx::query("SELECT clear_rows($1, $2, 'customer')").bind(run).bind(alpha.tenant.id).execute(&mut platform).await;
    assert!(late.expect_err("another transaction").to_string().contains("does not restore"));
}

#[tokio::test]
async fn every_table_can_be_copied_by_the_roles_that_copy() {
    let test = TestApp::new().await;
    let mut superuser = test.db.connect_as("postgres").await;
    // Without a grant a copy fails; without a policy it would be empty and nobody would know.
    let faults: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, what FROM pg_class c
           CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'
                                                           AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))
                                           THEN 'mastwire_app' ELSE 'mastwire_platform' END AS copier) AS r
           CROSS JOIN LATERAL (VALUES
               ('no grant to ' || copier, NOT has_table_privilege(copier, c.oid, 'SELECT')),
               ('no policy for ' || copier, NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive
                                                           AND copier::regrole = ANY (p.polroles) AND p.polcmd IN ('r', '*')))) AS f (what, fault)
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND fault
            AND c.relname NOT IN ('_sqlx_migrations', 'restore_row')",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("a catalogue");
    assert!(faults.is_empty(), "{faults:?}");

    let door = test.tenant("Alpha").await;
    let mut tx = test.app.db.tenant(&super::world::door(&test, door.id).await).await.expect("open");
    let shape = tx.shape().await.expect("an order in which rows can be put in");
    for table in shape.of_tenants() {
        let sealed = table.entry.sealed;
        for column in sealed {
            let found = table.column(column).unwrap_or_else(|| panic!("{}.{column} is there", table.name()));
            assert_eq!(found.kind, "bytea", "{}.{column}", table.name());
            let may: bool = sqlx::query_scalar("SELECT has_column_privilege('mastwire_app', $1, $2, 'UPDATE')")
                .bind(table.name())
                .bind(column)
                .fetch_one(&mut superuser)
                .await
                .expect("a right");
            assert!(may, "the key under {}.{column} can be changed", table.name());
        }
        let row = table.column(table.row_column());
        assert!(sealed.is_empty() || row.is_some_and(|column| column.kind == "uuid"), "{} names its rows", table.name());
        // What a shadow marks, the table lets in.
        for column in table.entry.marked {
            assert_eq!(table.column(column).expect("a column").kind, "text", "{}.{column}", table.name());
        }
    }
    // The platform's rows are put in before any tenant's, so none of them may need one.
    for table in shape.of_platform() {
        for reference in &table.references {
            let target = shape.table(&reference.table).expect("a table");
            assert_ne!(target.entry.class, db::registry::Class::Tenant, "{} refers to {}", table.name(), target.name());
        }
        for column in table.entry.master_sealed {
            let may: bool = sqlx::query_scalar("SELECT has_column_privilege('mastwire_platform', $1, $2, 'UPDATE')")
                .bind(table.name())
                .bind(column)
                .fetch_one(&mut superuser)
                .await
                .expect("a right");
            assert!(may, "the master key under {}.{column} can be changed", table.name());
        }
    }
}
