//! What a person types in the office does what the help says.

use crate::carrier::Carrier;
use crate::fixture::{Isp, office};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mastwire-controller");
/// A net for what hangs; nothing waits for it.
const LIMIT: Duration = Duration::from_secs(60);

/// A person with a login and a folder.
struct Person<'a> {
    isp: &'a Isp<'a>,
    url: String,
    folder: tempfile::TempDir,
}

impl Person<'_> {
    /// Types a line, and expects it to be done; returns what was printed.
    async fn types(&self, line: &[&str]) -> String {
        self.isp.test.clock.advance(jiff::SignedDuration::from_secs(1));
        let mut command = Command::new(PROGRAM);
        command.args(line).env_clear().env("TZ", "UTC").env("XDG_CONFIG_HOME", self.folder.path()).kill_on_drop(true);
        command.env("MASTWIRE_URL", &self.url).env("MASTWIRE_TOKEN", &self.isp.admin);
        let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it does not hang").expect("the program starts");
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// Returns what a line of fields says of a name.
fn said(printed: &str, name: &str) -> String {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no `{name}` in {printed}"));
    line.trim().to_owned()
}

#[tokio::test]
async fn a_day_in_the_office() {
    let test = office().await;
    let isp = Isp::new(&test, "Alpha").await;
    let carrier = Carrier::new().await;
    isp.gateway("Mast SMS", &carrier, serde_json::json!({})).await;
    isp.customer("jane").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let service = test.service();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let person = Person { isp: &isp, url, folder: tempfile::tempdir().expect("a folder") };

    // Templates, rules, messages.
    let preview = person.types(&["message-template", "preview", "Asante {name}, {ticket}", "--event", "ticket_opened"]).await;
    assert_eq!((said(&preview, "text"), said(&preview, "segments")), ("Asante Jane Wanjiku, 118".to_owned(), "1".to_owned()));
    assert!(person.types(&["message-template", "variables"]).await.contains("{account}"));
    person.types(&["message-template", "add", "Opened", "Ticket {ticket}", "--event", "ticket_opened"]).await;
    assert_eq!(said(&person.types(&["message-template", "text", "Opened", "We know: {ticket}"]).await, "version"), "2");
    assert!(person.types(&["message-template", "show", "Opened"]).await.contains("We know: {ticket}"));
    let rule = said(&person.types(&["message-rule", "add", "ticket_opened", "Opened"]).await, "rule");
    person.types(&["message-template", "add", "Ends", "It ends {until}", "--event", "expiry"]).await;
    person.types(&["message-rule", "add", "expiry", "Ends", "--hours=-72", "--kind", "pppoe"]).await;
    assert!(person.types(&["message-rule", "list"]).await.contains("-72"));

    // A ticket, and the work that it makes.
    let opened =
        person.types(&["ticket", "open", "No internet", "--customer", "jane", "--assignee", "alpha", "--priority", "high"]).await;
    assert_eq!(said(&opened, "ticket"), "1");
    person.types(&["message-rule", "disable", &rule]).await;
    person.types(&["ticket", "open", "Silent", "--customer", "jane"]).await;
    person.types(&["ticket", "note", "1", "The cable is cut", "--to-customer"]).await;
    person.types(&["ticket", "change", "1", "--status", "in_progress", "--due", "2026-02-01"]).await;
    person.types(&["ticket", "assign", "2", "alpha"]).await;
    let line = [
        "work",
        "add",
        "support",
        "--started",
        "2026-01-15T08:00:00Z",
        "--minutes",
        "30",
        "--ticket",
        "1",
        "--material",
        "cable=25.5m",
    ];
    let noted = person.types(&line).await;
    let work = person.types(&["work", "list", "--ticket", "1"]).await;
    assert!(work.contains("cable 25.5 m") && work.contains("roof") && work.contains("alpha"), "{work}");
    let id = noted.trim().rsplit(' ').next().expect("the id comes last").to_owned();
    person.types(&["work", "strike", &id]).await;
    let shown = person.types(&["ticket", "show", "1"]).await;
    assert!(shown.contains("in_progress") && shown.contains("The cable is cut") && shown.contains("jane"), "{shown}");
    assert!(person.types(&["ticket", "list", "--status", "open"]).await.contains("Silent"));

    // What was written, and to be read.
    isp.send().await;
    let sent = person.types(&["message", "list", "--customer", "jane"]).await;
    assert!(sent.contains("We know: 1") && sent.contains("sent") && !sent.contains("We know: 2"), "{sent}");
    let message = said(&person.types(&["message", "send", "jane", "Hello Jane"]).await, "message");
    person.types(&["message", "cancel", &message]).await;
    assert_eq!(said(&person.types(&["message", "show", &message]).await, "state"), "cancelled");
    let told = person.types(&["notification", "list", "--unread"]).await;
    assert!(told.contains("Ticket 1 is yours: No internet") && told.contains("Ticket 2 is yours: Silent"), "{told}");
    assert!(person.types(&["notification", "read"]).await.contains('2'));
    assert!(!person.types(&["notification", "list", "--unread"]).await.contains("Ticket"));

    // A lead.
    person.types(&["lead", "add", "John K", "--phone", "0722000111", "--follow-up", "2026-01-20"]).await;
    person.types(&["lead", "change", "John K", "--stage", "contacted"]).await;
    assert!(person.types(&["lead", "due", "--by", "2026-01-20"]).await.contains("254722000111"));
    assert!(person.types(&["lead", "list", "--stage", "contacted"]).await.contains("John K"));
    let made = person.types(&["lead", "convert", "John K", "--login", "john", "--router", "roof", "--package", "Home"]).await;
    assert!(!said(&made, "password").is_empty());
    assert_eq!(said(&person.types(&["lead", "show", "John K"]).await, "stage"), "won");
    server.abort();
}
