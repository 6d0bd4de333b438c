//! What the hub adds to bare boringtun, on one core: handshakes answered, full packets in and out, memory of peers.
//!
//! Everything goes through memory, without sockets, and time is this thread's time on a core.

use anyhow::{Context as _, ensure};
use boringtun::noise::handshake::parse_handshake_anon;
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Packet, Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use ipnetwork::Ipv4Network;
use model::{Secret, WgPublicKey};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};
use system_tests::bench::{Figure, core_time, print, progress};
use tunnel::{Hub, HubConfig, Limits, NetEvent, Node, Peer, Rate, Read, Spoke, SpokeConfig, SpokePeer, StreamId, Transmit};

const BORINGTUN: &str = "bare boringtun";
/// Routers that shake hands in turn.
const ROUTERS: u32 = 500;
const HANDSHAKE_ROUNDS: u32 = 12;
/// Packets that are prepared and then taken in one go.
const BATCH: usize = 1000;
const BATCHES: usize = 60;
/// What fills a packet of 1420 bytes: a datagram without its IPv4 and UDP headers.
const PAYLOAD: [u8; 1392] = [0x5a; 1392];
/// The same packet in a WireGuard datagram, with its header of 16 bytes and its tag of 16.
const FULL: usize = 1452;
/// What a TCP segment carries in such a packet.
const SEGMENT: usize = 1380;
const PEERS: u32 = 10_000;
const PORT: u16 = 5000;
const HUB: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 0);
/// Where datagrams seem to come from and go to (RFC 5737).
const ENDPOINT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 51820);

fn main() -> anyhow::Result<()> {
    // First, before anything else has taken memory and given it back.
    let mut figures = vec![memory()?];
    figures.extend(handshakes()?);
    figures.extend(packets()?);
    Ok(print(&figures)?)
}

#[expect(clippy::disallowed_methods, reason = "the bench is the shell around the hub")]
fn now() -> Instant {
    Instant::now()
}

/// The private key of a number; 0 is the hub's.
fn key(number: u32) -> [u8; 32] {
    let mut key = [0x40; 32];
    key[1..5].copy_from_slice(&number.to_le_bytes());
    key
}

fn public(number: u32) -> PublicKey {
    PublicKey::from(&StaticSecret::from(key(number)))
}

fn hub(peers: u32) -> anyhow::Result<Hub> {
    // The limits against floods stay in the way of the datagrams, but out of the figures.
    let limits =
        Limits { handshakes_per_s: u64::MAX, per_source: Rate { per_s: u32::MAX, burst: u32::MAX }, ..Limits::default() };
    let mut hub = Hub::new(HubConfig { limits, ..HubConfig::new(Secret::new(key(0))) }, 1, now());
    for number in 0..peers {
        let public_key = WgPublicKey::from_bytes(public(number + 1).to_bytes());
        let address = Ipv4Addr::from(u32::from(ROUTER) + number);
        hub.set_peer(Peer { public_key, preshared_key: Secret::new(key(number)), address, endpoint: None }, now())?;
    }
    Ok(hub)
}

fn bare(peers: u32) -> Vec<Tunn> {
    let limiter = Arc::new(RateLimiter::new(&public(0), u64::MAX));
    let tunn = |number| {
        let limiter = Some(Arc::clone(&limiter));
        Tunn::new(StaticSecret::from(key(0)), public(number + 1), Some(key(number)), None, number, limiter)
    };
    (0..peers).map(tunn).collect()
}

