//! Goal: the client gets every answer to its own question, and no router can crash, stall or fill it.
//! Method: a scripted router on the other end of an in-memory stream, under paused time.

use model::Secret;
use routeros::catalogue::{ID, ppp_active, ppp_secret};
use routeros::client::{CallError, Client, LoginError, Lost, Options};
use routeros::codec::{DecodeError, Decoder, Limits, ReplyError, Sentence, Trap};
use routeros::{Command, Query};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

struct Router {
    stream: DuplexStream,
    decoder: Decoder,
}

impl Router {
    async fn next(&mut self) -> Option<Sentence> {
        let mut chunk = [0; 512];
        loop {
            if let Some(sentence) = self.decoder.poll().expect("the client keeps to the protocol") {
                return Some(sentence);
            }
            // Virtual time: who waits in vain fails at once instead of for ever.
            let read = tokio::time::timeout(Duration::from_secs(3600), self.stream.read(&mut chunk)).await;
            match read.expect("the client says something") {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.decoder.push(&chunk[..count]),
            }
        }
    }

    /// Waits for a command and returns it with its tag.
    async fn command(&mut self) -> (Sentence, String) {
        let sentence = self.next().await.expect("a command");
        let tag = String::from_utf8(sentence.tag().expect("every command has a tag").to_vec()).expect("tags are digits");
        (sentence, tag)
    }

    async fn send(&mut self, words: &[&str]) {
        let mut bytes = Vec::new();
        Sentence::new(words.iter().copied()).encode(&mut bytes);
        // A client that has hung up is what some tests wait for.
        let _ = self.stream.write_all(&bytes).await;
    }

    async fn reply(&mut self, tag: &str, words: &[&str]) {
        let tag = format!(".tag={tag}");
        self.send(&[words, &[tag.as_str()]].concat()).await;
    }

    async fn accept(&mut self) {
        let login = self.next().await.expect("a login");
        assert_eq!(login.first(), b"/login");
        self.send(&["!done"]).await;
    }

    /// Answers a `/cancel` as routers do.
    async fn confirm_cancel(&mut self) -> String {
        let (cancel, own) = self.command().await;
        assert_eq!(cancel.first(), b"/cancel");
        let victim = String::from_utf8(cancel.attribute("tag").expect("a victim").to_vec()).expect("tags are digits");
        self.reply(&victim, &["!trap", "=category=2", "=message=interrupted"]).await;
        self.reply(&own, &["!done"]).await;
        self.reply(&victim, &["!done"]).await;
        victim
    }
}

fn pair() -> (DuplexStream, Router) {
    let (ours, stream) = tokio::io::duplex(4096);
    (ours, Router { stream, decoder: Decoder::new(Limits::DEFAULT) })
}

fn password() -> Secret<String> {
    Secret::new("hunter2".to_owned())
}

async fn connect(options: Options) -> (Client, Router) {
    let (stream, mut router) = pair();
    let password = password();
    let (client, ()) = tokio::join!(Client::login(stream, "api", &password, options), router.accept());
    (client.expect("the router accepts"), router)
}

async fn refused(words: &'static [&'static str]) -> LoginError {
    let (stream, mut router) = pair();
    let answer = async {
        router.next().await;
        router.send(words).await;
        drop(router);
    };
    let password = password();
    let (client, ()) = tokio::join!(Client::login(stream, "api", &password, Options::default()), answer);
    client.expect_err("the router refuses")
}

fn print() -> Command {
    Command::print(&ppp_secret::MENU).proplist([ID, ppp_secret::NAME])
}

fn add() -> Command {
    Command::add(&ppp_secret::MENU).with(ppp_secret::NAME, "anna").with(ppp_secret::PASSWORD, "hunter2")
}

/// Waits for the connection's end, which comes within two minutes of whatever goes wrong.
async fn end(client: &Client) -> Lost {
    tokio::time::timeout(Duration::from_secs(120), client.closed()).await.expect("the client gives up")
}

