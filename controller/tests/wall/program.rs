//! Goal: `mastwire-controller audit` tells by its table and by how it ends whether the wall stands.
//! Method: the program itself, on a private PostgreSQL in a folder of its own, running and not.

use super::ROLES;
use db::{Binaries, Cluster, ClusterOptions, Source, TestDb};
use sqlx::{ConnectOptions as _, Connection as _};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn audit(data: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mastwire-controller"));
    command
        .arg("audit")
        .args(more)
        .arg("--data")
        .arg(data)
        .env_remove("MASTWIRE_DATABASE_URL")
        .output()
        .expect("the program runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_as_what_it_found() {
    let _roles = ROLES.read().await;
    // Not below a folder that PostgreSQL's user may not enter.
    let folder = tempfile::Builder::new().prefix("mw-audit-").tempdir_in("/tmp").expect("a folder");
    let options = ClusterOptions { folder: controller::serve::cluster_folder(folder.path()), durable: false };
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("it is ours");

    // Nothing is there yet: the command makes it, looks, and finds nothing.
    let fresh = tokio::task::block_in_place(|| audit(folder.path(), &[]));
    let out = String::from_utf8_lossy(&fresh.stdout).into_owned();
    assert_eq!(fresh.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&fresh.stderr));
    assert!(
        out.starts_with("RULE") && out.contains("tenant-policy") && out.trim_end().ends_with("0 tenants: nothing was found"),
        "{out}"
    );

    // Somebody runs it, and somebody has changed something.
    let cluster = Cluster::start(&options, &Binaries::find().expect("it is installed")).await.expect("it starts");
    db::migrate(&Source::Private(cluster.folder())).await.expect("it is as this version needs it");
    let mut vandal = Cluster::connect_options(cluster.folder(), "postgres", "mastwire").connect().await.expect("a superuser");
    TestDb::run(&mut vandal, "GRANT TRUNCATE ON site TO mastwire_app").await;
    let broken = tokio::task::block_in_place(|| audit(folder.path(), &[]));
    let out = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert_eq!(broken.status.code(), Some(1), "{out}");
    assert!(out.contains("site: TRUNCATE is granted to mastwire_app") && out.contains("what to do: REVOKE the right"), "{out}");
    let json = tokio::task::block_in_place(|| audit(folder.path(), &["--json"]));
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let grants = report["rules"].as_array().expect("a list").iter().find(|rule| rule["name"] == "grants").expect("it is there");
    assert_eq!((json.status.code(), grants["found"].as_u64()), (Some(1), Some(1)));
    vandal.close().await.expect("it closes");
    cluster.stop();

    // A folder that cannot be used: it did not look.
    let none = tokio::task::block_in_place(|| audit(Path::new("/proc/none"), &[]));
    assert_eq!(none.status.code(), Some(2), "{}", String::from_utf8_lossy(&none.stderr));
}
