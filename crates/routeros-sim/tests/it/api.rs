//! Goal: the binary API speaks as RouterOS does: logins, tags, queries, `!empty`, traps, listeners, limits, faults.
//! Method: a router on one end of an in-memory stream, sentences on the other.

use crate::support::config;
use model::Clock;
use routeros::codec::{Decoder, Limits, Sentence};
use routeros_sim::api;
use routeros_sim::device::{Config, Mode};
use routeros_sim::shell::Shared;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A clock that stands still.
#[derive(Debug)]
pub struct Still;

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        crate::support::START.parse().expect("a time")
    }
}

struct Wire {
    stream: DuplexStream,
    decoder: Decoder,
    shared: Arc<Shared>,
}

impl Wire {
    fn new(config: Config) -> Self {
        let shared = Shared::new(config, Arc::new(Still));
        Self::to(&shared, None)
    }

    fn to(shared: &Arc<Shared>, source: Option<&str>) -> Self {
        let (stream, far) = tokio::io::duplex(1 << 20);
        let source: Option<IpAddr> = source.map(|source| source.parse().expect("an address"));
        tokio::spawn(api::serve(Arc::clone(shared), far, source, None));
        Self { stream, decoder: Decoder::new(Limits::DEFAULT), shared: Arc::clone(shared) }
    }

    async fn logged_in(config: Config) -> Self {
        let mut wire = Self::new(config);
        wire.send(&["/login", "=name=admin", "=password="]).await;
        assert_eq!(wire.read().await, ["!done"]);
        wire
    }

    async fn send(&mut self, words: &[&str]) {
        self.send_all(&[words]).await;
    }

    /// Sends sentences in one piece, so that they are in flight together.
    async fn send_all(&mut self, sentences: &[&[&str]]) {
        let mut bytes = Vec::new();
        for words in sentences {
            Sentence::new(words.iter().copied()).encode(&mut bytes);
        }
        self.stream.write_all(&bytes).await.expect("an open stream");
    }

    /// Reads the next sentence; nothing when the router closed.
    async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some(sentence) = self.decoder.poll().expect("well-formed") {
                return Some(sentence.words().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect());
            }
            let mut buffer = [0; 4096];
            let read = tokio::time::timeout(Duration::from_secs(60), self.stream.read(&mut buffer)).await.expect("an answer");
            match read {
                Ok(count) if count > 0 => self.decoder.push(&buffer[..count]),
                Ok(_) | Err(_) => return None,
            }
        }
    }

    async fn read(&mut self) -> Vec<String> {
        self.next().await.expect("the router must not close")
    }

    /// Reads up to `!done`.
    async fn answer(&mut self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        loop {
            let sentence = self.read().await;
            let done = sentence[0] == "!done";
            all.push(sentence);
            if done {
                return all;
            }
        }
    }

    async fn ask(&mut self, words: &[&str]) -> Vec<Vec<String>> {
        self.send(words).await;
        self.answer().await
    }
}

#[tokio::test]
async fn logins() {
    let mut wire = Wire::new(config("CHR", "7.22.3"));
    wire.send(&["/login", "=name=admin", "=password=wrong"]).await;
    assert_eq!(wire.read().await, ["!trap", "=message=invalid user name or password (6)"]);
    assert_eq!(wire.read().await, ["!done"]);
    wire.send(&["/login"]).await;
    let challenge = wire.read().await[1].strip_prefix("=ret=").expect("a challenge").to_owned();
    let response = {
        use md5::Digest as _;
        let mut hash = md5::Md5::new();
        hash.update([0]);
        hash.update(hex::decode(challenge).expect("hexadecimal digits"));
        format!("=response=00{}", hex::encode(hash.finalize()))
    };
    wire.send(&["/login", "=name=admin", &response]).await;
    assert_eq!(wire.read().await, ["!done"]);
    assert_eq!(wire.ask(&["/user/active/print", "=.proplist=name,via"]).await[0], ["!re", "=name=admin", "=via=api"]);
}

#[tokio::test]
async fn nothing_before_the_login() {
    let mut wire = Wire::new(config("CHR", "7.22.3"));
    wire.send(&["/ppp/secret/print"]).await;
    assert_eq!(wire.read().await, ["!fatal", "not logged in"]);
    assert_eq!(wire.next().await, None);
    let mut wire = Wire::new(config("CHR", "7.22.3"));
    wire.stream.write_all(&[0xE0, 0xFF, 0xFF, 0xFF]).await.expect("an open stream");
    assert_eq!(wire.next().await, None, "a word of 256 MiB ends the connection");
}

