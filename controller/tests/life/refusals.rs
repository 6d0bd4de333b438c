//! What the controller refuses to start with, and how it says so.

use super::program::{Program, command, folder, free_ports};
use std::path::Path;

/// Runs a start that has to fail, on free ports; returns what it said.
async fn refused(data: &Path) -> String {
    let (http, hub) = free_ports();
    refused_on(data, &format!("127.0.0.1:{http}"), &format!("127.0.0.1:{hub}")).await
}

async fn refused_on(data: &Path, http: &str, hub: &str) -> String {
    let mut command = command(data);
    command.args(["serve", "--data"]).arg(data).args(["--http", http, "--hub", hub]);
    let output =
        tokio::time::timeout(std::time::Duration::from_secs(90), command.output()).await.expect("it ends").expect("it runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "it started:\n{text}");
    text
}

#[tokio::test]
async fn taken_ports_are_named_with_the_remedy() {
    let folder = folder();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let text = refused_on(&folder.path().join("a"), &address, "127.0.0.1:51820").await;
    assert!(text.contains(&address) && text.contains("--http"), "{text}");

    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap().to_string();
    let text = refused_on(&folder.path().join("b"), "127.0.0.1:0", &address).await;
    assert!(text.contains(&address) && text.contains("--hub"), "{text}");
}

#[tokio::test]
async fn one_folder_has_one_controller_one_key_and_one_schema() {
    let mut program = Program::start(&[]).await;
    let data = program.data();
    let text = refused(&data).await;
    assert!(text.contains("another controller runs on the data folder"), "{text}");
    let socket = data.join("postgres");
    let options = db::Cluster::connect_options(&socket, "mastwire_owner", "mastwire");
    let mut owner = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'from the future', true, '\\x00', 0)",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    drop(owner);
    assert!(program.terminate().await.success());

    let text = refused(&data).await;
    assert!(text.contains("schema version 9999") && text.contains("newer version"), "{text}");

    let key = data.join("master.key");
    std::fs::rename(&key, data.join("away")).unwrap();
    let text = refused(&data).await;
    assert!(text.contains("is missing") && text.contains("Put your copy"), "{text}");
    assert!(!key.exists(), "no new key was made beside the old database");

    std::fs::write(&key, format!("{}\n", "0".repeat(64))).unwrap();
    let text = refused(&data).await;
    assert!(text.contains("chmod 600"), "{text}");
}

#[tokio::test]
async fn wrong_settings_are_told_all_at_once() {
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("mastwire.toml"), "endpoint = \"nowhere\"\nsupernet = \"8.8.8.0/24\"\n").unwrap();
    let text = refused(&data).await;
    assert!(text.contains("endpoint:") && text.contains("supernet:"), "{text}");
    std::fs::write(data.join("mastwire.toml"), "htpp = \"x\"\n").unwrap();
    let text = refused(&data).await;
    assert!(text.contains("htpp"), "{text}");
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "who runs the tests should see what was skipped")]
async fn a_full_disk_is_refused_before_anything_is_half_made() {
    let folder = folder();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32m,mode=0711", "mw-life"])
        .arg(folder.path())
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small disk can be mounted only as root");
        return;
    }
    let text = refused(&folder.path().join("data")).await;
    let key = folder.path().join("data/master.key").exists();
    let unmounted = std::process::Command::new("umount").arg(folder.path()).status();
    assert!(text.contains("MiB left") && text.contains("Free some space"), "{text}");
    assert!(!key, "nothing was begun");
    assert!(unmounted.is_ok_and(|status| status.success()));
}
