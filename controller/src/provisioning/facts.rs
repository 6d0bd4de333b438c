//! Reads from a router what preflight and the recipes need to know of it, in one pipelined round.

use crate::app::App;
use ipnetwork::{IpNetwork, Ipv4Network};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use model::{Bytes, VersionError};
use reconcile::preflight::{
    Api, DeviceMode, FactsObserved, Interface, InterfaceAddress, Pool, Role, Server, ServerKind, fits, preflight, roles,
};
use reconcile::{AddressRange, Finding, Service, Severity};
use routeros::catalogue::{self as cat, ID, Kind, Menu};
use routeros::client::{CallError, Client, Response};
use routeros::codec::Row;
use routeros::errors::TrapKind;
use routeros::{Command, Query};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// The tunnel's interface, as enrolment names it.
pub const TUNNEL_INTERFACE: &str = "wg-mastwire";
/// Commands in flight while reading: all of them, in one round trip. A virtual router hung at 25 of some commands.
const IN_FLIGHT: usize = 24;

/// Why a router could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A print failed.
    #[error("reading {menu} failed")]
    Call {
        menu: &'static str,
        #[source]
        source: CallError,
    },
    /// The version is none.
    #[error("the router's version is not understood")]
    Version(#[source] VersionError),
    /// The clock is none.
    #[error("the router's clock is not understood")]
    Clock,
    /// The time since its start is none.
    #[error("the time since the router's start is not understood")]
    Uptime,
}

/// What was read.
#[derive(Debug, Clone)]
pub struct RouterFacts {
    /// What preflight judges.
    pub observed: FactsObserved,
    /// The router's own zone.
    pub zone: TimeZone,
    /// Its serial number; the licence's id on a virtual router.
    pub serial: String,
    /// Its board.
    pub board: String,
}

impl RouterFacts {
    /// Says where the chosen services do not fit the router.
    #[must_use]
    pub fn misfits(&self, chosen: &[Service]) -> Vec<Finding> {
        chosen.iter().flat_map(|service| fits(&self.observed, service)).collect()
    }

    /// What has to be mended before the chosen services can be set up.
    #[must_use]
    pub fn blockers(&self, chosen: &[Service]) -> Vec<Finding> {
        let hotspot = chosen.iter().any(|service| matches!(service, Service::Hotspot(_)));
        let stands_in_the_way = |finding: &Finding| {
            finding.severity == Severity::Blocker
                || (hotspot && matches!(finding.code, "device-mode-hotspot" | "hotspot-package"))
        };
        preflight(&self.observed).into_iter().chain(self.misfits(chosen)).filter(stands_in_the_way).collect()
    }

    /// The facts that recipes are built on, at a given time.
    #[must_use]
    pub fn for_site(&self, now: Timestamp) -> reconcile::Facts {
        reconcile::Facts {
            version: self.observed.version,
            now,
            zone: self.zone.clone(),
            clock_set: self.observed.clock_set(),
            scheduler_allowed: self.observed.device_mode.is_none_or(|mode| mode.scheduler),
            fasttrack: self.observed.fasttrack,
            management_ports: self.observed.management_ports.clone(),
            outside: self.observed.outside(),
            hotspot: self.observed.hotspot(),
        }
    }
}

/// What stands in the way of serving customers, for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Preflight {
    /// The RouterOS version.
    pub version: String,
    /// The board.
    pub board: String,
    /// The serial number.
    pub serial: String,
    /// Obstacles, the worst first.
    pub findings: Vec<FindingView>,
    /// The interfaces and what they are used for.
    pub interfaces: Vec<InterfaceView>,
}

/// One obstacle.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FindingView {
    /// What kind, stable, such as `device-mode-hotspot`.
    pub code: String,
    /// `blocker`, `warning` or `info`.
    pub severity: String,
    /// What is the matter.
    pub text: String,
    /// What to type into the router's terminal.
    pub command: Option<String>,
}

impl From<&reconcile::Finding> for FindingView {
    fn from(finding: &reconcile::Finding) -> Self {
        let severity = match finding.severity {
            Severity::Blocker => "blocker",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        Self {
            code: finding.code.to_owned(),
            severity: severity.to_owned(),
            text: finding.text.clone(),
            command: finding.command.clone(),
        }
    }
}

/// One interface.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InterfaceView {
    /// Its name.
    pub name: String,
    /// `wan`, `tunnel`, `port`, `serves`, `lan` or `free`, with what makes it so.
    pub role: String,
}

