//! What a router has when it comes out of the box: built-in rows, ports, and the default configuration of a home router
//! (RouterOS manual "Default configurations").

use super::request::POLICIES;
use super::table::{Fields, Origin, RowId};
use super::{Device, Effect};
use model::RouterosVersion;

impl Device {
    /// Fills the menus of a new router.
    pub(super) fn install_defaults(&mut self) {
        self.install_interfaces();
        self.install_system();
        self.install_services();
        self.install_users();
        self.put(Origin::BuiltIn, "/ppp/profile", &[("name", "default"), ("change-tcp-mss", "yes")]);
        self.put(
            Origin::BuiltIn,
            "/ppp/profile",
            &[("name", "default-encryption"), ("change-tcp-mss", "yes"), ("use-encryption", "yes")],
        );
        if self.has_hotspot() {
            self.put(Origin::BuiltIn, "/ip/hotspot/profile", &[("name", "default")]);
            self.put(Origin::BuiltIn, "/ip/hotspot/user/profile", &[("name", "default")]);
            self.put(
                Origin::BuiltIn,
                "/ip/hotspot/user",
                &[("name", "default-trial"), ("comment", "counters and limits for trial users")],
            );
        }
        for list in ["all", "none", "dynamic", "static"] {
            self.put(Origin::BuiltIn, "/interface/list", &[("name", list)]);
        }
        if self.config.board.default_configuration {
            self.install_home_router();
        }
        self.take_uplink();
        self.singles.entry("/system/identity").or_default().insert("name", self.config.identity.clone());
        let zone = [("time-zone-autodetect", "true"), ("time-zone-name", "manual")];
        self.singles.insert("/system/clock", zone.into_iter().map(|(name, value)| (name, value.to_owned())).collect());
    }