fn lost(result: Result<routeros::client::Response, CallError>) -> Lost {
    match result {
        Err(CallError::Lost { why, .. }) => why,
        other => panic!("the connection should be lost: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn logs_in_with_a_challenge() {
    let (stream, mut router) = pair();
    let script = async {
        assert_eq!(router.next().await, Some(Sentence::new(["/login", "=name=api", "=password=hunter2"])));
        router.send(&["!done", "=ret=856780b7411eefd3abadee2058c149a3"]).await;
        let response = router.next().await.expect("the response");
        assert_eq!(response.attribute("password"), None);
        assert_eq!(response.attribute("response").map(<[u8]>::len), Some(34));
        router.send(&["!done"]).await;
    };
    let password = password();
    let (client, ()) = tokio::join!(Client::login(stream, "api", &password, Options::default()), script);
    assert_eq!(client.expect("the router accepts").lost(), None);
}

#[tokio::test(start_paused = true)]
async fn refused_logins_are_told_apart() {
    let wrong = refused(&["!trap", "=message=invalid user name or password (6)"]).await;
    assert!(matches!(wrong, LoginError::WrongPassword), "{wrong:?}");
    let policy = refused(&["!trap", "=message=not enough permissions (9)"]).await;
    assert!(matches!(policy, LoginError::NotAllowed(_)), "{policy:?}");
    let other = refused(&["!trap", "=message=std failure: timeout (13)"]).await;
    assert!(matches!(other, LoginError::Refused(_)), "{other:?}");
    let fatal = refused(&["!fatal", "too many commands before login"]).await;
    assert!(matches!(&fatal, LoginError::Fatal(reason) if reason == "too many commands before login"), "{fatal:?}");
    assert!(matches!(refused(&[]).await, LoginError::Closed));
    assert!(matches!(refused(&["HTTP/1.1 400 Bad Request"]).await, LoginError::Reply(ReplyError)));
    assert!(matches!(refused(&["!done", "=ret=zz"]).await, LoginError::Challenge));
    let long: &'static str =
        "!done                                                                                   ".repeat(20).leak();
    assert!(matches!(refused(vec![long].leak()).await, LoginError::Decode(DecodeError::Word { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_silent_login_ends() {
    let (stream, _router) = pair();
    let result = Client::login(stream, "api", &password(), Options::default()).await;
    assert!(matches!(result, Err(LoginError::Timeout)));
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_questions_in_any_order() {
    let (client, mut router) = connect(Options::default()).await;
    let commands: Vec<Command> = (0..5).map(|index| print().query(&Query::Is(ppp_secret::NAME, format!("u{index}")))).collect();
    let script = async {
        let mut asked = Vec::new();
        for _ in 0..5 {
            asked.push(router.command().await);
        }
        for (sentence, tag) in asked.iter().rev() {
            let name = String::from_utf8_lossy(&sentence.words()[2]).replace("?name=", "=name=");
            router.reply(tag, &["!re", "=.id=*1", &name]).await;
        }
        for (_, tag) in asked.iter().rev() {
            router.reply(tag, &["!done"]).await;
            tokio::task::yield_now().await;
        }
    };
    let (results, ()) = tokio::join!(client.call_all(&commands, 8), script);
    let names: Vec<_> =
        results.iter().map(|result| result.as_ref().expect("rows").rows[0].text("name").expect("a name")).collect();
    assert_eq!(names, ["u0", "u1", "u2", "u3", "u4"]);
}

#[tokio::test(start_paused = true)]
async fn results_refusals_and_nothing() {
    let (client, mut router) = connect(Options::default()).await;
    let script = async {
        let (_, tag) = router.command().await;
        router.reply(&tag, &["!done", "=ret=*262"]).await;
        let (_, tag) = router.command().await;
        router.reply(&tag, &["!trap", "=category=4", "=message=failure: secret with the same name already exists"]).await;
        router.reply(&tag, &["!done"]).await;
        let (_, tag) = router.command().await;
        router.reply(&tag, &["!empty"]).await;
        router.reply(&tag, &["!done"]).await;
    };
    let calls = async {
        assert_eq!(client.call(&add()).await.expect("added").id(), Some("*262"));
        let message = "failure: secret with the same name already exists".to_owned();
        assert_eq!(client.call(&add()).await, Err(CallError::Trap(Trap { category: Some(4), message })));
        assert_eq!(client.rows(&ppp_secret::MENU, &[ppp_secret::NAME]).await, Ok(Vec::new()));
    };
    tokio::join!(calls, script);
}

#[tokio::test(start_paused = true)]
async fn no_more_in_flight_than_allowed() {
    let (client, mut router) = connect(Options { in_flight: 3, ..Options::default() }).await;
    let commands = vec![print(); 9];
    let script = async {
        for _ in 0..3 {
            let mut tags = Vec::new();
            for _ in 0..3 {
                tags.push(router.command().await.1);
            }
            let more = tokio::time::timeout(Duration::from_secs(1), router.next()).await;
            assert!(more.is_err(), "a fourth command was in flight");
            for tag in tags {
                router.reply(&tag, &["!done"]).await;
            }
        }
    };
    let (results, ()) = tokio::join!(client.call_all(&commands, 100), script);
    assert!(results.iter().all(Result::is_ok));
}

#[tokio::test]
async fn commands_that_cut_the_connection_arrive_in_one_piece() {
    let (client, mut router) = connect(Options::default()).await;
    let commands = vec![add(); 4];
    let script = async {
        let mut chunk = [0; 4096];
        let count = router.stream.read(&mut chunk).await.expect("the commands");
        router.decoder.push(&chunk[..count]);
        let arrived = std::iter::from_fn(|| router.decoder.poll().expect("the client keeps to the protocol")).count();
        drop(router);
        arrived
    };
    let (result, arrived) = tokio::join!(client.call_together(&commands), script);
    assert_eq!((result, arrived), (Ok(()), 4));

    let (client, mut router) = connect(Options::default()).await;
    let script = async {
        let (_, tag) = router.command().await;
        router.reply(&tag, &["!trap", "=message=failure: no"]).await;
        router.reply(&tag, &["!done"]).await;
    };
    let (result, ()) = tokio::join!(client.call_together(&commands[..1]), script);
    assert!(matches!(result, Err(CallError::Trap(_))), "{result:?}");
    let (client, _router) = connect(Options { in_flight: 3, ..Options::default() }).await;
    let result = tokio::time::timeout(Duration::ZERO, client.call_together(&commands)).await;
    assert!(result.is_err(), "there is no room for four");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_no_answer_and_the_connection_goes_on() {
    let (client, mut router) = connect(Options::default()).await;
    let script = async {
        let (_, late) = router.command().await;
        assert_eq!(router.confirm_cancel().await, late);
        let (_, tag) = router.command().await;
        router.reply(&tag, &["!re", "=name=second"]).await;
        router.reply(&tag, &["!done"]).await;
    };
    let calls = async {
        let first = client.call_within(&add(), Duration::from_secs(5)).await;
        assert_eq!(first, Err(CallError::Timeout { maybe_applied: true }));
        assert_eq!(client.call(&print()).await.expect("rows").rows[0].text("name"), Some("second"));
    };
    tokio::join!(calls, script);
    assert_eq!(client.lost(), None);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_cancelled() {
    let (client, mut router) = connect(Options { in_flight: 1, ..Options::default() }).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call(&print()).await }
    });
    let (_, tag) = router.command().await;
    call.abort();
    assert_eq!(router.confirm_cancel().await, tag);
    let script = async {
        let (_, tag) = router.command().await;
        router.reply(&tag, &["!done"]).await;
    };
    let command = print();
    let (result, ()) = tokio::join!(client.call(&command), script);
    assert!(result.is_ok(), "its place is free again");
}

#[tokio::test(start_paused = true)]
async fn listening() {
    let (client, mut router) = connect(Options::default()).await;
    let mut listen = client.listen(&Command::listen(&ppp_active::MENU).proplist([ID, ppp_active::NAME])).await.expect("started");
    let (sentence, tag) = router.command().await;
    assert_eq!(sentence.first(), b"/ppp/active/listen");
    router.reply(&tag, &["!re", "=.id=*68", "=name=anna"]).await;
    router.reply(&tag, &["!re", "=.id=*68", "=.dead=yes"]).await;
    let row = listen.next().await.expect("a row").expect("no error");
    assert_eq!((row.id(), row.text("name"), row.is_dead()), (Some("*68"), Some("anna"), false));
    assert!(listen.next().await.expect("a row").expect("no error").is_dead());
    drop(listen);
    assert_eq!(router.confirm_cancel().await, tag);
    assert_eq!(client.lost(), None);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_sleeps_is_told_and_does_not_fill() {
    let (client, mut router) = connect(Options { rows: 3, ..Options::default() }).await;
    let mut listen = client.listen(&Command::listen(&ppp_active::MENU)).await.expect("started");
    let (_, tag) = router.command().await;
    for _ in 0..5 {
        router.reply(&tag, &["!re", "=.id=*1"]).await;
    }
    assert_eq!(router.confirm_cancel().await, tag);
    for _ in 0..3 {
        listen.next().await.expect("a row").expect("kept rows come first");
    }
    assert!(matches!(listen.next().await, Some(Err(CallError::TooLarge { .. }))));
    assert_eq!(listen.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_refused_listen_says_so() {
    let (client, mut router) = connect(Options::default()).await;
    let mut listen = client.listen(&Command::listen(&ppp_active::MENU)).await.expect("started");
    let (_, tag) = router.command().await;
    router.reply(&tag, &["!trap", "=message=not enough permissions (9)"]).await;
    router.reply(&tag, &["!done"]).await;
    assert!(matches!(listen.next().await, Some(Err(CallError::Trap(_)))));
    assert_eq!(listen.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_connection_reaches_everyone() {
    let (client, mut router) = connect(Options::default()).await;
    let mut listen = client.listen(&Command::listen(&ppp_active::MENU)).await.expect("started");
    router.command().await;
    let script = async {
        router.command().await;
        router.command().await;
        router.send(&["!fatal", "session terminated on request"]).await;
    };
    let (read, written) = (print(), add());
    let (read, written, ()) = tokio::join!(client.call(&read), client.call(&written), script);
    let why = Lost::Fatal("session terminated on request".to_owned());
    assert_eq!(read, Err(CallError::Lost { why: why.clone(), maybe_applied: false }));
    assert_eq!(written, Err(CallError::Lost { why: why.clone(), maybe_applied: true }));
    assert!(matches!(listen.next().await, Some(Err(CallError::Lost { .. }))));
    assert_eq!(end(&client).await, why);
    let later = client.call(&add()).await;
    assert_eq!(later, Err(CallError::Lost { why, maybe_applied: false }), "what comes later was never sent");
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_is_noticed() {
    let (client, mut router) = connect(Options::default()).await;
    let script = async {
        router.command().await;
        drop(router);
    };
    let command = print();
    let (result, ()) = tokio::join!(client.call(&command), script);
    assert_eq!(lost(result), Lost::Closed);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_client_closes_the_connection() {
    let (client, mut router) = connect(Options::default()).await;
    let clone = client.clone();
    drop(client);
    assert_eq!(clone.lost(), None);
    drop(clone);
    assert_eq!(router.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_transcript_has_no_secrets() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let transcript: routeros::client::Transcript =
        Arc::new(move |sentence| sink.lock().expect("no panic").push(sentence.clone()));
    let (client, mut router) = connect(Options { transcript: Some(transcript), ..Options::default() }).await;
    let script = async {
        let (sentence, tag) = router.command().await;
        assert_eq!(sentence.attribute("password"), Some(b"hunter2".as_slice()));
        router.reply(&tag, &["!done"]).await;
    };
    let command = add();
    let (_, ()) = tokio::join!(client.call(&command), script);
    let expected = [
        Sentence::new(["/login", "=name=api", "=password=***"]),
        Sentence::new(["/ppp/secret/add", "=name=anna", "=password=***", ".tag=1"]),
    ];
    assert_eq!(*heard.lock().expect("no panic"), expected);
}

/// Sends raw bytes as the answer to a command and returns how the command ended.
async fn answered_with(bytes: &[u8]) -> Lost {
    let (client, mut router) = connect(Options::default()).await;
    let script = async {
        router.command().await;
        let _ = router.stream.write_all(bytes).await;
        router.next().await
    };
    let command = print();
    let (result, rest) = tokio::join!(client.call(&command), script);
    assert_eq!(rest, None, "the client hangs up");
    lost(result)
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_connection() {
    assert_eq!(answered_with(&[0xF8]).await, Lost::Decode(DecodeError::Reserved(0xF8)));
    assert_eq!(answered_with(b"\x05hello\x00").await, Lost::Reply(ReplyError));
    let oversize = answered_with(&[0xF0, 0xFF, 0xFF, 0xFF, 0xFF]).await;
    assert_eq!(oversize, Lost::Decode(DecodeError::Word { length: 0xFFFF_FFFF, limit: Limits::DEFAULT.word }));
    assert_eq!(answered_with(b"\x03!re\x08.tag=999\x00").await, Lost::UnknownTag);
    assert_eq!(answered_with(b"\x05!done\x0b.tag=\xff\xff\xff\xff\xff\xff\x00").await, Lost::UnknownTag);
    assert_eq!(answered_with(b"\x05!done\x00").await, Lost::UnknownTag, "after the login every answer has a tag");
    let words = [b"\x03!re".as_slice(), &b"\x01x".repeat(Limits::DEFAULT.words)].concat();
    assert_eq!(answered_with(&words).await, Lost::Decode(DecodeError::Words { limit: Limits::DEFAULT.words }));
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_cut_and_then_the_connection() {
    let options = Options { rows: 100, bytes: 50_000, ..Options::default() };
    let (client, mut router) = connect(options).await;
    let script = async {
        let (_, tag) = router.command().await;
        // The client hangs up at some point; until then the router ignores the cancel.
        let tag = format!(".tag={tag}");
        let mut bytes = Vec::new();
        Sentence::new(["!re", "=name=again", &tag]).encode(&mut bytes);
        let mut sent = 0;
        while sent < 10_000 && router.stream.write_all(&bytes).await.is_ok() {
            sent += 1;
        }
        sent
    };
    let command = print();
    let (result, sent) = tokio::join!(client.call(&command), script);
    assert_eq!(result, Err(CallError::TooLarge { rows: 100, bytes: 50_000, maybe_applied: false }));
    assert_eq!(end(&client).await, Lost::Flood);
    assert!((100..2000).contains(&sent), "{sent} rows were taken");
}

#[tokio::test(start_paused = true)]
async fn all_answers_together_are_limited_in_bytes() {
    let (client, mut router) = connect(Options { bytes: 100_000, ..Options::default() }).await;
    let script = async {
        let tags = [router.command().await.1, router.command().await.1];
        let value = format!("=comment={}", "x".repeat(30_000));
        for tag in [&tags[0], &tags[0], &tags[1]] {
            router.reply(tag, &["!re", &value]).await;
        }
        router.reply(&tags[1], &["!re", &value]).await;
        assert_eq!(router.confirm_cancel().await, tags[1]);
        router.reply(&tags[0], &["!done"]).await;
    };
    let command = print();
    let (first, second, ()) = tokio::join!(client.call(&command), client.call(&command), script);
    assert_eq!(first.expect("within the limit").rows.len(), 2);
    assert!(matches!(second, Err(CallError::TooLarge { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_on_does_not_count_any_more() {
    let (client, mut router) = connect(Options { rows: 2, bytes: 20_000, ..Options::default() }).await;
    let value = format!("=comment={}", "x".repeat(15_000));
    let command = print();
    for _ in 0..3 {
        let script = async {
            let (_, tag) = router.command().await;
            router.reply(&tag, &["!re", &value]).await;
            router.reply(&tag, &["!done"]).await;
        };
        let (result, ()) = tokio::join!(client.call(&command), script);
        assert_eq!(result.expect("within the limit").rows.len(), 1);
    }
    for _ in 0..3 {
        let script = async {
            let (_, tag) = router.command().await;
            router.reply(&tag, &["!re", &value]).await;
            assert_eq!(router.confirm_cancel().await, tag);
        };
        let (result, ()) = tokio::join!(client.call(&command), script);
        assert_eq!(result, Err(CallError::Timeout { maybe_applied: false }));
    }
    let mut listen = client.listen(&Command::listen(&ppp_active::MENU)).await.expect("started");
    let (_, tag) = router.command().await;
    for _ in 0..5 {
        router.reply(&tag, &["!re", &value]).await;
        listen.next().await.expect("a row").expect("within the limit");
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second_is_too_slow() {
    let (client, mut router) = connect(Options::default()).await;
    let script = async {
        let (_, tag) = router.command().await;
        let mut bytes = Vec::new();
        Sentence::new(["!re", "=name=a-name-that-takes-longer-than-the-deadline", &format!(".tag={tag}")]).encode(&mut bytes);
        for byte in bytes {
            tokio::time::advance(Duration::from_secs(1)).await;
            if router.stream.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    };
    let command = print();
    let calls = async {
        let result = client.call(&command).await;
        assert_eq!(result, Err(CallError::Timeout { maybe_applied: false }));
        end(&client).await
    };
    let (why, ()) = tokio::join!(calls, script);
    assert_eq!(why, Lost::Unresponsive, "it does not confirm the cancel either");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_never_answers_or_reads_is_given_up() {
    let (client, _router) = connect(Options { in_flight: 2, ..Options::default() }).await;
    // More than the stream holds, so that writing stalls too.
    let command = add().with(ppp_secret::COMMENT, "x".repeat(30_000));
    let results = client.call_all(&vec![command; 6], 6).await;
    let applied = |result: &_| {
        matches!(result, Err(CallError::Timeout { maybe_applied: true } | CallError::Lost { maybe_applied: true, .. }))
    };
    assert_eq!(
        results.iter().filter(|result| applied(result)).count(),
        2,
        "only what was sent may have been applied: {results:?}"
    );
    assert!(results.iter().all(Result::is_err));
    assert_eq!(end(&client).await, Lost::Unresponsive);
}

#[tokio::test(start_paused = true)]
async fn refusals_without_end_do_not_fill() {
    let (client, mut router) = connect(Options { bytes: 50_000, ..Options::default() }).await;
    let script = async {
        let (_, tag) = router.command().await;
        let tag = format!(".tag={tag}");
        let mut bytes = Vec::new();
        Sentence::new(["!trap", "=message=no", &tag]).encode(&mut bytes);
        for _ in 0..10_000 {
            if router.stream.write_all(&bytes).await.is_err() {
                break;
            }
            tokio::time::advance(Duration::from_millis(10)).await;
        }
    };
    let command = print();
    let (result, ()) = tokio::join!(client.call(&command), script);
    assert_eq!(result, Err(CallError::Timeout { maybe_applied: false }));
    assert_eq!(end(&client).await, Lost::Flood);
}