impl Preflight {
    /// Judges what was read.
    #[must_use]
    pub fn of(facts: &RouterFacts) -> Self {
        Self {
            version: facts.observed.version.to_string(),
            board: facts.board.clone(),
            serial: facts.serial.clone(),
            findings: preflight(&facts.observed).iter().map(FindingView::from).collect(),
            interfaces: roles(&facts.observed)
                .into_iter()
                .map(|(name, role)| InterfaceView { name: name.to_owned(), role: describe(&role) })
                .collect(),
        }
    }
}

fn describe(role: &Role) -> String {
    match role {
        Role::Wan => "wan".to_owned(),
        Role::Tunnel => "tunnel".to_owned(),
        Role::Port { bridge } => format!("port of {bridge}"),
        Role::Serves { kind: ServerKind::Pppoe } => "serves pppoe".to_owned(),
        Role::Serves { kind: ServerKind::Hotspot } => "serves hotspot".to_owned(),
        Role::Serves { kind: ServerKind::Dhcp } => "serves dhcp".to_owned(),
        Role::Lan { address } => format!("lan {address}"),
        Role::Free => "free".to_owned(),
    }
}

/// One print of many.
struct Ask {
    menu: &'static Menu,
    names: &'static [&'static str],
    query: Option<Query>,
    /// The menu is not there on every router.
    optional: bool,
}

