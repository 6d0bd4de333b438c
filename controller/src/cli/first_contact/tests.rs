//! Goal: the steps are taken in an order that loses nothing, and each thing that is wrong stops them with its own words and exit code.
//! Method: a router and a person that are written out, without a socket.

use super::*;
use crate::cli::{Cli, exit_code};
use clap::Parser as _;

const KEY: [u8; 32] = [7; 32];

/// A router with one password that answers every script from a list.
#[derive(Debug)]
struct Written {
    key: HostKey,
    password: &'static str,
    answers: Vec<Result<&'static str, ContactError>>,
    /// What was done to it, in order.
    done: Vec<String>,
}

impl Written {
    fn new(password: &'static str, answers: Vec<Result<&'static str, ContactError>>) -> Self {
        Self { key: HostKey { kind: "Ed25519", fingerprint: Fingerprint::of(&KEY) }, password, answers, done: Vec::new() }
    }
}

impl FirstContact for Written {
    fn key(&self) -> &HostKey {
        &self.key
    }

    fn log_in(&mut self, user: &str, proof: Proof<'_>) -> Result<bool, ContactError> {
        let (how, good) = match proof {
            Proof::Nothing => ("nothing".to_owned(), self.password.is_empty()),
            Proof::Password(password) => ("a password".to_owned(), password.expose() == self.password),
            Proof::Key(file) => (file.display().to_string(), file == Path::new("good-key")),
        };
        self.done.push(format!("{user} with {how}"));
        Ok(good)
    }

    fn run(&mut self, text: &str, hear: &mut dyn FnMut(&[u8])) -> Result<(), ContactError> {
        self.done.push(text.to_owned());
        hear(self.answers.remove(0)?.as_bytes());
        Ok(())
    }
}

#[derive(Default)]
struct Somebody {
    accepts: Option<bool>,
    password: &'static str,
    heard: Vec<String>,
    asked: usize,
}

impl Person for Somebody {
    fn accepts(&mut self, question: &str) -> anyhow::Result<Option<bool>> {
        assert!(question.contains("Ed25519") && question.contains(Fingerprint::of(&KEY).as_str()), "{question}");
        Ok(self.accepts)
    }

    fn password(&mut self, _target: &Target) -> anyhow::Result<Secret<String>> {
        self.asked += 1;
        Ok(Secret::new(self.password.to_owned()))
    }

    fn hears(&mut self, line: &str) {
        self.heard.push(line.to_owned());
    }
}

fn enrol(host_key: Option<&[u8; 32]>) -> Enrol {
    let host_key = host_key.map(|key| Fingerprint::of(key));
    Enrol { name: "mast-1".to_owned(), ssh: "192.168.88.1".parse().expect("a target"), host_key, identity: None, again: false }
}

#[test]
fn places_are_read_as_people_write_them() {
    let read = |text: &str| text.parse::<Target>().map(|target| target.to_string());
    assert_eq!(read("192.168.88.1").as_deref(), Ok("admin@192.168.88.1:22"));
    assert_eq!(read("ann@Mast.example:2222").as_deref(), Ok("ann@mast.example:2222"));
    assert_eq!(read("a@b@10.0.0.1").as_deref(), Ok("a@b@10.0.0.1:22"));
    assert_eq!(read("[fe80::1]:23").as_deref(), Ok("admin@[fe80::1]:23"));
    assert_eq!(read("fe80::1").as_deref(), Ok("admin@[fe80::1]:22"));
    for wrong in ["", "@host", "admin@", "host:", "host:0", "host:70000", "[fe80::1", "[fe80::1]22", "a b@host", "host\n"] {
        assert_eq!(read(wrong), Err(NoTarget), "{wrong:?}");
    }
    let shown = Fingerprint::of(&KEY);
    assert_eq!(shown.to_string().parse(), Ok(shown.clone()));
    assert_eq!(format!("{shown}=").parse(), Ok(shown));
    for wrong in ["", "SHA256:", "SHA256:abc", "MD5:00", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"] {
        assert_eq!(wrong.parse::<Fingerprint>(), Err(NoFingerprint), "{wrong}");
    }
}

#[test]
fn a_router_is_met_step_by_step() {
    let mut router = Written::new("right", vec![Ok("7.20.8 (long-term)\r\n")]);
    let mut person = Somebody { accepts: Some(true), password: "right", ..Somebody::default() };
    let mut hosts = KnownHosts::default();
    let version = enrol(None).meet(&mut router, &mut hosts, &mut person).expect("met");
    assert_eq!(version, RouterosVersion::new(7, 20, 8));
    assert_eq!(router.done, ["admin with nothing", "admin with a password", ":put [/system resource get version]"]);
    // The second time the key is known, and nobody is asked for it.
    let mut router = Written::new("", vec![Ok("7.22")]);
    let mut person = Somebody::default();
    enrol(None).meet(&mut router, &mut hosts, &mut person).expect("met");
    assert_eq!(person.asked, 0, "a router without a password lets in at once");
    let identity = |file: &str| Enrol { identity: Some(file.into()), ..enrol(None) };
    let mut router = Written::new("right", vec![Ok("7.22")]);
    identity("good-key").meet(&mut router, &mut hosts, &mut person).expect("met");
    let refused = identity("other-key").meet(&mut Written::new("right", vec![]), &mut hosts, &mut person);
    assert_eq!((exit_code(&refused.expect_err("refused")), person.asked), (5, 0), "a key is not followed by a password");
}

