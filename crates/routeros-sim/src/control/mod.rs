//! The control socket: what the world does to a router, as lines of JSON.
//!
//! A line such as `{"do":"dial","name":"asha","password":"…","interface":"ether2"}` is answered with one line, either
//! `{"ok":true,"result":…}` or `{"ok":false,"error":"…"}`.

mod socket;

pub use socket::{ask, bind, exec, serve};

use crate::device::{Packet, Request, Session, text};
use crate::router::{Armed, Customer, CustomerReport, Ended, Mishap, RunId, StartError};
use crate::shell::Shared;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Something that is done to a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Pastes text into the terminal; answers with what it printed and what failed, when all of it has run.
    Paste {
        /// The text.
        text: String,
    },
    /// Imports a script as `/import` does.
    Import {
        /// The script.
        text: String,
    },
    /// Starts the text of an `exec` request that an SSH server took for an account; answers with the run's number.
    Exec {
        /// The account.
        user: String,
        /// The text.
        text: String,
    },
    /// Tells what a run has printed since then, and how it ended.
    Hear {
        /// The run's number.
        run: u64,
        /// How many lines are known already.
        from: usize,
    },
    /// Switches on a PPPoE customer, who dials and stays.
    Dial {
        /// The name it dials with.
        name: String,
        /// The password.
        password: String,
        /// The port it is on, with the VLAN of its packets behind a colon: `ether2:120`.
        interface: String,
        /// Its MAC address; one is made up where none is given.
        #[serde(default)]
        mac: String,
    },
    /// Switches customers off, by name, MAC address or address.
    Hangup {
        /// Which.
        name: String,
    },
    /// Brings a device to a hotspot; with a user it logs in.
    HotspotLogin {
        /// Its MAC address.
        mac: String,
        /// The port or bridge it is on.
        interface: String,
        /// The user it logs in as.
        #[serde(default)]
        user: Option<String>,
        /// The password.
        #[serde(default)]
        password: String,
    },
    /// Switches on a host with an address of its own.
    Static {
        /// The address.
        address: Ipv4Addr,
    },
    /// Brings a device to a network in which addresses are given out.
    Dhcp {
        /// Its MAC address.
        mac: String,
        /// The port or bridge it is on.
        interface: String,
        /// The address that it takes without asking.
        #[serde(default)]
        address: Option<Ipv4Addr>,
    },
    /// Tells how every customer fares.
    Customers,
    /// Tells whether the firewall lets the first packet of a connection in to the router itself; what listens there is another matter.
    Knock {
        /// Where it comes from.
        source: Ipv4Addr,
        /// The interface it comes in by, such as `ether1` or `<pppoe-asha>`.
        interface: String,
        /// `tcp`, `udp` or `icmp`.
        protocol: String,
        /// The port it goes to; zero for none.
        #[serde(default)]
        port: u16,
    },
    /// Sends an echo request into the tunnel that has a peer for an address, and tells whether an answer came within 2 s.
    Ping {
        /// The address.
        address: Ipv4Addr,
    },
    /// Prints a menu as its administrator sees it.
    Print {
        /// The menu: `/ppp/active`.
        path: String,
        /// Query words without their `?`.
        #[serde(default)]
        queries: Vec<String>,
    },
    /// Lets something go wrong, or right again.
    Fault(Fault),
    /// Sets the router's clock, or moves the whole simulated world forward.
    Clock {
        /// What the router's clock shows from now on.
        #[serde(default)]
        set: Option<Timestamp>,
        /// Seconds to move forward, customers and limits included.
        #[serde(default)]
        advance: u64,
    },
    /// Tells which router this is and how its tunnels are.
    Status,
    /// Returns the API sentences that arrived, secrets removed.
    Transcript,
    /// Switches the router off.
    Shutdown,
}