/// Returns this program's resident memory (KiB).
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("Linux tells the memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn memory() -> anyhow::Result<Figure> {
    progress("memory of configured peers");
    let start = resident()?;
    let hub = hub(PEERS)?;
    let with_hub = resident()?;
    let tunns = bare(PEERS);
    let with_both = resident()?;
    ensure!(hub.stats().peers == tunns.len(), "both have all peers");
    let mib = |from: f64, to: f64| (to - from) / 1024.0;
    let figure = Figure::new("memory of 10,000 configured peers", mib(start, with_hub), "MiB");
    Ok(figure.beside(BORINGTUN, Some(mib(with_hub, with_both))).at_most(1.25))
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn handshakes() -> anyhow::Result<Vec<Figure>> {
    progress("handshakes");
    let mut hub = hub(ROUTERS)?;
    let (mut known, mut looked_up) = (bare(ROUTERS), Lookup::new(ROUTERS));
    let router = |number| Tunn::new(StaticSecret::from(key(number + 1)), public(0), Some(key(number)), None, number, None);
    let mut routers: Vec<Tunn> = (0..ROUTERS).map(router).collect();
    let mut buffer = vec![0; 2048];
    let [mut ours, mut theirs, mut theirs_looked_up] = [Duration::ZERO; 3];
    for _ in 0..HANDSHAKE_ROUNDS {
        let initiations = routers.iter_mut().map(initiation).collect::<anyhow::Result<Vec<_>>>()?;
        let (answered, time) = core_time(|| {
            let mut answered = 0;
            for initiation in &initiations {
                hub.handle_datagram(ENDPOINT, initiation, now());
                while hub.poll_transmit().is_some() {
                    answered += 1;
                }
            }
            answered
        });
        ensure!(answered == initiations.len(), "the hub answered {answered}");
        ours += time;
        let (answered, time) = core_time(|| {
            let answers = std::iter::zip(&mut known, &initiations);
            answers.filter_map(|(tunn, initiation)| answers_with(tunn, initiation, &mut buffer).then_some(())).count()
        });
        ensure!(answered == initiations.len(), "boringtun answered {answered}");
        theirs += time;
        let (answered, time) =
            core_time(|| initiations.iter().filter(|initiation| looked_up.answers(initiation, &mut buffer)).count());
        ensure!(answered == initiations.len(), "boringtun with a lookup answered {answered}");
        theirs_looked_up += time;
    }
    let count = (ROUTERS * HANDSHAKE_ROUNDS) as usize;
    let [ours, theirs, theirs_looked_up] = [ours, theirs, theirs_looked_up].map(|time| per_second(count, time));
    let figure = |what| Figure::new(what, ours, "per s and core");
    Ok(vec![
        figure("handshakes answered").beside("boringtun that is told the peer", Some(theirs)).at_least(0.7),
        figure("handshakes answered").beside("boringtun that looks the peer up", Some(theirs_looked_up)).at_least(0.9),
    ])
}

fn initiation(router: &mut Tunn) -> anyhow::Result<Vec<u8>> {
    let mut buffer = [0; 256];
    match router.format_handshake_initiation(&mut buffer, true) {
        TunnResult::WriteToNetwork(datagram) => Ok(datagram.to_vec()),
        other => anyhow::bail!("no initiation but {other:?}"),
    }
}

fn answers_with(tunn: &mut Tunn, datagram: &[u8], buffer: &mut [u8]) -> bool {
    matches!(tunn.decapsulate(None, datagram, buffer), TunnResult::WriteToNetwork(_))
}

/// The least that anybody does who has many peers behind one socket: a MAC, the claimed key, its tunnel.
struct Lookup {
    private: StaticSecret,
    public: PublicKey,
    limiter: RateLimiter,
    by_key: BTreeMap<[u8; 32], usize>,
    tunns: Vec<Tunn>,
}

impl Lookup {
    fn new(peers: u32) -> Self {
        let by_key = (0..peers).map(|number| (public(number + 1).to_bytes(), number as usize)).collect();
        let (private, public) = (StaticSecret::from(key(0)), public(0));
        let limiter = RateLimiter::new(&public, u64::MAX);
        Self { private, public, limiter, by_key, tunns: bare(peers) }
    }

    fn answers(&mut self, datagram: &[u8], buffer: &mut [u8]) -> bool {
        let verified = self.limiter.verify_packet(Some(ENDPOINT.ip()), datagram, buffer);
        let Ok(Packet::HandshakeInit(initiation)) = verified else { return false };
        let Ok(claim) = parse_handshake_anon(&self.private, &self.public, &initiation) else { return false };
        let Some(place) = self.by_key.get(&claim.peer_static_public) else { return false };
        answers_with(&mut self.tunns[*place], datagram, buffer)
    }
}

/// A router with the tunnel of number 0.
fn router() -> Spoke {
    let mut spoke = Spoke::new(&SpokeConfig::new(Secret::new(key(1)), ROUTER), 2, now());
    let peer = SpokePeer {
        public_key: WgPublicKey::from_bytes(public(0).to_bytes()),
        preshared_key: Some(Secret::new(key(0))),
        allowed: vec![Ipv4Network::from(HUB)],
        endpoint: Some(ENDPOINT),
        keepalive_secs: 25,
    };
    spoke.set_peers(vec![peer], now());
    spoke
}

fn take(node: &mut impl Node) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| node.poll_transmit()).map(|Transmit { payload, .. }| payload).collect()
}