const fn ask(menu: &'static Menu, names: &'static [&'static str]) -> Ask {
    Ask { menu, names, query: None, optional: false }
}

const fn maybe(menu: &'static Menu, names: &'static [&'static str]) -> Ask {
    Ask { menu, names, query: None, optional: true }
}

fn asks() -> Vec<Ask> {
    let mut asks = vec![
        ask(
            &cat::system_resource::MENU,
            &[
                cat::system_resource::VERSION,
                cat::system_resource::ARCHITECTURE_NAME,
                cat::system_resource::BOARD_NAME,
                cat::system_resource::FREE_HDD_SPACE,
            ],
        ),
        maybe(&cat::system_routerboard::MENU, &[cat::system_routerboard::SERIAL_NUMBER, cat::system_routerboard::MODEL]),
        ask(&cat::system_license::MENU, &[cat::system_license::SYSTEM_ID]),
        ask(
            &cat::system_clock::MENU,
            &[cat::system_clock::TIME, cat::system_clock::DATE, cat::system_clock::TIME_ZONE_NAME, cat::system_clock::GMT_OFFSET],
        ),
        maybe(
            &cat::system_device_mode::MENU,
            &[cat::system_device_mode::HOTSPOT, cat::system_device_mode::SCHEDULER, cat::system_device_mode::FETCH],
        ),
        ask(&cat::system_package::MENU, &[cat::system_package::NAME, cat::system_package::DISABLED]),
        ask(&cat::ip_address::MENU, &[cat::ip_address::ADDRESS, cat::ip_address::INTERFACE, cat::ip_address::DISABLED]),
        ask(&cat::ip_pool::MENU, &[cat::ip_pool::NAME, cat::ip_pool::RANGES, cat::ip_pool::COMMENT]),
        ask(
            &cat::interface_pppoe_server_server::MENU,
            &[
                cat::interface_pppoe_server_server::SERVICE_NAME,
                cat::interface_pppoe_server_server::INTERFACE,
                cat::interface_pppoe_server_server::COMMENT,
                cat::interface_pppoe_server_server::DISABLED,
            ],
        ),
        ask(
            &cat::ip_dhcp_server::MENU,
            &[
                cat::ip_dhcp_server::NAME,
                cat::ip_dhcp_server::INTERFACE,
                cat::ip_dhcp_server::COMMENT,
                cat::ip_dhcp_server::DISABLED,
            ],
        ),
        maybe(
            &cat::ip_hotspot::MENU,
            &[cat::ip_hotspot::NAME, cat::ip_hotspot::INTERFACE, cat::ip_hotspot::PROFILE, cat::ip_hotspot::DISABLED],
        ),
        maybe(&cat::ip_hotspot_profile::MENU, &[cat::ip_hotspot_profile::NAME, cat::ip_hotspot_profile::USE_RADIUS]),
    ];
    asks.extend(traffic_asks());
    asks.extend(interface_asks());
    asks
}

/// Where traffic goes, and who reaches the router itself.
fn traffic_asks() -> Vec<Ask> {
    let is = |name: &'static str, value: &'static str| Query::Is(name, value.into());
    vec![
        Ask {
            query: Some(is(cat::ip_route::DST_ADDRESS, "0.0.0.0/0")),
            ..ask(
                &cat::ip_route::MENU,
                &[
                    cat::ip_route::IMMEDIATE_GW,
                    cat::ip_route::GATEWAY,
                    cat::ip_route::ROUTING_TABLE,
                    cat::ip_route::ACTIVE,
                    cat::ip_route::DISABLED,
                ],
            )
        },
        Ask {
            query: Some(is(cat::ip_firewall_filter::ACTION, "fasttrack-connection")),
            ..ask(&cat::ip_firewall_filter::MENU, &[cat::ip_firewall_filter::DISABLED])
        },
        Ask {
            query: Some(is(cat::ip_firewall_nat::CHAIN, "srcnat")),
            ..ask(&cat::ip_firewall_nat::MENU, &[cat::ip_firewall_nat::ACTION, cat::ip_firewall_nat::DISABLED])
        },
        ask(&cat::ppp_aaa::MENU, &[cat::ppp_aaa::USE_RADIUS]),
        ask(&cat::ip_dns::MENU, &[cat::ip_dns::ALLOW_REMOTE_REQUESTS]),
        ask(
            &cat::ip_service::MENU,
            &[cat::ip_service::NAME, cat::ip_service::PORT, cat::ip_service::ADDRESS, cat::ip_service::DISABLED],
        ),
    ]
}

fn interface_asks() -> Vec<Ask> {
    vec![
        ask(&cat::interface::MENU, &[cat::interface::NAME, cat::interface::TYPE, cat::interface::DYNAMIC]),
        ask(
            &cat::interface_bridge_port::MENU,
            &[cat::interface_bridge_port::INTERFACE, cat::interface_bridge_port::BRIDGE, cat::interface_bridge_port::DISABLED],
        ),
        ask(&cat::interface_ethernet::MENU, &[cat::interface_ethernet::NAME, cat::interface_ethernet::ARP]),
        ask(&cat::interface_bridge::MENU, &[cat::interface_bridge::NAME, cat::interface_bridge::ARP]),
        ask(
            &cat::interface_vlan::MENU,
            &[cat::interface_vlan::NAME, cat::interface_vlan::INTERFACE, cat::interface_vlan::VLAN_ID, cat::interface_vlan::ARP],
        ),
    ]
}

/// The answers by menu.
struct Answers(Vec<(&'static str, Vec<Row>)>);

impl Answers {
    fn rows(&self, menu: &Menu) -> &[Row] {
        self.0.iter().find(|(path, _)| *path == menu.path).map_or(&[], |(_, rows)| rows)
    }

    /// The rows that are neither disabled nor absent.
    fn enabled<'a>(&'a self, menu: &Menu) -> impl Iterator<Item = &'a Row> {
        self.rows(menu).iter().filter(|row| !row.flag(cat::interface_bridge_port::DISABLED))
    }

    fn text(&self, menu: &Menu, name: &str) -> Option<&str> {
        self.rows(menu).first().and_then(|row| row.text(name)).filter(|text| !text.is_empty())
    }

    fn flag(&self, menu: &Menu, name: &str) -> bool {
        self.rows(menu).first().is_some_and(|row| row.flag(name))
    }
}

/// Reads the facts.
///
/// # Errors
/// When the router does not answer or answers what is not understood.
pub async fn read(app: &App, client: &Client) -> Result<RouterFacts, FactsError> {
    let asks = asks();
    let commands: Vec<Command> = asks
        .iter()
        .map(|ask| {
            let names = [ID].into_iter().filter(|_| ask.menu.shape != cat::Shape::Singleton).chain(ask.names.iter().copied());
            let command = Command::print(ask.menu).proplist(names);
            ask.query.iter().fold(command, Command::query)
        })
        .collect();
    let now = app.clock.now();
    let mut answers = Vec::new();
    for (ask, result) in asks.iter().zip(client.call_all(&commands, IN_FLIGHT).await) {
        answers.push((ask.menu.path, rows(ask, result)?));
    }
    interpret(app, &Answers(answers), now)
}

fn rows(ask: &Ask, result: Result<Response, CallError>) -> Result<Vec<Row>, FactsError> {
    match result {
        Ok(response) => Ok(response.rows),
        Err(CallError::Trap(trap)) if ask.optional && TrapKind::classify(&trap) == TrapKind::NoSuchCommand => Ok(Vec::new()),
        Err(source) => Err(FactsError::Call { menu: ask.menu.path, source }),
    }
}

fn interpret(app: &App, answers: &Answers, now: Timestamp) -> Result<RouterFacts, FactsError> {
    let resource = &cat::system_resource::MENU;
    let version =
        answers.text(resource, cat::system_resource::VERSION).unwrap_or_default().parse().map_err(FactsError::Version)?;
    let (clock, zone) = clock(answers).ok_or(FactsError::Clock)?;
    let mode = &cat::system_device_mode::MENU;
    let device_mode = (!answers.rows(mode).is_empty()).then(|| DeviceMode {
        hotspot: answers.flag(mode, cat::system_device_mode::HOTSPOT),
        scheduler: answers.flag(mode, cat::system_device_mode::SCHEDULER),
        fetch: answers.flag(mode, cat::system_device_mode::FETCH),
    });
    let route = &cat::ip_route::MENU;
    let observed = FactsObserved {
        version,
        architecture: answers.text(resource, cat::system_resource::ARCHITECTURE_NAME).unwrap_or_default().to_owned(),
        free_flash: Bytes(answers.text(resource, cat::system_resource::FREE_HDD_SPACE).and_then(bytes).unwrap_or(0)),
        packages: answers
            .enabled(&cat::system_package::MENU)
            .filter_map(|row| Some(row.text(cat::system_package::NAME)?.to_owned()))
            .collect(),
        device_mode,
        now,
        clock,
        supernet: app.config.supernet,
        tunnel: TUNNEL_INTERFACE.to_owned(),
        interfaces: interfaces(answers),
        addresses: addresses(answers),
        pools: answers.rows(&cat::ip_pool::MENU).iter().map(pool).collect(),
        servers: servers(answers),
        default_routes: answers.rows(route).iter().filter(|row| row.flag(cat::ip_route::ACTIVE)).map(leaves_by).collect(),
        ways_out: answers.enabled(route).filter(|row| in_main_table(row)).filter_map(leaves_by).collect(),
        resolver: answers.flag(&cat::ip_dns::MENU, cat::ip_dns::ALLOW_REMOTE_REQUESTS),
        management_ports: management_ports(answers),
        fasttrack: answers.enabled(&cat::ip_firewall_filter::MENU).next().is_some(),
        source_nat: answers
            .enabled(&cat::ip_firewall_nat::MENU)
            .any(|row| matches!(row.text(cat::ip_firewall_nat::ACTION), Some("masquerade" | "src-nat"))),
        ppp_radius: answers.flag(&cat::ppp_aaa::MENU, cat::ppp_aaa::USE_RADIUS),
        hotspot_radius: radius_profiles(answers),
        api: api(answers),
    };
    let serial = answers
        .text(&cat::system_routerboard::MENU, cat::system_routerboard::SERIAL_NUMBER)
        .or_else(|| answers.text(&cat::system_license::MENU, cat::system_license::SYSTEM_ID))
        .unwrap_or_default()
        .to_owned();
    let board = answers.text(resource, cat::system_resource::BOARD_NAME).unwrap_or_default().to_owned();
    Ok(RouterFacts { observed, zone, serial, board })
}

/// The router's clock brought to UTC, and its zone: by name where it has one, else the offset it shows.
fn clock(answers: &Answers) -> Option<(Timestamp, TimeZone)> {
    use cat::system_clock as clock;
    let menu = &clock::MENU;
    // Dates read `2026-11-21` from 7.10 on and `nov/21/2026` before; the canonical form is the former.
    let date: Date = Kind::Date.canonical(answers.text(menu, clock::DATE)?.as_bytes()).ok()?.parse().ok()?;
    let time: Time = answers.text(menu, clock::TIME)?.parse().ok()?;
    let offset = answers.text(menu, clock::GMT_OFFSET).and_then(offset).unwrap_or(Offset::UTC);
    let zone = answers
        .text(menu, clock::TIME_ZONE_NAME)
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or_else(|| TimeZone::fixed(offset));
    let clock = TimeZone::fixed(offset).to_timestamp(date.to_datetime(time)).ok()?;
    Some((clock, zone))
}

/// Reads `+03:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("-", rest) => (-1, rest),
        ("+", rest) => (1, rest),
        _ => (1, text),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// Free space comes as a number of bytes over the API, as `10.5MiB` in the terminal.
fn bytes(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn interfaces(answers: &Answers) -> Vec<Interface> {
    let ports: Vec<(&str, &str)> = answers
        .enabled(&cat::interface_bridge_port::MENU)
        .filter_map(|row| Some((row.text(cat::interface_bridge_port::INTERFACE)?, row.text(cat::interface_bridge_port::BRIDGE)?)))
        .collect();
    let arps = [&cat::interface_ethernet::MENU, &cat::interface_bridge::MENU, &cat::interface_vlan::MENU]
        .into_iter()
        .flat_map(|menu| answers.rows(menu))
        .filter_map(|row| Some((row.text(cat::interface_bridge::NAME)?, row.text(cat::interface_bridge::ARP)?)));
    let arps: BTreeMap<&str, &str> = arps.collect();
    let vlan = |name: &str| {
        let row =
            answers.rows(&cat::interface_vlan::MENU).iter().find(|row| row.text(cat::interface_vlan::NAME) == Some(name))?;
        Some((row.text(cat::interface_vlan::INTERFACE)?.to_owned(), row.text(cat::interface_vlan::VLAN_ID)?.parse().ok()?))
    };
    let interface = |row: &Row| {
        let name = row.text(cat::interface::NAME)?;
        let bridge = ports.iter().find(|(port, _)| *port == name).map(|(_, bridge)| (*bridge).to_owned());
        let kind = row.text(cat::interface::TYPE).unwrap_or_default().to_owned();
        Some(Interface {
            name: name.to_owned(),
            kind,
            bridge,
            vlan: vlan(name),
            arp: arps.get(name).map(|arp| (*arp).to_owned()),
        })
    };
    answers.rows(&cat::interface::MENU).iter().filter(|row| !is_session(row)).filter_map(interface).collect()
}

/// Dynamic interfaces are customers' sessions: what they have comes and goes with the customers, and our services gave it.
fn is_session(interface: &Row) -> bool {
    interface.flag(cat::interface::DYNAMIC)
}

fn addresses(answers: &Answers) -> Vec<InterfaceAddress> {
    let sessions = answers.rows(&cat::interface::MENU).iter().filter(|row| is_session(row));
    let sessions: BTreeSet<&str> = sessions.filter_map(|row| row.text(cat::interface::NAME)).collect();
    let all = answers.enabled(&cat::ip_address::MENU).filter_map(address);
    all.filter(|address| !sessions.contains(address.interface.as_str())).collect()
}

fn address(row: &Row) -> Option<InterfaceAddress> {
    let address: Ipv4Network = row.text(cat::ip_address::ADDRESS)?.parse().ok()?;
    Some(InterfaceAddress { address, interface: row.text(cat::ip_address::INTERFACE)?.to_owned() })
}

fn is_ours(row: &Row) -> bool {
    row.text(cat::ip_pool::COMMENT).is_some_and(|comment| comment.parse::<model::Tag>().is_ok())
}

fn pool(row: &Row) -> Pool {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(AddressRange { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? })
    };
    let ranges = row.text(cat::ip_pool::RANGES).unwrap_or_default().split(',').filter_map(range).collect();
    Pool { name: row.text(cat::ip_pool::NAME).unwrap_or_default().to_owned(), ranges, ours: is_ours(row) }
}

fn servers(answers: &Answers) -> Vec<Server> {
    let text = |row: &Row, name| row.text(name).unwrap_or_default().to_owned();
    let pppoe = answers.enabled(&cat::interface_pppoe_server_server::MENU).map(|row| Server {
        kind: ServerKind::Pppoe,
        name: text(row, cat::interface_pppoe_server_server::SERVICE_NAME),
        interface: text(row, cat::interface_pppoe_server_server::INTERFACE),
        ours: is_ours(row),
    });
    // A hotspot server has no comment; ours is known by its name.
    let hotspot = answers.enabled(&cat::ip_hotspot::MENU).map(|row| Server {
        kind: ServerKind::Hotspot,
        name: text(row, cat::ip_hotspot::NAME),
        interface: text(row, cat::ip_hotspot::INTERFACE),
        ours: row.text(cat::ip_hotspot::NAME).is_some_and(|name| name.starts_with(reconcile::NAME_PREFIX)),
    });
    let dhcp = answers.enabled(&cat::ip_dhcp_server::MENU).map(|row| Server {
        kind: ServerKind::Dhcp,
        name: text(row, cat::ip_dhcp_server::NAME),
        interface: text(row, cat::ip_dhcp_server::INTERFACE),
        ours: is_ours(row),
    });
    pppoe.chain(hotspot).chain(dhcp).collect()
}

/// A default route of another table may lead to a proxy among the customers.
fn in_main_table(route: &Row) -> bool {
    matches!(route.text(cat::ip_route::ROUTING_TABLE), None | Some("" | "main"))
}

/// `immediate-gw` reads `192.0.2.1%ether1`; without it, a gateway that is no address is an interface.
fn leaves_by(row: &Row) -> Option<String> {
    let immediate = row.text(cat::ip_route::IMMEDIATE_GW).and_then(|text| text.rsplit_once('%')).map(|(_, interface)| interface);
    let gateway = row.text(cat::ip_route::GATEWAY).filter(|text| text.parse::<std::net::IpAddr>().is_err() && !text.is_empty());
    immediate.or(gateway).map(str::to_owned)
}

fn radius_profiles(answers: &Answers) -> Vec<String> {
    let used: Vec<&str> = answers.enabled(&cat::ip_hotspot::MENU).filter_map(|row| row.text(cat::ip_hotspot::PROFILE)).collect();
    let profiles = answers.rows(&cat::ip_hotspot_profile::MENU).iter();
    profiles
        .filter(|row| row.flag(cat::ip_hotspot_profile::USE_RADIUS))
        .filter_map(|row| row.text(cat::ip_hotspot_profile::NAME))
        .filter(|name| used.contains(name))
        .map(str::to_owned)
        .collect()
}

/// The services by which a router is managed and nothing else: its web server may show pages that are meant for customers.
const MANAGING: [&str; 6] = ["api", "api-ssl", "ftp", "ssh", "telnet", "winbox"];

fn management_ports(answers: &Answers) -> BTreeSet<u16> {
    MANAGING.iter().filter_map(|name| port(service(answers, name)?)).collect()
}

/// Finds a service. From 7.18 on live connections are listed too, under the same names; that they come behind the services is inferred.
fn service<'a>(answers: &'a Answers, name: &str) -> Option<&'a Row> {
    answers.rows(&cat::ip_service::MENU).iter().find(|row| row.text(cat::ip_service::NAME) == Some(name))
}

fn port(service: &Row) -> Option<u16> {
    service.text(cat::ip_service::PORT)?.parse().ok()
}

fn api(answers: &Answers) -> Api {
    let api = service(answers, "api");
    let networks = api.and_then(|api| api.text(cat::ip_service::ADDRESS)).unwrap_or_default();
    Api {
        enabled: api.is_some_and(|api| !api.flag(cat::ip_service::DISABLED)),
        port: api.and_then(port).unwrap_or(0),
        address: networks
            .split(',')
            .filter_map(|text| match text.parse() {
                Ok(IpNetwork::V4(network)) => Some(network),
                _ => None,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn offsets() {
        assert_eq!(offset("+03:00").map(|offset| offset.seconds()), Some(10_800));
        assert_eq!(offset("-04:30").map(|offset| offset.seconds()), Some(-16_200));
        assert_eq!(offset("nonsense"), None);
    }
}
