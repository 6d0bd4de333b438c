//! The commands of the machine, as processes of their own beside a running controller, or where none runs; killed in the middle.

use super::program::{Program, command, folder, free_ports};
use db::Cluster;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgConnection};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// A safety net; nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn good(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments).await;
    assert!(output.status.success(), "{arguments:?}\n{}", text(&output));
    text(&output)
}

async fn refused(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments).await;
    assert!(!output.status.success(), "{arguments:?}\n{}", text(&output));
    text(&output)
}

async fn post(program: &Program, path: &str, token: &str, body: Value) -> Value {
    // What is the same is the same request.
    let key =
        format!("{:016x}", body.to_string().bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
    let (status, answer) = program.call_with_key("POST", &format!("/api/v1{path}"), token, Some(body), &key).await;
    assert!((200..300).contains(&status), "POST {path}: {status} {answer}");
    answer
}

/// An ISP with a customer and vouchers; returns its admin's token and the path of the customer's password.
async fn fill(program: &mut Program, vouchers: u32) -> (String, String) {
    let platform = program.first_operator().await;
    let made = post(program, "/platform/tenants", &platform, json!({ "name": "Baraka Net", "admin_login": "baraka" })).await;
    let setup = made["setup_token"].as_str().expect("a new person").to_owned();
    let token = program.log_in_as("baraka", &setup, "a long second password").await;
    let router = post(program, "/routers", &token, json!({ "name": "tower" })).await["id"].clone();
    let package = json!({ "name": "Home", "kind": "pppoe", "price": { "minor": 150_000, "currency": "KES" },
        "speed": { "download_bps": 10_000_000, "upload_bps": 5_000_000 }, "validity": { "months": 1 } });
    let package = post(program, "/packages", &token, package).await["id"].clone();
    let customer = json!({ "login": "jane", "password": "dial-1234-planted", "router": router, "package": package });
    let customer = post(program, "/customers", &token, customer).await["id"].as_str().expect("an id").to_owned();
    let hotspot = json!({ "name": "Hour", "kind": "hotspot", "price": { "minor": 2_000, "currency": "KES" },
        "speed": { "download_bps": 2_000_000, "upload_bps": 1_000_000 }, "validity": { "seconds": 3600 } });
    let hotspot = post(program, "/packages", &token, hotspot).await["id"].clone();
    post(program, "/voucher-batches", &token, json!({ "package": hotspot, "count": vouchers })).await;
    (token, format!("/api/v1/customers/{customer}/password"))
}

async fn password(program: &Program, token: &str, path: &str) -> Value {
    program.call("GET", path, token, None).await.1["password"].clone()
}

/// Looks into the program's database past all doors.
async fn superuser(program: &Program) -> PgConnection {
    let folder = program.data().join("postgres");
    Cluster::connect_options(&folder, "postgres", "mastwire").connect().await.expect("the private PostgreSQL answers")
}

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.expect("a count")
}

const SEALED_ANEW: &str = "SELECT count(*) FROM voucher WHERE substring(sealed_code FROM 1 FOR 5) = '\\x0100000002'";
const SEALED: &str = "SELECT count(*) FROM voucher";
const KEYS: &str = "SELECT count(*) FROM data_key WHERE purpose = 'seal'";

fn passphrase(folder: &Path) -> String {
    let path = folder.join("pass");
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut file.expect("a file"), b"four words that nobody guesses\n").expect("written");
    path.to_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_in_the_middle_is_gone_on_with() {
    let mut program = Program::start(&[]).await;
    let (token, path) = fill(&mut program, 10_000).await;
    let mut database = superuser(&program).await;
    let all = count(&mut database, SEALED).await;

    let data = program.data();
    let mut child = command(&data).args(["rotate-keys", "Baraka Net", "--data"]).arg(&data).spawn().expect("it starts");
    let killed = async {
        let mut look = tokio::time::interval(Duration::from_millis(1));
        loop {
            look.tick().await;
            let done = count(&mut database, SEALED_ANEW).await;
            if done > 0 {
                child.kill().await.expect("killed without a word");
                return done;
            }
        }
    };
    tokio::time::timeout(PATIENCE, killed).await.expect("it begins");
    let (done, keys) = (count(&mut database, SEALED_ANEW).await, count(&mut database, KEYS).await);
    assert!(done < all && keys == 2, "it was killed in the middle: {done} of {all}, {keys} keys");
    // The controller that runs all the while reads what either key sealed.
    assert_eq!(password(&program, &token, &path).await, "dial-1234-planted");

    let told = good(&program, &["rotate-keys", "--unfinished"]).await;
    assert!(told.contains("gone on with"), "{told}");
    assert_eq!((count(&mut database, SEALED_ANEW).await, count(&mut database, KEYS).await), (all, 1));
    assert_eq!(password(&program, &token, &path).await, "dial-1234-planted");
    assert!(!good(&program, &["rotate-keys", "--unfinished"]).await.contains("ten_"), "nothing is left to do");

    master_key(program, &token, &path).await;
}

