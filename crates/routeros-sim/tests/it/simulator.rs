//! Goal: a whole router, with its API on a loopback port, its control socket and its fetches.
//! Method: a started simulator; every wait is for an event.

use crate::support::config;
use model::Clock;
use routeros_sim::control::{self, Command, Fault};
use routeros_sim::simulator::{Options, Simulator};
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
pub struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "real packets and sockets go by the real clock")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

async fn start(options: Options) -> Simulator {
    Simulator::start(options, Arc::new(Now)).await.expect("a router")
}

#[tokio::test]
async fn the_control_socket_does_what_the_world_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sim.sock");
    let mut options = Options::new(config("CHR", "7.22.3"));
    options.control = Some(path.clone());
    let simulator = start(options).await;
    let ask = async |command: Command| control::ask(&path, &command).await.expect("an answer");
    let setup = "/ip pool add name=homes ranges=10.5.0.2-10.5.0.9\n\
                 /ppp profile add name=home local-address=10.5.0.1 remote-address=homes rate-limit=5M/10M\n\
                 /ppp secret add name=asha password=secret profile=home\n\
                 /interface pppoe-server server add service-name=isp interface=ether2 disabled=no\n:put done\n";
    let pasted = ask(Command::Paste { text: setup.to_owned() }).await.expect("a paste");
    assert_eq!(pasted, json!({ "output": ["done"], "failures": [] }));
    let (name, password, interface) = ("asha".to_owned(), "secret".to_owned(), "ether2".to_owned());
    let dialled = ask(Command::Dial { name, password, interface, mac: String::new() }).await.expect("a dial");
    assert_eq!((&dialled["online"], &dialled["address"]), (&json!(true), &json!("10.5.0.2")));
    let rows = ask(Command::Print { path: "/ppp/active".to_owned(), queries: vec!["name=asha".to_owned()] }).await.expect("rows");
    assert_eq!(rows[0]["address"], "10.5.0.2");
    ask(Command::Clock { set: None, advance: 3_600 }).await.expect("time passes");
    let rows = ask(Command::Print { path: "/ppp/active".to_owned(), queries: vec![] }).await.expect("rows");
    assert!(rows[0]["uptime"].as_str().is_some_and(|uptime| uptime.starts_with("1h")), "{rows}");
    ask(Command::Fault(Fault::Reboot)).await.expect("a restart");
    assert_eq!(ask(Command::Status).await.expect("a status")["boots"], 2);
    assert!(ask(Command::Hangup { name: "nobody".to_owned() }).await.is_err());
    ask(Command::Shutdown).await.expect("it goes");
    simulator.stopped().await;
    simulator.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_line_that_is_no_command_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sim.sock");
    let mut options = Options::new(config("CHR", "7.22.3"));
    options.control = Some(path.clone());
    let _simulator = start(options).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.expect("a socket");
    stream.write_all(b"{\"do\":\"explode\"}\n").await.expect("an open stream");
    let mut buffer = vec![0; 1024];
    let count = stream.read(&mut buffer).await.expect("an answer");
    let reply: serde_json::Value = serde_json::from_slice(&buffer[..count]).expect("JSON");
    assert_eq!(reply["ok"], false);
}

#[tokio::test]
async fn the_loopback_port_obeys_the_service() {
    let mut options = Options::new(config("CHR", "7.22.3"));
    options.api = Some("127.0.0.1:0".parse().expect("an address"));
    options.api_source = Some("10.10.0.1".parse().expect("an address"));
    let simulator = start(options).await;
    let address = simulator.api_address().expect("a port");
    let login = {
        let mut bytes = Vec::new();
        routeros::codec::Sentence::new(["/login", "=name=admin", "=password="]).encode(&mut bytes);
        bytes
    };
    let mut buffer = vec![0; 256];
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(&login).await.expect("an open stream");
    let count = stream.read(&mut buffer).await.expect("an answer");
    assert_eq!(&buffer[..count], b"\x05!done\x00");
    simulator.control(Command::Fault(Fault::CutLink)).await.expect("a cut");
    assert_eq!(stream.read(&mut buffer).await.unwrap_or(0), 0, "a cut ends connections");
    simulator.control(Command::Fault(Fault::RestoreLink)).await.expect("a mend");
    let closed = simulator.shared().paste("/ip service set api address=10.10.0.2/32\n").await.expect("an idle terminal");
    assert_eq!(closed.failures, []);
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The router may be gone before or after the login is written.
    let _sent = stream.write_all(&login).await;
    assert_eq!(stream.read(&mut buffer).await.unwrap_or(0), 0, "the service is bound elsewhere");
}

/// Serves one HTTP request and returns what was asked.
async fn serve_once(listener: TcpListener, body: &'static str) -> String {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut asked = Vec::new();
    let mut buffer = [0; 1024];
    while !asked.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.expect("a request");
        asked.extend_from_slice(&buffer[..count]);
    }
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(reply.as_bytes()).await.expect("an open stream");
    String::from_utf8(asked).expect("text")
}

#[tokio::test]
async fn a_script_is_fetched_and_imported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(serve_once(listener, "/ip pool add name=fetched ranges=10.0.0.1-10.0.0.9\n"));
    let simulator = start(Options::new(config("CHR", "7.22.3"))).await;
    let line = format!(
        "/tool fetch url=\"http://{address}/join.rsc\" http-header-field=\"Authorization: Bearer abc\" dst-path=join.rsc; /import file-name=join.rsc\n"
    );
    let ended = simulator.shared().paste(&line).await.expect("an idle terminal");
    assert_eq!(ended.failures, []);
    assert!(server.await.expect("a request").to_ascii_lowercase().contains("authorization: bearer abc"));
    assert!(simulator.shared().with(|router, _| router.device().find("/ip/pool", "name", "fetched").is_some()));
    let ended =
        simulator.shared().paste(&format!("/tool fetch url=\"http://{address}/join.rsc\"\n")).await.expect("an idle terminal");
    assert!(ended.output[0].starts_with("failure: connection failed"), "{:?}", ended.output);
}