#[tokio::test]
async fn an_account_is_bound_to_its_address() {
    let shared = Shared::new(config("CHR", "7.22.3"), Arc::new(Still));
    let mut admin = Wire::to(&shared, None);
    admin.ask(&["/login", "=name=admin", "=password="]).await;
    admin.ask(&["/user/group/add", "=name=mw", "=policy=read,api"]).await;
    admin.ask(&["/user/add", "=name=mw", "=password=pw", "=group=mw", "=address=10.10.0.1/32"]).await;
    admin.ask(&["/user/group/add", "=name=noapi", "=policy=read"]).await;
    admin.ask(&["/user/add", "=name=noapi", "=password=pw", "=group=noapi"]).await;
    for (source, name, good) in [("10.10.0.1", "mw", true), ("10.10.0.9", "mw", false), ("10.10.0.1", "noapi", false)] {
        let mut wire = Wire::to(&shared, Some(source));
        wire.send(&["/login", &format!("=name={name}"), "=password=pw"]).await;
        assert_eq!(wire.read().await[0] == "!done", good, "{name} from {source}");
    }
    admin.ask(&["/ip/service/set", "=.id=api", "=max-sessions=1"]).await;
    let mut wire = Wire::to(&shared, Some("10.10.0.1"));
    wire.send(&["/login", "=name=mw", "=password=pw"]).await;
    assert_eq!(wire.next().await, None, "the service takes one session");
}

#[tokio::test]
async fn an_empty_print_says_so_from_7_18() {
    let mut new = Wire::logged_in(config("CHR", "7.20.8")).await;
    assert_eq!(new.ask(&["/ppp/secret/print", ".tag=4"]).await, [["!empty", ".tag=4"], ["!done", ".tag=4"]]);
    let mut old = Wire::logged_in(config("CHR", "7.17")).await;
    assert_eq!(old.ask(&["/ppp/secret/print"]).await, [["!done"]]);
}

#[tokio::test]
async fn add_set_query_remove() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    assert_eq!(wire.ask(&["/ip/pool/add", "=name=a", "=ranges=10.0.0.1-10.0.0.9"]).await, [["!done", "=ret=*1"]]);
    wire.ask(&["/ip/pool/add", "=name=b", "=ranges=10.0.1.1-10.0.1.9"]).await;
    wire.ask(&["/ip/pool/set", "=.id=*1", "=comment=caf\u{e9}"]).await;
    let rows = wire.ask(&["/ip/pool/print", "=.proplist=.id,comment", "?name=a", "?name=c", "?#|"]).await;
    assert_eq!(rows[0], ["!re", "=.id=*1", "=comment=caf\u{e9}"]);
    assert_eq!(rows.len(), 2);
    let trap = wire.ask(&["/ip/pool/remove", "=.id=*9", ".tag=x"]).await;
    assert_eq!(trap, [&["!trap", "=category=0", "=message=no such item", ".tag=x"][..], &["!done", ".tag=x"]]);
    let trap = wire.ask(&["/nowhere"]).await;
    assert_eq!(trap[0][2], "=message=no such command prefix");
}

#[tokio::test]
async fn bytes_that_are_no_text_survive() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    let mut sentence = Sentence::new(["/ip/pool/add", "=name=a", "=ranges=10.0.0.1"]);
    sentence.push_attribute("comment", b"caf\xe9");
    let mut bytes = Vec::new();
    sentence.encode(&mut bytes);
    wire.stream.write_all(&bytes).await.expect("an open stream");
    wire.answer().await;
    wire.send(&["/ip/pool/print", "=.proplist=comment"]).await;
    let mut buffer = vec![0; 256];
    let count = wire.stream.read(&mut buffer).await.expect("an answer");
    assert!(buffer[..count].windows(13).any(|window| window == b"=comment=caf\xe9"), "{:?}", &buffer[..count]);
}