/// The master key is changed while the controller rests; a change that was broken off is gone on with.
async fn master_key(mut program: Program, token: &str, path: &str) {
    let running = refused(&program, &["rotate-keys", "--master"]).await;
    assert!(running.contains("stop it"), "{running}");
    let data = program.data();
    let key = data.join("master.key");
    let before = std::fs::read(&key).expect("a key");
    good(&program, &["backup", "Baraka Net", "--out", data.join("backups.mwbackup").to_str().expect("text")]).await;
    std::fs::create_dir(data.join("backups")).expect("a folder");
    let copy = data.join("backups/old.mwbackup");
    std::fs::rename(data.join("backups.mwbackup"), &copy).expect("moved");
    assert!(program.terminate().await.success());
    let told = good(&program, &["rotate-keys", "--master"]).await;
    let after = std::fs::read(&key).expect("a key");
    assert!(before != after && told.contains("backup files") && told.contains("old key"), "{told}");
    let old = kept_key(&data);
    assert_eq!(std::fs::read(&old).expect("kept"), before);

    // As a crash between the database and the file leaves it: everything is sealed with the next key, and the old one is still in place.
    std::fs::rename(&key, data.join("master.key.next")).expect("ours");
    std::fs::rename(&old, &key).expect("ours");
    let mut program = program.restart(&[]).await;
    assert_eq!(password(&program, token, path).await, "dial-1234-planted", "either key opens meanwhile");
    assert!(program.terminate().await.success());
    good(&program, &["rotate-keys", "--master"]).await;
    assert_eq!(std::fs::read(&key).expect("a key"), after, "the change that was begun was ended");
    assert!(!data.join("master.key.next").exists());
    let checked = good(&program, &["restore", copy.to_str().expect("text"), "--check"]).await;
    assert!(checked.contains("the file is whole"), "its key was wrapped anew: {checked}");
    let mut program = program.restart(&[]).await;
    assert_eq!(password(&program, token, path).await, "dial-1234-planted");
    assert!(program.terminate().await.success());
}

