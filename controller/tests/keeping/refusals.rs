//! What is not whole, not ours or not for this program is refused, and a refusal leaves nothing behind.

use super::world::{isp, keeper, no_keys, take};
use controller::backups::format::{HEADER_LEN, SEALED_LEN};
use controller::backups::{self, BackupError, Target};
use controller::testing::TestApp;
use db::PlatformActor;
use serde_json::json;
use std::path::Path;

async fn restore(test: &TestApp, file: &Path) -> Result<backups::Restored, BackupError> {
    let target = Target::Place { replace: Some("Alpha".to_owned()) };
    backups::restore(keeper(test), &PlatformActor::system("test"), file, &no_keys(), &target).await
}

/// A text that grows a file beyond a chunk.
async fn fill(test: &TestApp, token: &str) {
    for number in 0..40 {
        let body = json!({ "kind": "area", "name": format!("area {number}"), "notes": "n".repeat(2000) });
        let _ = test.call("POST", "/api/v1/sites", token, Some(body)).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_cut_or_changed_is_refused_wherever_it_was() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    fill(&test, &alpha.tenant.token).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    take(&test, &alpha, &file).await;
    let good = std::fs::read(&file).expect("a file");
    assert!(good.len() > HEADER_LEN + 2 * SEALED_LEN, "it takes three chunks to cut between two: {}", good.len());
    let before = test.db.fingerprint().await;
    let bad = folder.path().join("bad.mwbackup");

    let mut cuts = vec![0, 1, 7, 8, HEADER_LEN - 1, HEADER_LEN, good.len() - 1];
    cuts.extend((0..good.len() / SEALED_LEN).map(|chunk| HEADER_LEN + chunk * SEALED_LEN).filter(|cut| *cut < good.len()));
    // Any numbers do: these are spread over the file.
    cuts.extend((1..20_usize).map(|number| number * 7919 * 31 % good.len()));
    for cut in cuts {
        std::fs::write(&bad, &good[..cut]).expect("written");
        assert!(restore(&test, &bad).await.is_err(), "cut at {cut} of {}", good.len());
    }
    for at in (0..HEADER_LEN).step_by(9).chain((1..30_usize).map(|number| number * 104_729 % good.len())) {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        std::fs::write(&bad, &changed).expect("written");
        assert!(restore(&test, &bad).await.is_err(), "changed at {at}");
    }
    std::fs::write(&bad, [&good[..], b"more"].concat()).expect("written");
    assert!(matches!(restore(&test, &bad).await, Err(BackupError::Damaged)));
    std::fs::write(
        &bad,
        b"PK\x03\x04 something else altogether, of more bytes than a header has, so that it is looked at in earnest".repeat(2),
    )
    .expect("written");
    assert!(matches!(restore(&test, &bad).await, Err(BackupError::NotABackup)));
    assert_eq!(before, test.db.fingerprint().await, "a refusal leaves nothing");
    restore(&test, &file).await.expect("the whole one is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_or_foreign_schema_is_refused_and_says_so() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    let before = test.db.fingerprint().await;
    let door = super::world::door(&test, alpha.tenant.id).await;
    let newer = backups::take_as(keeper(&test), &door, &file, |manifest| manifest.schema_version += 1).await;
    newer.expect("written");
    let refused = restore(&test, &file).await;
    assert!(matches!(refused, Err(BackupError::NewerSchema { .. })), "{refused:?}");
    assert!(refused.expect_err("refused").to_string().contains("install the newer version first"));
    assert_eq!(before, test.db.fingerprint().await, "a refusal leaves nothing");

    // A column that this program does not know is not dropped in silence.
    take(&test, &alpha, &file).await;
    let mut owner = test.db.connect_as("mastwire_owner").await;
    sqlx::query("ALTER TABLE site RENAME COLUMN notes TO remarks").execute(&mut owner).await.expect("renamed");
    let refused = restore(&test, &file).await.expect_err("refused").to_string();
    assert!(refused.contains("`site.notes` is not there any more"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_a_rule_of_the_database_are_refused_whole() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alpha.mwbackup");
    // An entry without its other half, past all doors and triggers.
    let mut superuser = test.db.connect_as("postgres").await;
    sqlx::query("SET session_replication_role = replica").execute(&mut superuser).await.expect("a superuser may");
    sqlx::query("DELETE FROM ledger_entry WHERE ctid IN (SELECT ctid FROM ledger_entry WHERE tenant_id = $1 LIMIT 1)")
        .bind(alpha.tenant.id)
        .execute(&mut superuser)
        .await
        .expect("a superuser may");
    take(&test, &alpha, &file).await;
    let before = super::world::rows(&test, alpha.tenant.id, &[]).await;
    let refused = restore(&test, &file).await;
    assert!(matches!(&refused, Err(BackupError::Refused { rule }) if rule.contains("balance")), "{refused:?}");
    super::world::assert_same(&before, &super::world::rows(&test, alpha.tenant.id, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_backups_of_one_isp_are_not_taken_at_once() {
    let test = TestApp::new().await;
    let alpha = isp(&test, "Alpha").await;
    let folder = tempfile::tempdir().expect("a folder");
    let door = super::world::door(&test, alpha.tenant.id).await;
    let mut held = test.db.connect_as("mastwire_app").await;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('backup:' || $1, 0))")
        .bind(alpha.tenant.id.uuid().to_string())
        .execute(&mut held)
        .await
        .expect("held as a backup holds it");
    let file = folder.path().join("a.mwbackup");
    let second = backups::take(keeper(&test), &door, &file, &backups::SealFor::Master).await;
    assert!(matches!(second, Err(BackupError::Busy)), "{second:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left lying about");
}
