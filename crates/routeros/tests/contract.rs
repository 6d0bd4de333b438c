//! Goal: everything the catalogue claims is true of every recorded RouterOS version, wire vectors and error texts included.
//! Method: compare with the recordings in `routeros/` of the folder `MASTWIRE_SHARED`, or of `shared` beside the
//! repository. A clone without them skips this and says so; the other tests carry the main vectors in themselves.

use routeros::catalogue::{ID, file, interface_wireguard_peers as peers, ip_service, ppp_secret, system_routerboard, tool_fetch};
use routeros::codec::{Decoder, Limits, Sentence, Trap, encode_length};
use routeros::contract::{History, Schema, Violation, check, check_catalogue, check_history};
use routeros::errors::TrapKind;
use routeros::{Command, Query};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

/// What differs from the recordings on purpose: path, argument, reason. One that is no longer needed fails.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("/ip/dhcp-server/lease", "agent-circuit-id", "a mac-address is enough"),
    ("/ip/dhcp-server/lease", "agent-remote-id", "a mac-address is enough"),
    ("/ip/dhcp-server/lease", "client-id", "a mac-address is enough"),
    ("/ip/hotspot/ip-binding", "address", "one of address and mac-address is enough"),
    ("/ip/hotspot/ip-binding", "mac-address", "one of address and mac-address is enough"),
    ("/user/group", "name", "a router says `invalid group name` without one, which the recording does not count as missing"),
];

fn recordings() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let folder = std::env::var_os("MASTWIRE_SHARED").map_or_else(beside, PathBuf::from).join("routeros");
    if folder.is_dir() {
        return Some(folder);
    }
    // Straight to the terminal, past the test harness, which hides what passing tests print.
    let _ = writeln!(std::io::stderr(), "skipped: no recordings of RouterOS in {}", folder.display());
    None
}

