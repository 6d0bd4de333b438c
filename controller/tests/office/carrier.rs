//! A message gateway that does as it is told: a plain HTTP server on this machine.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers so.
    Status(u16, &'static str),
    /// Takes the request and hangs up without a word.
    HangUp,
    /// Takes the request and says nothing.
    Silence,
}

#[derive(Debug, Default)]
struct Told {
    replies: VecDeque<Reply>,
    /// Heads and bodies.
    seen: Vec<(String, String)>,
}

/// The gateway. What it was not told to do otherwise it answers with 200.
pub struct Carrier {
    pub url: String,
    told: Arc<Mutex<Told>>,
    arrived: Arc<Notify>,
    calls: Arc<AtomicUsize>,
    server: AbortHandle,
}

impl Carrier {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/send", listener.local_addr().expect("an address"));
        let (told, arrived) = (Arc::<Mutex<Told>>::default(), Arc::new(Notify::new()));
        let calls = Arc::<AtomicUsize>::default();
        let (inner, news, counted) = (told.clone(), arrived.clone(), calls.clone());
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, inner.clone(), news.clone()));
            }
        });
        Self { url, told, arrived, calls, server: server.abort_handle() }
    }

    /// Says what is done with the next requests.
    pub fn will(&self, replies: &[Reply]) {
        self.told.lock().expect("no test panics here").replies.extend(replies.iter().cloned());
    }

    /// What came: heads and bodies.
    pub fn seen(&self) -> Vec<(String, String)> {
        self.told.lock().expect("no test panics here").seen.clone()
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.seen().len()
    }

    /// How often somebody called, whether or not a request followed.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Waits until the next request has come.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, told: Arc<Mutex<Told>>, arrived: Arc<Notify>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut buffer = [0; 4096];
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            break (head.to_owned(), length.and_then(|length| length.parse::<usize>().ok()).unwrap_or(0));
        }
    };
    while bytes.len() < head.len() + 4 + length {
        let mut buffer = [0; 4096];
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        bytes.extend_from_slice(&buffer[..read]);
    }
    let body = String::from_utf8_lossy(&bytes[head.len() + 4..]).into_owned();
    let reply = {
        let mut told = told.lock().expect("no test panics here");
        told.seen.push((head, body));
        told.replies.pop_front().unwrap_or(Reply::Status(200, "{}"))
    };
    arrived.notify_one();
    match reply {
        Reply::Status(status, text) => {
            let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Reply::HangUp => {}
        Reply::Silence => std::future::pending().await,
    }
}
