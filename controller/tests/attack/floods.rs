//! Too much at once: over a real socket where the HTTP library has to say no.

use controller::testing::TestApp;
use futures_util::future::join_all;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Sends bytes and reads what comes back until the server hangs up; returns the status.
async fn status(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut read, mut write) = stream.split();
    // The server may hang up before it has taken all of it.
    let sending = async { drop(write.write_all(bytes).await) };
    let mut answer = Vec::new();
    let reading = async { drop(read.read_to_end(&mut answer).await) };
    tokio::join!(sending, reading);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn header_bombs_and_endless_urls_are_cut_off() {
    let test = TestApp::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(axum::serve(listener, test.service()).into_future());

    let head = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    assert_eq!(status(address, format!("{head}{many}\r\n").as_bytes()).await, "431");
    let wide = format!("{head}X-Wide: {}\r\n\r\n", "y".repeat(2 << 20));
    assert!(["431", ""].contains(&status(address, wide.as_bytes()).await.as_str()));
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(100_000));
    assert_eq!(status(address, long.as_bytes()).await, "414");
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        assert!(["400", ""].contains(&status(address, garbage).await.as_str()));
    }
    // Two lengths are how requests are smuggled past a proxy.
    let smuggled = "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    assert_ne!(status(address, smuggled.as_bytes()).await, "200");
    assert_eq!(status(address, format!("{head}\r\n").as_bytes()).await, "200", "it serves on");
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_guesses_at_once_are_no_more_than_five() {
    let test = TestApp::new().await;
    test.tenant("Alpha").await;
    let guess = |password: &str| {
        let body = json!({ "login": "alpha", "password": password });
        test.call("POST", "/api/v1/login", "", Some(body))
    };
    let answers = join_all((0..20).map(|_| guess("not the password"))).await;
    let told = answers.iter().filter(|answer| answer.status == 401).count();
    let locked = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((told, locked), (5, 15), "all were sent before the first was answered");
    let _ = guess("a password for tests").await.expect(429);

    test.clock.advance(jiff::SignedDuration::from_mins(16));
    let answers = join_all((0..10).map(|_| guess("a password for tests"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "the right one may be used in many places at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_time_link_clicked_many_times_at_once_is_used_once() {
    let test = TestApp::new().await;
    test.tenant("Alpha").await;
    let setup = controller::operators::recover(&test.app.db, &*test.app.entropy, test.app.clock.now(), "alpha", false)
        .await
        .expect("made");
    let use_it = |n: usize| {
        let body = json!({ "token": setup.expose(), "password": format!("password number {n}") });
        test.call("POST", "/api/v1/setup", "", Some(body))
    };
    let answers = join_all((0..10).map(use_it)).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (204, &[401; 9][..]));
}