#[tokio::test]
async fn commands_in_flight_overtake_each_other() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.shared.with(|router, _| router.seed_shuffle(1));
    let sentences: Vec<Vec<String>> =
        (0..20).map(|tag| vec!["/system/identity/print".to_owned(), format!(".tag={tag}")]).collect();
    let words: Vec<Vec<&str>> = sentences.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
    let slices: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
    wire.send_all(&slices).await;
    let mut tags = Vec::new();
    for _ in 0..20 {
        tags.push(wire.answer().await.last().expect("a sentence")[1].clone());
    }
    let in_order: Vec<String> = (0..20).map(|tag| format!(".tag={tag}")).collect();
    assert_ne!(tags, in_order);
    tags.sort();
    let mut all = in_order;
    all.sort();
    assert_eq!(tags, all);
}

#[tokio::test]
async fn a_listener_hears_of_changes_until_it_is_cancelled() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.ask(&["/ip/pool/add", "=name=old", "=ranges=10.0.0.1"]).await;
    wire.send(&["/ip/pool/listen", "=.proplist=.id,name", ".tag=l"]).await;
    // Without a tag: tagged ones might overtake the listener.
    wire.send(&["/ip/pool/add", "=name=a", "=ranges=10.0.0.1"]).await;
    let mut heard = vec![wire.read().await, wire.read().await];
    heard.sort();
    assert_eq!(heard, [&["!done", "=ret=*2"][..], &["!re", "=.id=*2", "=name=a", ".tag=l"]]);
    wire.send(&["/ip/pool/remove", "=.id=*2"]).await;
    let mut heard = vec![wire.read().await, wire.read().await];
    heard.sort();
    assert_eq!(heard, [&["!done"][..], &["!re", "=.id=*2", "=.dead=yes", ".tag=l"]]);
    wire.send(&["/cancel", "=tag=l", ".tag=c"]).await;
    assert_eq!(wire.read().await, ["!trap", "=category=2", "=message=interrupted", ".tag=l"]);
    assert_eq!(wire.read().await, ["!done", ".tag=c"]);
    assert_eq!(wire.read().await, ["!done", ".tag=l"]);
}

#[tokio::test]
async fn a_lost_reply_leaves_its_write() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.shared.with(|router, _| router.faults.lose_replies = 1);
    wire.send(&["/ip/pool/add", "=name=a", "=ranges=10.0.0.1"]).await;
    wire.send(&["/ip/pool/print", "=.proplist=name", ".tag=2"]).await;
    assert_eq!(wire.read().await, ["!re", "=name=a", ".tag=2"], "no answer to the add, but it was done");
}

#[tokio::test]
async fn a_restart_ends_connections() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.send(&["/system/reboot"]).await;
    wire.read().await;
    assert_eq!(wire.next().await, None);
}

#[tokio::test]
async fn quitting_is_answered() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.send(&["/quit"]).await;
    assert_eq!(wire.read().await[0], "!fatal");
    assert_eq!(wire.next().await, None);
    assert_eq!(wire.shared.with(|router, _| router.device().rows("/user/active").count()), 0);
}

#[tokio::test]
async fn the_transcript_holds_no_secret() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.ask(&["/ppp/secret/add", "=name=asha", "=password=hunter2"]).await;
    let transcript = wire.shared.with(|router, _| format!("{:?}", router.transcript().collect::<Vec<_>>()));
    assert!(transcript.contains("/ppp/secret/add") && transcript.contains("asha") && !transcript.contains("hunter2"));
}

#[tokio::test]
async fn device_mode_over_the_wire() {
    let mut config = config("hEX S", "7.20.8");
    config.mode = Mode::Home;
    let mut wire = Wire::logged_in(config).await;
    let trap = wire.ask(&["/system/scheduler/add", "=name=a", "=on-event=b"]).await;
    assert_eq!(trap[0], ["!trap", "=message=failure: not allowed by device-mode"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_link_takes_its_time() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.shared.with(|router, _| router.faults.bytes_per_second = Some(20));
    let before = tokio::time::Instant::now();
    wire.ask(&["/system/identity/print", "=.proplist=name"]).await;
    // 21 and 7 bytes of answer.
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn writes_take_their_time_one_after_another() {
    let mut wire = Wire::logged_in(config("CHR", "7.22.3")).await;
    wire.shared.with(|router, _| router.faults.write_time = Some(Duration::from_millis(3)));
    let before = tokio::time::Instant::now();
    wire.ask(&["/ppp/secret/print", "=.proplist=name"]).await;
    assert_eq!(before.elapsed(), Duration::ZERO, "reading is no writing");
    for name in ["=name=asha", "=name=juma"] {
        wire.ask(&["/ppp/secret/add", name]).await;
    }
    assert_eq!(before.elapsed(), Duration::from_millis(6));
}