/// Something that goes wrong, or right again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The answers to the next writes over the API get lost; the writes take effect.
    LoseReplies {
        /// How many.
        count: u32,
    },
    /// The uplink carries nothing: tunnel and connections are dead.
    CutLink,
    /// The uplink works again.
    RestoreLink,
    /// The internet behind the uplink works or not, as NTP and customers see it.
    Internet {
        /// Whether it works.
        up: bool,
    },
    /// Power fails for a moment.
    Reboot,
    /// Somebody presses the button on the box, which confirms a device-mode that was asked for.
    Button,
    /// The API sends slowly.
    Slow {
        /// The most bytes in a second; nothing takes the limit away.
        bytes_per_second: Option<u32>,
    },
    /// Something goes wrong at a command over the API, once.
    Strike {
        /// What.
        mishap: Mishap,
        /// The command's menu: `/ip/firewall/filter`.
        menu: String,
        /// The command: `add`.
        command: String,
        /// At how many of these from now on; 1 is the next.
        nth: u32,
        /// What another administrator types.
        #[serde(default)]
        lines: String,
    },
    /// Whatever went wrong is right again: link, speed, sessions, space, rights, device-mode and clock.
    Mend,
    /// Every write takes its time, one after another.
    SlowWrites {
        /// How long each; nothing takes the wait away.
        microseconds: Option<u32>,
    },
    /// Commands in flight together are shuffled from another seed.
    Shuffle {
        /// The seed.
        seed: u64,
    },
}

/// How long a paste or an import may take.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(600);

/// Does a command.
///
/// # Errors
/// A sentence that says why it could not be done.
///
/// # Cancel safety
/// The command may have been done.
pub async fn run(
    shared: &Arc<Shared>,
    command: Command,
    stop: &watch::Sender<bool>,
    api: Option<SocketAddr>,
) -> Result<Value, String> {
    match command {
        Command::Paste { text } => script(shared.paste(&text)).await,
        Command::Import { text } => script(shared.import(&text)).await,
        Command::Exec { user, text } => {
            let run = shared.with(|router, now| router.start_exec(&user, &text, now)).map_err(|error| error.to_string())?;
            Ok(json!({ "run": run.0 }))
        }
        Command::Hear { run, from } => {
            let heard = shared.with(|router, _| router.hear(RunId(run), from)).ok_or_else(|| format!("there is no run {run}"))?;
            let failures = heard.ended.map(|failures| failures.iter().map(ToString::to_string).collect::<Vec<_>>());
            Ok(json!({ "output": heard.output, "failures": failures }))
        }
        Command::Dial { name, password, interface, mac } => customer(shared, Customer::Pppoe { name, password, mac, interface }),
        Command::HotspotLogin { mac, interface, user, password } => {
            customer(shared, Customer::Hotspot { mac, interface, user, password })
        }
        Command::Static { address } => customer(shared, Customer::Static { address }),
        Command::Dhcp { mac, interface, address } => customer(shared, Customer::Dhcp { mac, interface, address }),
        Command::Hangup { name } => match shared.with(|router, now| router.remove_customer(&name, now)) {
            0 => Err(format!("there is no customer `{name}`")),
            count => Ok(json!({ "gone": count })),
        },
        Command::Customers => Ok(json!(shared.with(|router, _| router.customers()))),
        Command::Knock { source, interface, protocol, port } => knock(shared, source, &interface, &protocol, port),
        Command::Ping { address } => {
            let answer = shared.ping(address).await.map_err(|error| error.to_string())?;
            Ok(json!({ "answered": answer.is_some(), "microseconds": answer.map(|time| time.as_micros()) }))
        }
        Command::Print { path, queries } => print(shared, &path, queries),
        Command::Fault(fault) => shared.with(|router, now| fault.apply(router, now)).map(|()| Value::Null),
        Command::Clock { set, advance } => {
            if advance > 0 {
                shared.advance(Duration::from_secs(advance));
            }
            let clock = shared.with(|router, now| {
                if let Some(set) = set {
                    router.device_mut().set_clock(set);
                }
                router.tick(now);
                router.device().clock()
            });
            Ok(json!({ "clock": clock }))
        }
        Command::Status => Ok(status(shared, api)),
        Command::Transcript => {
            let words = |sentence: &routeros::codec::Sentence| -> Vec<String> {
                sentence.words().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
            };
            Ok(json!(shared.with(|router, _| router.transcript().map(words).collect::<Vec<_>>())))
        }
        Command::Shutdown => {
            stop.send_replace(true);
            Ok(Value::Null)
        }
    }
}

