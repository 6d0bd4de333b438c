//! What leaves: plain files without secrets, and sealed ones in which nothing can be read. And the ISP's own way to both, over the API.

use super::world::{SECRETS, assert_same, door, isp, keeper, no_keys, rows, take};
use axum::body::Body;
use axum::http::{Request, header};
use controller::backups::{self, Target};
use controller::testing::TestApp;
use db::PlatformActor;
use db::registry::{Class, TABLES};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Asks for something that is no JSON.
async fn get(test: &TestApp, path: &str, token: &str) -> (u16, Vec<u8>) {
    let request = Request::builder().uri(format!("/api/v1{path}")).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = test.service().oneshot(request.body(Body::empty()).expect("a good request")).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, axum::body::to_bytes(answer.into_body(), 64 << 20).await.expect("a whole answer").to_vec())
}

/// A secret in the forms in which it could stand somewhere.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    vec![secret.as_bytes().to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_leaves_in_an_export_and_nothing_can_be_read_in_a_backup() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    take(&test, &alpha, &file).await;
    let sealed = std::fs::read(&file).expect("a file");
    let (status, plain) = get(&test, "/export", &alpha.tenant.token).await;
    assert_eq!(status, 200);
    let mut planted: Vec<&str> = SECRETS.to_vec();
    planted.extend(alpha.given.iter().map(String::as_str));
    for secret in planted {
        assert!(!holds(&plain, secret), "an export holds {secret}");
        assert!(!holds(&sealed, secret), "a backup holds {secret}");
    }
    assert!(!holds(&sealed, "Wanjik") && !holds(&sealed, "jane0"), "a backup shows nothing at all");
    assert!(holds(&plain, "jane0"), "the search finds what is there");
    // Nor do the keys themselves, in any form.
    let mut tx = test.app.db.tenant(&door(&test, alpha.tenant.id).await).await.expect("open");
    for key in test.app.vault.keyring(&mut tx).await.expect("keys").keys() {
        let key = key.key.expose();
        assert!(!plain.windows(32).chain(sealed.windows(32)).any(|window| window == key));
        assert!(!holds(&plain, &hex(key)));
    }
    let mut owner = test.db.connect_as("mastwire_owner").await;
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT token_hash FROM api_token UNION SELECT code_hmac FROM voucher")
        .fetch_all(&mut owner)
        .await
        .expect("hashes");
    assert!(hashes.len() > 5 && hashes.iter().all(|hash| !holds(&plain, &hex(hash))), "nor a hash");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_row_of_every_table_that_is_not_left_out() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    isp(&test, "Beta").await;
    let mine = rows(&test, alpha.tenant.id, &[]).await;
    let (status, plain) = get(&test, "/export?format=json", &alpha.tenant.token).await;
    assert_eq!(status, 200);
    let lines: Vec<Value> =
        String::from_utf8(plain).expect("text").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (first, last) = (&lines[0], lines.last().expect("lines"));
    assert_eq!((&last["complete"], &last["rows"]), (&json!(true), &json!(lines.len() - 2)));
    for table in TABLES.iter().filter(|table| table.class == Class::Tenant) {
        let found = lines.iter().filter(|line| line["table"] == table.name).count();
        let columns = &first["tables"][table.name];
        if table.left_out_of(db::registry::Copied::Export).is_some() {
            assert!(columns.is_null() && found == 0, "{}", table.name);
            continue;
        }
        // The export itself wrote a line of the audit log before it looked.
        let before = mine.get(table.name).map_or(0, Vec::len);
        assert!(found == before || (table.name == "audit_log" && found == before + 1), "{}: {found}, not {before}", table.name);
        for secret in table.sealed.iter().chain(table.hashes) {
            assert!(!columns.as_array().expect("columns").iter().any(|column| column == secret), "{}.{secret}", table.name);
        }
    }
    let text: String = lines.iter().map(Value::to_string).collect();
    assert!(!text.contains("Beta"), "nobody else's");

    // As CSV, a name that looks like a formula does nothing.
    let (status, sheet) = get(&test, "/export?table=customer&format=csv", &alpha.tenant.token).await;
    let sheet = String::from_utf8(sheet).expect("text");
    assert_eq!((status, sheet.lines().count()), (200, 7), "{sheet}");
    assert!(sheet.starts_with("id,") && sheet.contains(",'=1+1 Wanjikũ,"), "{sheet}");
    for (path, expected) in [
        ("/export?format=csv", 400),
        ("/export?table=data_key", 404),
        ("/export?table=operator", 404),
        ("/export?table=nothing", 404),
    ] {
        assert_eq!(get(&test, path, &alpha.tenant.token).await.0, expected, "{path}");
    }
    let viewer = test.token(&alpha.tenant, controller::operators::Role::Viewer).await;
    assert_eq!(get(&test, "/export", &viewer).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isp_takes_its_own_backups_and_the_oldest_go() {
    let test = TestApp::new().await;
    let (alpha, beta) = (isp(&test, "Alpha").await, isp(&test, "Beta").await);
    let token = &alpha.tenant.token;
    let mut ids = Vec::new();
    for _ in 0..9 {
        test.clock.advance(jiff::SignedDuration::from_secs(1));
        let id = test.call("POST", "/api/v1/backups", token, None).await.expect(202).text("id");
        let path = format!("/api/v1/backups/{id}");
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        while test.call("GET", &path, token, None).await.expect(200).text("state") == "making" {
            look.tick().await;
        }
        ids.push(id);
    }
    let list = test.call("GET", "/api/v1/backups", token, None).await.expect(200).body;
    let states: Vec<&str> = list["items"].as_array().expect("a list").iter().filter_map(|item| item["state"].as_str()).collect();
    assert_eq!(states, [["ready"; 7].as_slice(), &["removed"; 2]].concat());
    let kept = std::fs::read_dir(backups::folder(&test.app.config.data, alpha.tenant.id)).expect("a folder").count();
    assert_eq!(kept, 7, "the files of the oldest are gone");
    assert_eq!(get(&test, &format!("/backups/{}/file", ids[0]), token).await.0, 404);

    let newest = ids.last().expect("nine");
    let (status, bytes) = get(&test, &format!("/backups/{newest}/file"), token).await;
    let known = test.call("GET", &format!("/api/v1/backups/{newest}"), token, None).await.expect(200).body;
    assert_eq!((status, json!(bytes.len())), (200, known["bytes"].clone()));
    assert_eq!(known["sha256"], hex(<sha2::Sha256 as sha2::Digest>::digest(&bytes).as_slice()));
    for path in ["", "/file"] {
        assert_eq!(get(&test, &format!("/backups/{newest}{path}"), &beta.tenant.token).await.0, 404, "another ISP's");
    }
    // What was downloaded is what can be restored.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.mwbackup");
    std::fs::write(&file, bytes).expect("written");
    let before =
        rows(&test, alpha.tenant.id, &["audit_log", "audit_head", "backup", "data_key", "outbox", "restore", "router_state"])
            .await;
    let target = Target::Place { replace: Some("Alpha".to_owned()) };
    backups::restore(keeper(&test), &PlatformActor::system("test"), &file, &no_keys(), &target).await.expect("restored");
    assert_same(
        &before,
        &rows(&test, alpha.tenant.id, &["audit_log", "audit_head", "backup", "data_key", "outbox", "restore", "router_state"])
            .await,
    );
    let list = test.call("GET", "/api/v1/backups", token, None).await.expect(200).body;
    assert_eq!(list["items"].as_array().expect("a list").len(), 9, "the list of backups is of this place, not of the backup");
    assert_eq!(backups::delete_files(&test.app.config.data, alpha.tenant.id).expect("removed"), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_controller_ended_is_failed_and_the_next_begins() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("INSERT INTO backup (tenant_id, id, started_at, schema_version, made_by) VALUES ($1, $2, $3, 15, 'test')")
        .bind(alpha.tenant.id)
        .bind(uuid::Uuid::from_u128(7))
        .bind(jiff_sqlx::Timestamp::from(test.app.clock.now()))
        .execute(&mut owner)
        .await
        .expect("begun");
    let _ = test.call("POST", "/api/v1/backups", &alpha.tenant.token, None).await.expect(409);
    test.clock.advance(jiff::SignedDuration::from_hours(7));
    assert_eq!(backups::fail_forgotten(&test.app).await.expect("looked"), 1);
    let fresh = test.token(&alpha.tenant, controller::operators::Role::Admin).await;
    let _ = test.call("POST", "/api/v1/backups", &fresh, None).await.expect(202);
}