fn read(file: PathBuf) -> String {
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn schemas() -> Option<Vec<Schema>> {
    let mut schemas = Vec::new();
    for entry in std::fs::read_dir(recordings()?).expect("the folder of the recordings") {
        let path = entry.expect("an entry of the folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("routeros-schema-") && !name.ends_with("history.json") {
            schemas.push(Schema::read(&read(path)).expect("a recording"));
        }
    }
    assert!(schemas.len() >= 3, "the recordings of at least three versions belong here");
    Some(schemas)
}

#[test]
fn the_catalogue_is_true() {
    let Some(schemas) = schemas() else { return };
    let folder = recordings().expect("it was there a moment ago");
    let history = History::read(&read(folder.join("routeros-schema-history.json"))).expect("the history");
    let mut found: BTreeSet<(String, Violation)> =
        check_history(&history).into_iter().map(|violation| ("history".to_owned(), violation)).collect();
    for schema in &schemas {
        found.extend(check_catalogue(schema).into_iter().map(|violation| (schema.version().to_string(), violation)));
    }
    let excepted = |violation: &Violation| {
        EXCEPTIONS.iter().position(|(path, subject, _)| *path == violation.path && *subject == violation.subject)
    };
    let used: BTreeSet<_> = found.iter().filter_map(|(_, violation)| excepted(violation)).collect();
    let stale: Vec<_> = EXCEPTIONS.iter().enumerate().filter(|(index, _)| !used.contains(index)).collect();
    let wrong: String = found
        .iter()
        .filter(|(_, violation)| excepted(violation).is_none())
        .map(|(version, violation)| format!("{version}: {violation}\n"))
        .collect();
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(stale.is_empty(), "exceptions that are not needed any more: {stale:?}");
}

fn sentences_to_all_versions() -> Vec<Sentence> {
    let pppoe = Query::Is(ppp_secret::SERVICE, "pppoe".into());
    let commands = [
        Command::print(&ppp_secret::MENU).proplist([ID, ppp_secret::NAME, ppp_secret::LAST_CALLER_ID]).query(&pppoe),
        Command::listen(&ppp_secret::MENU).proplist([ID, ppp_secret::NAME]),
        Command::add(&ppp_secret::MENU).with(ppp_secret::NAME, "anna").with(ppp_secret::PASSWORD, "x"),
        Command::unset(&ppp_secret::MENU, "*1", ppp_secret::REMOTE_ADDRESS),
        Command::on(&ip_service::MENU, "enable", "*1"),
        Command::add(&file::MENU).with(file::NAME, "x.rsc").with(file::CONTENTS, "x"),
        Command::run(&tool_fetch::MENU).with(tool_fetch::URL, "https://hub.example/x"),
        Command::print(&system_routerboard::MENU).proplist([system_routerboard::SERIAL_NUMBER]),
    ];
    let login = Sentence::new(["/login", "=name=api", "=password=x"]);
    commands.iter().map(|command| command.tagged(7)).chain([login]).collect()
}

#[test]
fn sent_sentences_are_checked() {
    let Some(schemas) = schemas() else { return };
    let right = sentences_to_all_versions();
    let wrong: &[(&[&str], &str)] = &[
        (&["/ppp/secrets/print"], "/ppp/secrets/print"),
        (&["/ppp/secret/frobnicate"], "/ppp/secret/frobnicate"),
        (&["/ppp/secret/add", "=name=x", "=rate-limit=1M"], "rate-limit"),
        (&["/ppp/secret/add", "=password=x"], "name"),
        (&["/ppp/secret/set", "=.id=*1", "=last-caller-id=x"], "last-caller-id"),
        (&["/ppp/secret/print", "=.proplist=.id,uptime"], "uptime"),
        (&["/ppp/secret/print", "?>uptime=1"], "uptime"),
        (&["/interface/wireguard/peers/set", "=.id=*1", "=is-responder=yes"], "is-responder"),
        (&["/system/routerboard/print", "=.proplist=colour"], "colour"),
        (&["/tool/fetch", "=colour=red"], "colour"),
    ];
    for schema in &schemas {
        assert_eq!(check(&right, schema), [], "{}", schema.version());
        for (words, subject) in wrong {
            let found = check(&[Sentence::new(words.iter().copied())], schema);
            let named = found.iter().any(|violation| violation.subject == *subject || violation.path == *subject);
            assert!(named, "{} accepts {words:?}: {found:?}", schema.version());
        }
    }
    let sensitive = [Command::print(&ppp_secret::MENU).show_sensitive().tagged(1)];
    let responder = [Command::set(&peers::MENU, "*1").with(peers::RESPONDER, "yes").tagged(1)];
    for schema in &schemas {
        assert_eq!(check(&sensitive, schema).is_empty(), schema.version().minor >= 21, "{}", schema.version());
        assert_eq!(check(&responder, schema), []);
    }
}

fn json(name: &str) -> Option<serde_json::Value> {
    Some(serde_json::from_str(&read(recordings()?.join(name))).expect("JSON"))
}

fn list<'a>(value: &'a serde_json::Value, key: &str) -> &'a [serde_json::Value] {
    value[key].as_array().filter(|list| !list.is_empty()).unwrap_or_else(|| panic!("a list under {key}"))
}

fn sentence(value: &serde_json::Value) -> Sentence {
    let words = value.as_array().expect("a list of words");
    Sentence::new(words.iter().map(|word| word.as_str().expect("a word")))
}

#[test]
fn wire_vectors() {
    let Some(vectors) = json("api-wire-vectors.json") else { return };
    for vector in list(&vectors, "lengths") {
        let mut bytes = Vec::new();
        let length = vector["len"].as_u64().and_then(|length| usize::try_from(length).ok()).expect("a length");
        encode_length(length, &mut bytes);
        assert_eq!(hex::encode(bytes), vector["bytes"]);
    }
    for vector in list(&vectors, "sentences") {
        let expected = sentence(&vector["words"]);
        let bytes = hex::decode(vector["hex"].as_str().expect("hex")).expect("hex");
        let mut encoded = Vec::new();
        expected.encode(&mut encoded);
        assert_eq!(encoded, bytes);
        let mut decoder = Decoder::new(Limits::DEFAULT);
        decoder.push(&bytes);
        assert_eq!(decoder.poll(), Ok(Some(expected)));
    }
}

#[test]
fn recorded_errors_have_a_kind() {
    let Some(texts) = json("routeros-error-texts.json") else { return };
    let mut others = Vec::new();
    for error in list(&texts, "errors") {
        let message = error["message"].as_str().expect("a message").to_owned();
        let category = error["category"].as_u64().and_then(|category| u8::try_from(category).ok());
        if TrapKind::classify(&Trap { category, message: message.clone() }) == TrapKind::Other {
            others.push(message);
        }
    }
    assert_eq!(others, ["Session closed"], "a timeout of the REST interface, which is not used");
}