async fn script(run: impl Future<Output = Result<Ended, StartError>>) -> Result<Value, String> {
    let ended = tokio::time::timeout(SCRIPT_TIMEOUT, run).await.map_err(|_| "the script runs for too long".to_owned())?;
    let ended = ended.map_err(|error| error.to_string())?;
    let failures: Vec<String> = ended.failures.iter().map(ToString::to_string).collect();
    Ok(json!({ "output": ended.output, "failures": failures }))
}

fn customer(shared: &Shared, customer: Customer) -> Result<Value, String> {
    let report: CustomerReport = shared.with(|router, now| router.add_customer(customer, now))?;
    Ok(json!(report))
}

fn knock(shared: &Shared, source: Ipv4Addr, interface: &str, protocol: &str, port: u16) -> Result<Value, String> {
    let known = ["tcp", "udp", "icmp"].into_iter().find(|known| *known == protocol);
    let protocol = known.ok_or_else(|| format!("`{protocol}` is none of tcp, udp and icmp"))?;
    let packet = Packet { source, destination: Ipv4Addr::UNSPECIFIED, protocol, port, interface, state: "new" };
    Ok(json!({ "let-in": shared.with(|router, _| router.device().accepts(packet)) }))
}

fn print(shared: &Shared, path: &str, queries: Vec<String>) -> Result<Value, String> {
    let mut request = Request::new(path, "print").arg("show-sensitive", "yes");
    request.queries = queries;
    let output = shared.with(|router, now| router.execute(&Session::console(), &request, now)).map_err(|trap| trap.message)?;
    let row = |row: &crate::device::Shown| -> serde_json::Map<String, Value> {
        row.iter().map(|(name, value)| (name.clone(), json!(text::readable(value)))).collect()
    };
    Ok(json!(output.rows.iter().map(row).collect::<Vec<_>>()))
}

fn status(shared: &Shared, api: Option<SocketAddr>) -> Value {
    shared.with(|router, _| {
        let device = router.device();
        let config = device.config();
        let tunnels: Vec<Value> = device
            .tunnels()
            .iter()
            .map(|tunnel| {
                let peers: Vec<Value> = tunnel
                    .peers
                    .iter()
                    .map(|peer| {
                        let status = device.peer_status(peer.id);
                        json!({
                            "public-key": peer.public_key.to_string(),
                            "last-handshake": status.and_then(|status| status.last_handshake),
                            "received": status.map_or(0, |status| status.received),
                            "sent": status.map_or(0, |status| status.sent),
                        })
                    })
                    .collect();
                json!({ "name": tunnel.name, "address": tunnel.address, "peers": peers })
            })
            .collect();
        json!({
            "identity": device.identity(),
            "board": config.board.name,
            "version": config.version.to_string(),
            "serial": config.serial,
            "device-mode": config.mode.word(),
            "clock": device.clock(),
            "boots": router.boots(),
            "link": router.faults.link,
            "waits": router.faults.armed.as_ref().map(|armed| armed.mishap),
            "api": api,
            "tunnels": tunnels,
            "customers": router.customers().len(),
        })
    })
}

impl Fault {
    fn apply(&self, router: &mut crate::router::Router, now: Timestamp) -> Result<(), String> {
        match self {
            Self::LoseReplies { count } => router.faults.lose_replies = *count,
            Self::CutLink => router.faults.link = false,
            Self::RestoreLink => router.faults.link = true,
            Self::Internet { up } => router.device_mut().set_internet(*up),
            Self::Reboot => router.reboot(now),
            Self::Button => {
                if !router.device_mut().press_button() {
                    return Err("no device-mode waits for the button".to_owned());
                }
                router.tick(now);
            }
            Self::Slow { bytes_per_second } => router.faults.bytes_per_second = *bytes_per_second,
            Self::Strike { mishap, menu, command, nth, lines } => {
                router.faults.armed = Some(Armed {
                    mishap: *mishap,
                    menu: menu.clone(),
                    command: command.clone(),
                    nth: *nth,
                    lines: lines.clone(),
                });
            }
            Self::Mend => router.mend(now),
            Self::SlowWrites { microseconds } => {
                router.faults.write_time = microseconds.map(|time| Duration::from_micros(time.into()));
            }
            Self::Shuffle { seed } => router.seed_shuffle(*seed),
        }
        router.device_mut().touch();
        Ok(())
    }
}
