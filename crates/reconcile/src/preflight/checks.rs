//! One function per obstacle.

use super::{FactsObserved, ServerKind, VERSION_MIN, VERSION_UNKNOWN};
use crate::Severity::{Blocker, Info, Warning};
use crate::finding::Finding;
use crate::recipes::API_PORT;
use crate::site::HotspotSupport;
use jiff::SignedDuration;
use model::Bytes;
use std::net::Ipv4Addr;

type Check = fn(&FactsObserved) -> Vec<Finding>;

pub const ALL: &[Check] = &[
    version,
    hotspot_package,
    device_mode,
    clock,
    flash,
    api,
    overlapping_addresses,
    overlapping_pools,
    servers,
    pools,
    wan,
    source_nat,
    fasttrack,
    radius,
];

/// Free flash below which RouterOS itself fails to save its configuration at times.
const FLASH_MIN: Bytes = Bytes(1 << 20);

fn version(facts: &FactsObserved) -> Vec<Finding> {
    let version = facts.version;
    if version < VERSION_MIN {
        let text = format!("RouterOS {version} is too old: at least {VERSION_MIN} is needed. The router restarts to upgrade.");
        vec![Finding::new(Blocker, "version-old", text).command("/system/package/update install")]
    } else if version >= VERSION_UNKNOWN {
        let text = format!("RouterOS {version} is newer than what was tested ({VERSION_UNKNOWN} and later are not).");
        vec![Finding::new(Warning, "version-untested", text)]
    } else {
        Vec::new()
    }
}

fn hotspot_package(facts: &FactsObserved) -> Vec<Finding> {
    if facts.hotspot() != HotspotSupport::Missing {
        return Vec::new();
    }
    let text = "This board needs the hotspot as a separate package. Put the file hotspot-<version>-smips.npk from \
                mikrotik.com onto the router and restart it; until then it can serve PPPoE and static customers.";
    vec![Finding::new(Warning, "hotspot-package", text).command("/system reboot")]
}

fn device_mode(facts: &FactsObserved) -> Vec<Finding> {
    let Some(mode) = facts.device_mode else { return Vec::new() };
    let all = [
        (mode.hotspot, Warning, "hotspot", "no hotspot can be set up"),
        (mode.scheduler, Warning, "scheduler", "grants do not end by themselves while the controller is away"),
        (mode.fetch, Info, "fetch", "enrolment works by the block alone, not by the line"),
    ];
    let forbidden: Vec<_> = all.into_iter().filter(|(allowed, ..)| !allowed).collect();
    let wanted: String = forbidden.iter().map(|(_, _, word, _)| format!(" {word}=yes")).collect();
    let finding = |(_, severity, word, effect): &(bool, _, &str, &str)| {
        let code = match *word {
            "hotspot" => "device-mode-hotspot",
            "scheduler" => "device-mode-scheduler",
            _ => "device-mode-fetch",
        };
        let text = format!(
            "Device-mode forbids {word}: {effect}. After the command press the board's button, or cut its power, within \
             5 minutes."
        );
        Finding::new(*severity, code, text).command(format!("/system/device-mode/update{wanted}"))
    };
    forbidden.iter().map(finding).collect()
}

fn clock(facts: &FactsObserved) -> Vec<Finding> {
    if facts.clock_set() {
        return Vec::new();
    }
    let error = facts.clock.duration_since(facts.now).abs();
    let text = if facts.clock.as_second() < SignedDuration::from_hours(24 * 366).as_secs() {
        "The router's clock is not set: grants cannot end by themselves, and the tunnel may not come back.".to_owned()
    } else {
        format!("The router's clock is wrong by {} minutes: grants would end at the wrong time.", error.as_mins())
    };
    vec![Finding::new(Warning, "clock", text).command("/system/ntp/client/set enabled=yes servers=pool.ntp.org")]
}

fn flash(facts: &FactsObserved) -> Vec<Finding> {
    if facts.free_flash >= FLASH_MIN {
        return Vec::new();
    }
    let text = format!("Only {} bytes of flash are free: the router may lose what it is told. Remove files.", facts.free_flash.0);
    vec![Finding::new(Blocker, "flash-low", text).command("/file/print")]
}

fn api(facts: &FactsObserved) -> Vec<Finding> {
    let hub = facts.supernet.hub();
    let api = &facts.api;
    if !api.enabled {
        let text = "The API service is off, and the controller reaches the router by nothing else.";
        return vec![
            Finding::new(Blocker, "api-closed", text).command(format!("/ip/service/set api disabled=no address={hub}/32")),
        ];
    }
    if api.port != API_PORT {
        let text = format!("The API service listens on port {}, and the rules for the tunnel open {API_PORT} alone.", api.port);
        return vec![Finding::new(Blocker, "api-port", text).command(format!("/ip/service/set api port={API_PORT}"))];
    }
    if !api.address.is_empty() && !api.address.iter().any(|network| network.contains(hub)) {
        let text = format!("The API service does not answer the hub ({hub}).");
        let all: Vec<_> = api.address.iter().map(ToString::to_string).chain([format!("{hub}/32")]).collect();
        return vec![Finding::new(Blocker, "api-closed", text).command(format!("/ip/service/set api address={}", all.join(",")))];
    }
    if api.address.is_empty() {
        let text = "The API service answers everybody who reaches the router.";
        return vec![Finding::new(Warning, "api-open", text).command(format!("/ip/service/set api address={hub}/32"))];
    }
    Vec::new()
}

