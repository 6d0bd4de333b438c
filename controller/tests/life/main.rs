//! Goal: a controller's life is orderly: it starts with nothing, says what a person has to know, refuses clearly, stops cleanly, and loses
//! nothing when it is killed.
//! Method: the real program as a process of its own, with its private PostgreSQL in a folder of the test's.

mod killed;
mod program;
mod refusals;
mod tls;

use program::{Program, gone};
use serde_json::json;

#[tokio::test]
async fn the_first_start_needs_nothing_and_a_stop_leaves_nothing_running() {
    let mut program = Program::start(&[]).await;
    let text = program.greeting();
    for part in [
        "A new master key was made",
        "If it is lost",
        "routers dial",
        "This address was guessed",
        "mastwire-controller setup mw_setup_",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let postmaster = program.postmaster();
    let token = program.first_operator().await;
    assert_eq!(program.call("GET", "/api/v1/me", &token, None).await.0, 200);

    assert!(program.terminate().await.success(), "SIGTERM is a clean end");
    assert!(gone(postmaster).await, "its PostgreSQL ends with it");

    let mut again = program.restart(&[]).await;
    let text = again.greeting();
    assert!(!text.contains("master key was made") && !text.contains("mw_setup_"), "both exist already\n{text}");
    assert_eq!(again.call("GET", "/api/v1/me", &token, None).await.0, 200, "the login is still good");
    assert!(again.terminate().await.success());
}

#[tokio::test]
async fn a_killed_controller_takes_its_database_along_and_loses_nothing() {
    let mut program = Program::start(&[]).await;
    let token = program.first_operator().await;
    let body = json!({ "name": "Baraka Net", "admin_login": "baraka" });
    assert_eq!(program.call("POST", "/api/v1/platform/tenants", &token, Some(body)).await.0, 201);
    let postmaster = program.postmaster();
    program.kill().await;
    assert!(gone(postmaster).await, "no postmaster outlives its controller by more than 5 s");

    // At once, as a supervisor does.
    let mut again = program.restart(&[]).await;
    let (status, tenants) = again.call("GET", "/api/v1/platform/tenants", &token, None).await;
    assert_eq!((status, &tenants["items"][0]["name"]), (200, &json!("Baraka Net")));
    assert!(again.terminate().await.success());
}

#[tokio::test]
async fn a_lost_password_is_replaced_from_the_machine() {
    let mut program = Program::start(&[]).await;
    let old = program.first_operator().await;
    let output = program.run(&["operator", "recover", "admin"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let setup = text.split_whitespace().find(|word| word.starts_with("mw_setup_")).expect("a one-time token").to_owned();
    let new = program.log_in_with(&setup, "another long password").await;
    assert_eq!(program.call("GET", "/api/v1/me", &new, None).await.0, 200);
    assert_eq!(program.call("GET", "/api/v1/me", &old, None).await.0, 401, "earlier logins have ended");
    let unknown = program.run(&["operator", "recover", "nobody"]).await;
    assert!(!unknown.status.success());
    assert!(program.terminate().await.success());
}