fn give(node: &mut impl Node, datagrams: &[Vec<u8>]) {
    for datagram in datagrams {
        node.handle_datagram(ENDPOINT, datagram, now());
    }
}

/// Full packets from a router, ready to be taken in by the hub or by boringtun.
fn full_packets(router: &mut Spoke) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut all = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        router.send_datagram(PORT, SocketAddrV4::new(HUB, PORT), &PAYLOAD, now())?;
        all.extend(take(router).into_iter().filter(|datagram| datagram.len() == FULL));
    }
    ensure!(all.len() == BATCH, "{} of {BATCH} packets are full", all.len());
    Ok(all)
}

fn packets() -> anyhow::Result<Vec<Figure>> {
    progress("packets");
    let mut hub = hub(ROUTERS)?;
    let mut near = router();
    for _ in 0..2 {
        give(&mut hub, &take(&mut near));
        give(&mut near, &take(&mut hub));
    }
    ensure!(hub.stats().peers_up == 1, "the router is up");
    let (bare_in, bare_out) = bare_packets()?;
    let (datagrams_in, datagrams_out) = datagrams(&mut hub, &mut near)?;
    let (stream_in, stream_out) = streams(&mut hub, &mut near)?;
    let figure = |what: &str, value, bare| Figure::new(what, value, "per s and core").beside(BORINGTUN, Some(bare));
    Ok(vec![
        figure("1420-byte packets in, with datagrams", datagrams_in, bare_in).at_least(0.7),
        figure("1420-byte packets out, with datagrams", datagrams_out, bare_out).at_least(0.7),
        figure("1420-byte packets in, with a TCP stream", stream_in, bare_in).at_least(0.5),
        figure("1420-byte packets out, with a TCP stream", stream_out, bare_out).at_least(0.5),
    ])
}

/// Returns packets a second into and out of boringtun alone.
fn bare_packets() -> anyhow::Result<(f64, f64)> {
    let mut router = router();
    let mut tunn = bare(1).pop().context("one was asked for")?;
    let mut buffer = vec![0; 2048];
    for datagram in take(&mut router) {
        if let TunnResult::WriteToNetwork(answer) = tunn.decapsulate(None, &datagram, &mut buffer) {
            router.handle_datagram(ENDPOINT, answer, now());
        }
    }
    let [mut inward, mut outward] = [Duration::ZERO; 2];
    for _ in 0..BATCHES {
        let packets = full_packets(&mut router)?;
        let mut opens = |packet: &[u8]| match tunn.decapsulate(None, packet, &mut buffer) {
            TunnResult::WriteToTunnelV4(inner, _) => inner.len() == 1420,
            _ => false,
        };
        let (opened, time) = core_time(|| packets.iter().filter(|packet| opens(packet)).count());
        ensure!(opened == BATCH, "boringtun opened {opened} of {BATCH}");
        inward += time;
        let inner = vec![0x45; 1420];
        let mut seals = || matches!(tunn.encapsulate(&inner, &mut buffer), TunnResult::WriteToNetwork(_));
        let (sealed, time) = core_time(|| (0..BATCH).filter(|_| seals()).count());
        ensure!(sealed == BATCH, "boringtun sealed {sealed} of {BATCH}");
        outward += time;
    }
    Ok((per_second(BATCH * BATCHES, inward), per_second(BATCH * BATCHES, outward)))
}