/// Meets a router that is not as it should be; returns the error, and what was done to the router.
fn refused(enrol: &Enrol, mut router: Written, hosts: &mut KnownHosts, accepts: Option<bool>) -> (u8, String, Vec<String>) {
    let mut person = Somebody { accepts, password: "right", ..Somebody::default() };
    let error = enrol.meet(&mut router, hosts, &mut person).expect_err("refused");
    (exit_code(&error), error.to_string(), router.done)
}

#[test]
fn a_wrong_host_key_stops_before_anything_is_sent() {
    let mut hosts = KnownHosts::default();
    let strange = || Written::new("right", vec![]);
    let shown = Fingerprint::of(&KEY);
    let (code, text, done) = refused(&enrol(None), strange(), &mut hosts, Some(false));
    assert_eq!((code, done.len()), (4, 0), "{text}");
    let (code, text, done) = refused(&enrol(None), strange(), &mut hosts, None);
    assert_eq!((code, done.len()), (4, 0), "{text}");
    assert!(text.ends_with(&format!("add: --host-key {shown}")), "{text}");
    let (code, text, done) = refused(&enrol(Some(&[8; 32])), strange(), &mut hosts, Some(true));
    assert_eq!((code, done.len()), (4, 0), "{text}");
    assert_eq!(hosts.of("192.168.88.1:22"), None, "what was refused is not kept");

    hosts.keep("192.168.88.1:22", &Fingerprint::of(&[9; 32])).expect("kept");
    let (code, text, done) = refused(&enrol(None), strange(), &mut hosts, Some(true));
    assert_eq!((code, done.len()), (4, 0), "{text}");
    assert!(text.contains("HAS CHANGED") && text.contains(shown.as_str()), "{text}");
    // Who knows the new key says so, and it takes the place of the old one.
    let mut router = Written::new("", vec![Ok("7.22")]);
    enrol(Some(&KEY)).meet(&mut router, &mut hosts, &mut Somebody::default()).expect("met");
    assert_eq!(hosts.of("192.168.88.1:22"), Some(&shown));
}

#[test]
fn what_is_no_router_or_too_old_never_sees_the_block() {
    let mut hosts = KnownHosts::default();
    let mut meet = |answer| refused(&enrol(Some(&KEY)), Written::new("right", vec![answer]), &mut hosts, None);
    let (code, text, done) = meet(Ok("6.49.17 (stable)\r\n"));
    assert_eq!((code, done.len()), (6, 3));
    assert!(text.contains("6.49.17") && text.contains("WireGuard"), "{text}");
    let (code, text, _) = meet(Ok("bash: get: command not found\n"));
    assert_eq!(code, 6);
    assert!(text.contains("no RouterOS") && text.contains("command not found"), "{text}");
    let (code, text, _) = meet(Ok("not enough permissions (9)\r\n"));
    assert_eq!(code, 6);
    assert!(text.contains("group full"), "{text}");
    let (code, text, _) = meet(Err(ContactError::Silent));
    assert_eq!(code, 3, "{text}");
    let (code, text, done) = refused(&enrol(Some(&KEY)), Written::new("other", vec![]), &mut hosts, None);
    assert_eq!((code, done.len()), (5, 2), "{text}");
    assert!(text.contains("admin@192.168.88.1:22") && !text.contains("right\""), "{text}");
}

#[test]
fn how_it_ended_is_told() {
    let nothing = json!({ "enrolment": { "state": "pending" } });
    let seen = json!({ "enrolment": { "state": "bound", "last_attempt": "the API is closed" } });
    let cut = || Err(ContactError::Cut(std::io::ErrorKind::ConnectionReset.into()));
    let said = || vec!["a line".to_owned()];
    for (outcome, ending, router, code, words) in [
        (Ok(()), Ending::NotJoined, &nothing, 7, "UDP port"),
        (Ok(()), Ending::Joined, &seen, 7, "the API is closed"),
        (cut(), Ending::Joined, &seen, 7, "the API is closed"),
        (cut(), Ending::Nothing, &nothing, 3, "harmless to repeat"),
        (Err(ContactError::Silent), Ending::Failed, &nothing, 3, "harmless to repeat"),
        (Ok(()), Ending::DeviceMode, &nothing, 6, "button"),
        (Ok(()), Ending::Permission, &nothing, 6, "group full"),
        (Ok(()), Ending::Syntax, &nothing, 6, "`a line`"),
    ] {
        let error = failure(outcome, ending, said(), router);
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_block_is_run_once_and_heard() {
    let mut router = Written::new("", vec![Ok("Mastwire: one\r\nMastwire: joined. The rest happens")]);
    let mut person = Somebody::default();
    let (said, outcome) = console::run(&mut router, &Secret::new("{ the block }".to_owned()), &mut person);
    assert!(outcome.is_ok());
    assert_eq!(said, ["Mastwire: one", "Mastwire: joined. The rest happens"]);
    assert_eq!(person.heard, said);
    assert_eq!(router.done, ["{ the block }"]);
}

#[test]
fn the_command_is_read() {
    let line = |words: &str| Cli::try_parse_from(words.split(' '));
    assert!(line("mastwire-controller router enrol mast-1 --ssh admin@192.168.88.1 --again").is_ok());
    assert!(line("mastwire-controller router enrol mast-1").is_err(), "SSH is the one way so far");
    assert!(line("mastwire-controller router enrol mast-1 --ssh @").is_err());
}