fn kept_key(data: &Path) -> PathBuf {
    let files = std::fs::read_dir(data).expect("a folder").map(|entry| entry.expect("a file").path());
    files.into_iter().find(|path| path.to_string_lossy().contains("master.key.until-")).expect("the old key is kept")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isp_is_copied_compared_and_put_back_beside_a_running_controller() {
    let mut program = Program::start(&[]).await;
    let (token, path) = fill(&mut program, 5).await;
    let elsewhere = folder();
    let at = |name: &str| elsewhere.path().join(name).to_str().expect("text").to_owned();
    let file = at("baraka.mwbackup");
    let told = good(&program, &["backup", "Baraka Net", "--out", &file]).await;
    assert!(told.contains("sha256") && told.contains("rows"), "{told}");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(good(&program, &["restore", &file, "--check"]).await.contains("nothing was restored"));
    let at_work = refused(&program, &["restore", &file]).await;
    assert!(at_work.contains("--replace \"Baraka Net\""), "{at_work}");
    let told = good(&program, &["restore", &file, "--shadow", "As of now"]).await;
    assert!(told.contains("left out"), "{told}");
    good(&program, &["compare", "Baraka Net", "As of now"]).await;
    post(&program, "/sites", &token, json!({ "kind": "area", "name": "new" })).await;
    let differs = refused(&program, &["compare", "Baraka Net", "As of now"]).await;
    assert!(differs.contains("they differ") && differs.contains("site"), "{differs}");
    let told = good(&program, &["restore", &file, "--replace", "Baraka Net"]).await;
    assert!(told.contains("started again"), "the hub has to hear of it: {told}");
    good(&program, &["compare", "Baraka Net", "As of now"]).await;
    assert_eq!(password(&program, &token, &path).await, "dial-1234-planted");

    // The ISP's own way, over the API.
    let api = async |arguments: &[&str]| {
        let mut command = command(&program.data());
        let output = command.args(arguments).args(["--url", &program.url, "--token", &token]).output().await.expect("it runs");
        assert!(output.status.success(), "{arguments:?}\n{}", text(&output));
        text(&output)
    };
    assert!(api(&["backups", "take"]).await.contains("bak_"));
    let mut look = tokio::time::interval(Duration::from_millis(50));
    while !api(&["backups", "show"]).await.contains("ready") {
        look.tick().await;
    }
    assert!(api(&["backups", "list"]).await.contains("ready"));
    assert!(api(&["backups", "download", "--out", &at("mine.mwbackup")]).await.contains("is whole"));
    assert!(good(&program, &["restore", &at("mine.mwbackup"), "--check"]).await.contains("the file is whole"));
    let exported = at("plain");
    assert!(api(&["export", "--format", "csv", "--out", &exported]).await.contains("tables with"));
    let customers = std::fs::read_to_string(Path::new(&exported).join("customer.csv")).expect("a table");
    assert!(customers.starts_with("id,") && customers.contains("jane") && !customers.contains("dial-1234"), "{customers}");
    let lines = at("lines");
    api(&["export", "--format", "json", "--out", &lines]).await;
    let customers = std::fs::read_to_string(Path::new(&lines).join("customer.jsonl")).expect("a table");
    assert_eq!(customers.lines().count(), 1);
    assert!(program.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_on_an_empty_machine_and_on_another_postgresql() {
    let mut program = Program::start(&[]).await;
    let (token, path) = fill(&mut program, 20).await;
    let elsewhere = folder();
    let at = |name: &str| elsewhere.path().join(name).to_str().expect("text").to_owned();
    let (pass, copy) = (passphrase(elsewhere.path()), at("everything"));
    let told = good(&program, &["backup", "--all", "--out", &copy, "--passphrase-file", &pass]).await;
    assert!(told.contains("tenants"), "{told}");
    let again = refused(&program, &["backup", "--all", "--out", &copy, "--passphrase-file", &pass]).await;
    assert!(again.contains("is not empty"), "{again}");
    let mut database = superuser(&program).await;
    let vouchers = count(&mut database, SEALED).await;
    let used = refused(&program, &["restore", "--all", &copy, "--passphrase-file", &pass]).await;
    assert!(used.contains("is not empty"), "a used data folder is not written over: {used}");
    assert!(program.terminate().await.success());

    let empty = folder();
    let target = empty.path().join("data");
    let restore = async |passphrase: &str| {
        let mut command = command(&target);
        command.args(["restore", "--all", &copy, "--passphrase-file", passphrase, "--data"]).arg(&target);
        command.output().await.expect("it runs")
    };
    let wrong = at("wrong");
    std::fs::write(&wrong, "another passphrase").expect("written");
    assert!(text(&restore(&wrong).await).contains("chmod 600"), "a passphrase that others can read is refused");
    std::fs::set_permissions(&wrong, std::fs::Permissions::from_mode(0o600)).expect("ours");
    assert!(text(&restore(&wrong).await).contains("not the one that the file was sealed with"));
    assert!(!target.exists(), "nothing is half done");
    let done = restore(&pass).await;
    assert!(done.status.success(), "{}", text(&done));

    let mut restored = Program::start_in(empty, free_ports(), &[]).await;
    assert!(!restored.greeting().contains("mw_setup_"), "its people can log in as before");
    let login = json!({ "login": "baraka", "password": "a long second password" });
    let (status, answer) = restored.call("POST", "/api/v1/login", "", Some(login)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(password(&restored, answer["token"].as_str().expect("a token"), &path).await, "dial-1234-planted");
    assert_eq!(password(&restored, &token, &path).await, "dial-1234-planted", "a login that was in force is");
    let mut database = superuser(&restored).await;
    assert_eq!(count(&mut database, SEALED).await, vouchers);
    drop(database);
    let audit = good(&restored, &["audit"]).await;
    assert!(!audit.contains("platform-chain  broken"), "{audit}");
    assert!(restored.terminate().await.success());

    let same = refused(&restored, &["upgrade-postgres"]).await;
    assert!(same.contains("install the newer PostgreSQL first"), "{same}");
    let told = good(&restored, &["upgrade-postgres", "--same-version"]).await;
    assert!(told.contains("compared") && told.contains("old folder"), "{told}");
    let mut carried = restored.restart(&[]).await;
    assert_eq!(password(&carried, &token, &path).await, "dial-1234-planted");
    let mut database = superuser(&carried).await;
    assert_eq!(count(&mut database, SEALED).await, vouchers);
    drop(database);
    let kept: Vec<_> =
        std::fs::read_dir(carried.data()).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(kept.iter().any(|name| name.to_string_lossy().starts_with("postgres.1")), "the old folder is kept: {kept:?}");
    assert!(carried.terminate().await.success());
}