/// Returns packets a second into and out of the hub, each a datagram that a program takes or sends.
fn datagrams(hub: &mut Hub, router: &mut Spoke) -> anyhow::Result<(f64, f64)> {
    hub.open_datagrams(PORT)?;
    let to = SocketAddrV4::new(ROUTER, PORT);
    let [mut inward, mut outward] = [Duration::ZERO; 2];
    for _ in 0..BATCHES {
        let packets = full_packets(router)?;
        let (taken, time) = core_time(|| {
            let mut taken = 0;
            for packet in &packets {
                hub.handle_datagram(ENDPOINT, packet, now());
                while let Some(event) = hub.poll_net_event() {
                    taken += usize::from(matches!(event, NetEvent::Datagram { .. }));
                }
            }
            taken
        });
        ensure!(taken == BATCH, "the hub took {taken} of {BATCH}");
        inward += time;
        let (sent, time) = core_time(|| {
            let mut sent = 0;
            for _ in 0..BATCH {
                hub.send_datagram(PORT, to, &PAYLOAD, now())?;
                while let Some(transmit) = hub.poll_transmit() {
                    sent += usize::from(transmit.payload.len() == FULL);
                }
            }
            anyhow::Ok(sent)
        });
        let sent = sent?;
        ensure!(sent == BATCH, "the hub sent {sent} of {BATCH}");
        outward += time;
    }
    Ok((per_second(BATCH * BATCHES, inward), per_second(BATCH * BATCHES, outward)))
}

/// Returns full packets a second of a TCP stream into and out of the hub; acknowledgements are the hub's work too.
fn streams(hub: &mut Hub, router: &mut Spoke) -> anyhow::Result<(f64, f64)> {
    hub.listen(PORT)?;
    let far = router.connect(SocketAddrV4::new(HUB, PORT), now())?;
    for _ in 0..2 {
        give(hub, &take(router));
        give(router, &take(hub));
    }
    let accepted = std::iter::from_fn(|| hub.poll_net_event()).find_map(|event| match event {
        NetEvent::Accepted { stream, .. } => Some(stream),
        _ => None,
    });
    let near = accepted.context("the stream opens")?;
    let inward = flow(router, far, hub, near, Timed::Reader)?;
    let outward = flow(hub, near, router, far, Timed::Writer)?;
    Ok((inward, outward))
}

/// Whose work counts.
#[derive(Clone, Copy, PartialEq)]
enum Timed {
    Reader,
    Writer,
}

/// Moves a stream's bytes from one node to another and returns full packets a second of the one whose work is timed.
fn flow<A: Node, B: Node>(writer: &mut A, from: StreamId, reader: &mut B, to: StreamId, timed: Timed) -> anyhow::Result<f64> {
    let bytes = vec![0x5a; 64 * 1024];
    let mut buffer = vec![0; 64 * 1024];
    let mut acknowledgements = Vec::new();
    let (mut received, mut idle) = (0, 0);
    let [mut writing, mut reading] = [Duration::ZERO; 2];
    while received < BATCH * BATCHES * SEGMENT {
        let (datagrams, time) = core_time(|| {
            give(writer, &acknowledgements);
            writer.write(from, &bytes);
            writer.flush(now());
            take(writer)
        });
        writing += time;
        let before = received;
        let time;
        (acknowledgements, time) = core_time(|| {
            give(reader, &datagrams);
            while let Read::Data(count) = reader.read(to, &mut buffer) {
                received += count;
            }
            reader.flush(now());
            take(reader)
        });
        reading += time;
        idle = if received == before { idle + 1 } else { 0 };
        ensure!(idle < 100, "the stream stands still after {received} bytes");
    }
    Ok(per_second(received / SEGMENT, if timed == Timed::Reader { reading } else { writing }))
}