    fn put(&mut self, origin: Origin, path: &'static str, fields: &[(&'static str, &str)]) -> RowId {
        let mut fields: Fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.fill_defaults(path, &mut fields);
        self.insert(path, origin, fields, None)
    }

    fn install_interfaces(&mut self) {
        let board = self.config.board;
        for port in board.ports {
            let mac = self.new_mac();
            self.put(
                Origin::BuiltIn,
                "/interface/ethernet",
                &[("name", port), ("default-name", port), ("mac-address", &mac), ("disabled", "false")],
            );
        }
        for radio in board.wireless {
            let mac = self.new_mac();
            self.put(
                Origin::BuiltIn,
                "/interface/wifi",
                &[("name", radio), ("default-name", radio), ("mac-address", &mac), ("disabled", "false")],
            );
        }
        self.put(Origin::BuiltIn, "/interface/loopback", &[("name", "lo"), ("mtu", "65536"), ("disabled", "false")]);
    }

    fn install_system(&mut self) {
        let mut packages = vec!["routeros"];
        if !self.config.board.wireless.is_empty() {
            packages.push(if self.config.board.architecture == "arm64" { "wifi-qcom" } else { "wireless" });
        }
        for name in packages {
            self.put(Origin::BuiltIn, "/system/package", &[("name", name), ("disabled", "false")]);
        }
        self.sectors_written = 1_000;
    }

    /// From 7.20 the small smips boards need a package of its own for the hotspot.
    pub(super) fn has_hotspot(&self) -> bool {
        self.config.board.architecture != "smips" || self.config.version < RouterosVersion::new(7, 20, 0)
    }

    fn install_services(&mut self) {
        let services = [
            ("telnet", "23"),
            ("ftp", "21"),
            ("www", "80"),
            ("ssh", "22"),
            ("www-ssl", "443"),
            ("api", "8728"),
            ("winbox", "8291"),
            ("api-ssl", "8729"),
        ];
        for (name, port) in services {
            let disabled = if name == "www-ssl" { "true" } else { "false" };
            self.put(Origin::BuiltIn, "/ip/service", &[("name", name), ("port", port), ("disabled", disabled)]);
        }
    }

    fn install_users(&mut self) {
        let read = "local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive,api,romon,rest-api";
        let write = "local,telnet,ssh,reboot,read,write,test,winbox,password,web,sniff,sensitive,api,romon,rest-api";
        for (name, policy) in [("read", read), ("write", write), ("full", &POLICIES.join(","))] {
            let has = |word: &&&str| policy.split(',').any(|granted| granted == **word);
            let denied: Vec<String> = POLICIES.iter().filter(|word| !has(word)).map(|word| format!("!{word}")).collect();
            let shown = [policy.to_owned()].into_iter().chain(denied).collect::<Vec<_>>().join(",");
            self.put(Origin::BuiltIn, "/user/group", &[("name", name), ("policy", &shown)]);
        }
        self.put(
            Origin::Configured,
            "/user",
            &[("name", "admin"), ("password", ""), ("group", "full"), ("comment", "system default user")],
        );
    }

    /// The uplink: an address by DHCP on the first port, which only shows as a dynamic address and route.
    fn take_uplink(&mut self) {
        let uplink = self.config.board.ports[0];
        self.put(Origin::Dynamic, "/ip/dhcp-client", &[("interface", uplink), ("gateway", "192.0.2.1"), ("disabled", "false")]);
        self.put(
            Origin::Dynamic,
            "/ip/address",
            &[
                ("address", "192.0.2.10/24"),
                ("network", "192.0.2.0"),
                ("interface", uplink),
                ("actual-interface", uplink),
                ("disabled", "false"),
            ],
        );
    }

    fn install_home_router(&mut self) {
        let configured = Origin::Configured;
        let mac = self.new_mac();
        self.put(configured, "/interface/bridge", &[("name", "bridge"), ("mac-address", &mac), ("comment", "defconf")]);
        let board = self.config.board;
        for port in board.ports.iter().skip(1).chain(board.wireless) {
            self.put(configured, "/interface/bridge/port", &[("interface", port), ("bridge", "bridge"), ("comment", "defconf")]);
        }
        for (list, interface) in [("WAN", board.ports[0]), ("LAN", "bridge")] {
            self.put(configured, "/interface/list", &[("name", list), ("comment", "defconf")]);
            self.put(configured, "/interface/list/member", &[("list", list), ("interface", interface), ("comment", "defconf")]);
        }
        self.put(configured, "/ip/pool", &[("name", "default-dhcp"), ("ranges", "192.168.88.10-192.168.88.254")]);
        let server = [("name", "defconf"), ("interface", "bridge"), ("address-pool", "default-dhcp"), ("disabled", "false")];
        self.put(configured, "/ip/dhcp-server", &server);
        let network =
            [("address", "192.168.88.0/24"), ("gateway", "192.168.88.1"), ("dns-server", "192.168.88.1"), ("comment", "defconf")];
        self.put(configured, "/ip/dhcp-server/network", &network);
        self.put(
            configured,
            "/ip/address",
            &[
                ("address", "192.168.88.1/24"),
                ("network", "192.168.88.0"),
                ("interface", "bridge"),
                ("actual-interface", "bridge"),
                ("comment", "defconf"),
                ("disabled", "false"),
            ],
        );
        self.singles.entry("/ip/dns").or_default().insert("allow-remote-requests", "true".to_owned());
        let rules: &[&[(&'static str, &str)]] = &[
            &[("chain", "input"), ("action", "accept"), ("connection-state", "established,related,untracked")],
            &[("chain", "input"), ("action", "drop"), ("connection-state", "invalid")],
            &[("chain", "input"), ("action", "accept"), ("protocol", "icmp")],
            &[("chain", "input"), ("action", "accept"), ("dst-address", "127.0.0.1")],
            &[("chain", "input"), ("action", "drop"), ("in-interface-list", "!LAN")],
            &[("chain", "forward"), ("action", "fasttrack-connection"), ("connection-state", "established,related")],
            &[("chain", "forward"), ("action", "accept"), ("connection-state", "established,related,untracked")],
            &[("chain", "forward"), ("action", "drop"), ("connection-state", "invalid")],
        ];
        for rule in rules {
            let mut rule = rule.to_vec();
            rule.push(("comment", "defconf"));
            self.put(configured, "/ip/firewall/filter", &rule);
        }
        let masquerade =
            [("chain", "srcnat"), ("action", "masquerade"), ("out-interface-list", "WAN"), ("comment", "defconf: masquerade")];
        self.put(configured, "/ip/firewall/nat", &masquerade);
    }

    /// Puts everything back as it came out of the box, and restarts.
    pub fn reset_configuration(&mut self) {
        self.tables.clear();
        self.singles.clear();
        self.ppp.clear();
        self.hotspot.clear();
        self.next_runs.clear();
        self.expiries.clear();
        self.peers.clear();
        self.install_defaults();
        self.effects.push_back(Effect::Reboot);
    }
}
