//! What a person types about money does what the help says.

use crate::fixture::Isp;
use controller::testing::TestApp;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mastwire-controller");
/// A net for what hangs; nothing waits for it.
const LIMIT: Duration = Duration::from_secs(60);

/// A person with a token and a folder.
struct Person<'a> {
    isp: &'a Isp<'a>,
    url: String,
    folder: tempfile::TempDir,
}

impl Person<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Types a line, and expects it to be done; returns what was printed.
    async fn types(&self, line: &[&str]) -> String {
        self.isp.test.clock.advance(jiff::SignedDuration::from_secs(1));
        let mut command = Command::new(PROGRAM);
        command.args(line).env_clear().env("TZ", "UTC").env("XDG_CONFIG_HOME", self.folder.path()).kill_on_drop(true);
        command.env("MASTWIRE_URL", &self.url).env("MASTWIRE_TOKEN", &self.isp.tenant.token);
        let output = tokio::time::timeout(LIMIT, command.output()).await.expect("it does not hang").expect("the program starts");
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
        self.path(name)
    }
}

/// Returns what a line of fields says of a name.
fn said(printed: &str, name: &str) -> String {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no `{name}` in {printed}"));
    line.trim().to_owned()
}

#[tokio::test]
async fn a_day_at_the_desk() {
    let test = TestApp::new().await;
    let isp = Isp::new(&test, "Alpha").await;
    let jane = isp.customer("jane").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let service = test.service();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let person = Person { isp: &isp, url, folder: tempfile::tempdir().expect("a folder") };

    // The wallet.
    assert_eq!(said(&person.types(&["pay", "jane", "1000", "--wallet"]).await, "missing"), "KES 500.00");
    assert_eq!(said(&person.types(&["wallet", "top-up", "jane", "700"]).await, "in the wallet"), "KES 1700.00");
    assert_eq!(said(&person.types(&["wallet", "pay", "jane"]).await, "in the wallet"), "KES 200.00");
    let taken = person.types(&["wallet", "adjust", "jane", "--take", "50", "--reason", "typed twice"]).await;
    assert_eq!(said(&taken, "in the wallet"), "KES 150.00");
    let statement = person.types(&["wallet", "statement", "jane"]).await;
    assert!(statement.contains("KES -1500.00") && statement.contains("typed twice"), "{statement}");

    // A bill.
    let made = person
        .types(&["invoice", "make", "jane", "--due", "2026-01-31", "--package", "Home", "--fee", "Visit=100", "--tax", "VAT=16"])
        .await;
    let draft = said(&made, "draft");
    assert_eq!(said(&person.types(&["invoice", "issue", &draft]).await, "number"), "INV-2026-000001");
    let paid = person.types(&["invoice", "pay", "INV-2026-000001", "150", "--method", "wallet"]).await;
    assert_eq!(said(&paid, "still open"), "KES 1706.00");
    assert_eq!(said(&person.types(&["wallet", "show", "jane"]).await, "owes"), "KES 1706.00");
    assert!(person.types(&["invoice", "show", "INV-2026-000001"]).await.contains("Visit"));
    person.types(&["invoice", "export", &person.path("bills.csv")]).await;
    assert!(std::fs::read_to_string(Path::new(&person.path("bills.csv"))).expect("a file").contains("INV-2026-000001"));

    // Money from elsewhere.
    let statement = person.file("bank.csv", "receipt,amount,account\nB1,10,jane\nB2,20,nobody\n");
    let looked = person.types(&["unmatched", "import", &statement, "--dry-run"]).await;
    assert!(looked.contains("nothing was booked") && said(&looked, "parked") == "1", "{looked}");
    person.types(&["unmatched", "import", &statement]).await;
    assert_eq!(said(&person.types(&["unmatched", "match", "B2", "--customer", "jane"]).await, "in the wallet"), "KES 30.00");
    let added = person.types(&["unmatched", "add", "M1", "40", "--method", "mobile_money", "--account", "?"]).await;
    assert_eq!(said(&added, "outcome"), "parked");
    person.types(&["unmatched", "refund", "M1", "--note", "sent back"]).await;
    assert!(!person.types(&["unmatched", "list"]).await.contains("M1"));

    // What the ISP spends.
    person.types(&["account", "add", "office_rent", "Office rent"]).await;
    let spent = person.types(&["expense", "add", "800", "--account", "office_rent", "--vendor", "Landlord"]).await;
    person.types(&["expense", "reverse", &said(&spent, "expense"), "--reason", "not ours"]).await;
    let rule = person.types(&["recurring-expense", "add", "800", "--unit", "month", "--first", "2026-01-31"]).await;
    person.types(&["recurring-expense", "pause", &said(&rule, "recurring expense")]).await;
    assert!(person.types(&["recurring-expense", "list"]).await.contains("1 month"));
    assert_eq!(isp.balance("office_rent").await, 0);

    // Gateways.
    let keys = person.file("keys.json", r#"{ "secret_key": "planted-secret" }"#);
    person
        .types(&["gateway", "add", "Cards", "--provider", "paystack", "--environment", "sandbox", "--credentials", &keys])
        .await;
    let shown = person.types(&["gateway", "show", "Cards"]).await;
    assert_eq!((said(&shown, "environment"), said(&shown, "keys that are set")), ("sandbox".to_owned(), "secret_key".to_owned()));
    assert!(!shown.contains("planted") && person.types(&["gateway", "order"]).await.contains("Cards"));
    person.types(&["gateway", "disable", "Cards"]).await;
    assert!(!person.types(&["gateway", "order"]).await.contains("Cards"));

    // An outage, and the day's sums.
    let given = person.types(&["payment", "compensate", "roof", "--hours", "2", "--reason", "no power"]).await;
    assert_eq!(said(&given, "customers"), "1");
    let report = person.types(&["report", "money", "--from", "2026-01-15", "--until", "2026-01-15"]).await;
    assert!(report.contains("2026-01-15  roof    cash") && report.contains("mobile_money"), "{report}");
    assert!(person.types(&["payment", "attempts"]).await.starts_with("BEGAN"));
    assert_eq!(isp.wallet(&jane).await, 3_000);
    isp.expect_sound_books().await;
    server.abort();
}
