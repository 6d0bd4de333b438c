//! A long line to a router: everything on it takes its time each way, and nothing waits for anything else.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that are taken from a socket at once.
const CHUNK: usize = 16 << 10;

/// A line in front of a program on this machine. It has threads of its own, so that its times hold while the program that measures is
/// busy; a connection over it takes a round trip to open, and whatever is sent meanwhile is on the line at the same time.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    to: SocketAddr,
    round_trip_us: AtomicU64,
    over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Line {
    /// Lays a line to an address; who connects to [`Line::address`] reaches it.
    ///
    /// # Errors
    /// When this machine has no free port.
    pub fn lay(to: SocketAddr, round_trip: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state =
            Arc::new(State { to, round_trip_us: AtomicU64::new(0), over: AtomicBool::new(false), open: Mutex::default() });
        let line = Self { address, state: state.clone() };
        line.set_round_trip(round_trip);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if state.over.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever connected finds the connection closed.
                let _broken = carry(&state, near);
            }
        });
        Ok(line)
    }

    /// Returns where it begins.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes it longer or shorter for what is sent from now on.
    ///
    /// # Panics
    /// When the time is longer than half a million years.
    pub fn set_round_trip(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).expect("shorter than an age");
        self.state.round_trip_us.store(time, Ordering::Relaxed);
    }

    /// Ends all connections; new ones may be made.
    pub fn cut(&self) {
        for stream in self.state.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It may have ended by itself.
            let _ended = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        self.cut();
        // The listener hears of the end by a last connection.
        let _last = TcpStream::connect(self.address);
    }
}

impl State {
    fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Ordering::Relaxed))
    }
}

fn carry(state: &Arc<State>, near: TcpStream) -> std::io::Result<()> {
    let far = TcpStream::connect(state.to)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ends = [near.try_clone()?, far.try_clone()?];
    state.open.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
    let opens = state.round_trip();
    pass(state.clone(), near.try_clone()?, far.try_clone()?, opens);
    pass(state.clone(), far, near, Duration::ZERO);
    Ok(())
}

/// Hands on what one end says to the other, after half a round trip each.
fn pass(state: Arc<State>, mut from: TcpStream, mut to: TcpStream, opens: Duration) {
    let (sender, under_way) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        for (due, bytes) in under_way {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other end may be gone.
        let _gone = to.shutdown(Shutdown::Write);
    });
    std::thread::spawn(move || {
        std::thread::sleep(opens);
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if sender.send((Instant::now() + state.round_trip() / 2, chunk[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(40);

    /// Answers every byte at once.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || std::io::copy(&mut stream.try_clone().expect("a socket"), &mut &stream));
            }
        });
        address
    }

    #[test]
    fn everything_takes_its_time_together() {
        let line = Line::lay(echo(), ROUND_TRIP).expect("a line");
        let began = Instant::now();
        let mut stream = TcpStream::connect(line.address()).expect("it is open");
        let mut byte = [0];
        stream.write_all(b"a").expect("sent");
        stream.read_exact(&mut byte).expect("answered");
        assert!(began.elapsed() >= 2 * ROUND_TRIP, "one to open, one to ask: {:?}", began.elapsed());
        let began = Instant::now();
        for _ in 0..20 {
            stream.write_all(b"b").expect("sent");
        }
        let mut all = [0; 20];
        stream.read_exact(&mut all).expect("answered");
        assert!((ROUND_TRIP..10 * ROUND_TRIP).contains(&began.elapsed()), "all on the line at once: {:?}", began.elapsed());
        line.set_round_trip(Duration::ZERO);
        line.cut();
        assert_eq!(stream.read(&mut byte).unwrap_or(0), 0, "it was cut");
    }
}