/// Says how bad it is that a router uses addresses of the tunnels: the hub's own would be out of reach.
fn overlap(facts: &FactsObserved, holds: impl Fn(Ipv4Addr) -> bool, code: &'static str, what: &str) -> Finding {
    let supernet = facts.supernet;
    if holds(supernet.hub()) || holds(supernet.hub_rotation()) {
        let text = format!(
            "{what} covers the hub's own address: the tunnel and these devices get in each other's way. Use other addresses."
        );
        return Finding::new(Blocker, code, text);
    }
    let text = format!(
        "{what} lies within the tunnels' network {supernet}. It works, because the router reaches the hub alone through the \
         tunnel, but it confuses people."
    );
    Finding::new(Warning, code, text)
}

fn overlapping_addresses(facts: &FactsObserved) -> Vec<Finding> {
    let others = facts.addresses.iter().filter(|address| address.interface != facts.tunnel);
    let overlapping = others.filter(|address| facts.supernet.overlaps(address.address));
    let finding = |address: &super::InterfaceAddress| {
        let what = format!("The address {} on {}", address.address, address.interface);
        overlap(facts, |hub| address.address.contains(hub), "address-overlap", &what)
    };
    overlapping.map(finding).collect()
}

fn overlapping_pools(facts: &FactsObserved) -> Vec<Finding> {
    let network = facts.supernet.network();
    let (first, last) = (network.network(), network.broadcast());
    let mut findings = Vec::new();
    for pool in &facts.pools {
        let within = |range: &&crate::AddressRange| range.first <= last && first <= range.last;
        if pool.ranges.iter().any(|range| within(&range)) {
            let holds = |hub| pool.ranges.iter().any(|range| range.first <= hub && hub <= range.last);
            findings.push(overlap(facts, holds, "pool-overlap", &format!("The pool {}", pool.name)));
        }
    }
    findings
}

fn servers(facts: &FactsObserved) -> Vec<Finding> {
    let foreign = facts.servers.iter().filter(|server| !server.ours);
    let finding = |server: &super::Server| {
        let (code, kind) = match server.kind {
            ServerKind::Pppoe => ("pppoe-server-foreign", "PPPoE server"),
            ServerKind::Hotspot => ("hotspot-foreign", "hotspot"),
            // Every network has one.
            ServerKind::Dhcp => return None,
        };
        let text = format!(
            "There is a {kind} `{}` on {} already; it stays as it is. Choose another interface for ours, or remove it.",
            server.name, server.interface
        );
        Some(Finding::new(Warning, code, text))
    };
    foreign.filter_map(finding).collect()
}

fn pools(facts: &FactsObserved) -> Vec<Finding> {
    let foreign: Vec<_> = facts.pools.iter().filter(|pool| !pool.ours).map(|pool| pool.name.as_str()).collect();
    if foreign.is_empty() {
        return Vec::new();
    }
    let text = format!("Pools that are not ours stay as they are: {}. Ours need other addresses.", foreign.join(", "));
    vec![Finding::new(Info, "pools-foreign", text)]
}

fn wan(facts: &FactsObserved) -> Vec<Finding> {
    if facts.default_routes.is_empty() {
        let text = "There is no active default route: the router has no way to the internet.";
        return vec![Finding::new(Warning, "wan-missing", text).command("/ip/route/print where dst-address=0.0.0.0/0")];
    }
    Vec::new()
}

fn source_nat(facts: &FactsObserved) -> Vec<Finding> {
    if facts.source_nat {
        return Vec::new();
    }
    let text = "No rule translates customers' addresses: those with private addresses do not reach the internet.";
    let finding = Finding::new(Warning, "source-nat-missing", text);
    let wan = facts.default_routes.iter().flatten().next();
    let command = wan.map(|wan| format!("/ip/firewall/nat/add chain=srcnat out-interface={wan} action=masquerade"));
    vec![Finding { command, ..finding }]
}

fn fasttrack(facts: &FactsObserved) -> Vec<Finding> {
    if !facts.fasttrack {
        return Vec::new();
    }
    let text = "FastTrack is on, and its connections pass by queues and rules. PPPoE, DHCP and static customers are kept out of it by \
                rules of ours; what it carries already stays with it until it ends.";
    vec![Finding::new(Info, "fasttrack", text)]
}

fn radius(facts: &FactsObserved) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.ppp_radius {
        let text = "PPP asks RADIUS: a name that is unknown here may still be let in there.";
        findings.push(Finding::new(Warning, "ppp-radius", text).command("/ppp/aaa/set use-radius=no"));
    }
    for profile in &facts.hotspot_radius {
        let text = format!("The hotspot profile `{profile}` asks RADIUS.");
        findings.push(Finding::new(Info, "hotspot-radius", text));
    }
    findings
}
