//! The texts that a person pastes into a router, and how long they are good. Pure.

use jiff::{SignedDuration, Timestamp};
use model::{EnrolmentId, Secret, Supernet, Tag, WgPublicKey};
use std::net::Ipv4Addr;

/// How long a block is good: it may be sent to a technician today and pasted on the mast tomorrow.
pub const LIFE: SignedDuration = SignedDuration::from_hours(48);
/// Enrolments that a tenant may have open at once.
pub const OPEN_PER_TENANT: i64 = 32;
/// Enrolments that may be open at once in all; the hub scans their keys (TUNNEL: 0.24 µs each).
pub const OPEN_PER_HUB: i64 = 512;
/// The router's account for the controller, and that account's group.
pub const API_USER: &str = "mastwire";
/// The router's end of the tunnel.
pub const INTERFACE: &str = "wg-mastwire";
/// What the account may do: log in by the API, read and write; compare passwords (`sensitive`); own scheduler entries that read, write
/// and ping (`test`); change its own password and remove itself on leaving (`policy`). No other door and no reboot.
const POLICY: &str = "api,read,write,policy,test,sensitive";
/// Largest packet in the tunnel, bytes; fits a path of 1500.
const MTU: &str = "1420";
/// Where the router gets the time, if nobody has told it.
const NTP_SERVER: &str = "pool.ntp.org";
/// Where RouterOS' API listens, inside the tunnel.
const API_PORT: &str = "8728";
/// The file that the line fetches and removes.
const LINE_FILE: &str = "mastwire-enrol.rsc";
/// The header that carries the line's token.
pub const LINE_HEADER: &str = "x-mastwire-token";

const TEMPLATE: &str = include_str!("../../../provisioning-scripts/enrol.rsc");

/// The tags of everything that a block leaves on a router.
#[derive(Debug, Clone)]
pub struct BlockTags {
    /// The WireGuard interface.
    pub interface: Tag,
    /// Its address.
    pub address: Tag,
    /// The input rule for the hub.
    pub input: Tag,
    /// The account's group.
    pub group: Tag,
    /// The mark that NTP was off.
    pub ntp: Tag,
    /// The mark that NTP had no servers.
    pub servers: Tag,
    /// The mark that the API service was off.
    pub api: Tag,
    /// The lasting peer.
    pub peer: Tag,
    /// The enrolment peer.
    pub enrolment: Tag,
    /// The account.
    pub user: Tag,
}

/// Everything that one router's block is made of.
#[derive(Debug, Clone)]
pub struct Block {
    /// The enrolment.
    pub id: EnrolmentId,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// Host that the router dials.
    pub endpoint_host: String,
    /// UDP port that the router dials.
    pub endpoint_port: u16,
    /// The tunnel's network.
    pub supernet: Supernet,
    /// The router's address in it.
    pub address: Ipv4Addr,
    /// The hub's main key.
    pub hub_key: WgPublicKey,
    /// The hub's key for this enrolment alone.
    pub enrolment_key: WgPublicKey,
    /// The one-time key.
    pub enrolment_psk: Secret<[u8; 32]>,
    /// The lasting peer's key.
    pub lasting_psk: Secret<[u8; 32]>,
    /// The first password of the account.
    pub password: Secret<String>,
    /// The tags.
    pub tags: BlockTags,
}

/// A value holds a sign that could end or change a command of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value for {0} does not belong into a script")]
pub struct Unfit(pub &'static str);

impl Block {
    /// Writes the block.
    ///
    /// # Errors
    /// When a value holds anything but letters, digits and `. , : / + = _ -`, which can neither end a word nor a text of the script.
    pub fn render(&self) -> Result<Secret<String>, Unfit> {
        let tags = &self.tags;
        let key = |bytes: &Secret<[u8; 32]>| WgPublicKey::from_bytes(*bytes.expose()).to_string();
        let tag = |tag: Tag| tag.to_string();
        let values: [(&'static str, String); 28] = [
            ("ENROLMENT", self.id.to_string()),
            ("EXPIRES", self.expires_at.strftime("%Y-%m-%dT%H:%MZ").to_string()),
            ("INTERFACE", INTERFACE.to_owned()),
            ("USER", API_USER.to_owned()),
            ("POLICY", POLICY.to_owned()),
            ("MTU", MTU.to_owned()),
            ("NTP", NTP_SERVER.to_owned()),
            ("API_PORT", API_PORT.to_owned()),
            ("ADDRESS", self.address.to_string()),
            ("HUB", self.supernet.hub().to_string()),
            ("HUB_SECOND", self.supernet.hub_rotation().to_string()),
            ("ENDPOINT", self.endpoint_host.clone()),
            ("PORT", self.endpoint_port.to_string()),
            ("HUB_KEY", self.hub_key.to_string()),
            ("ENROLMENT_KEY", self.enrolment_key.to_string()),
            ("ENROLMENT_PSK", key(&self.enrolment_psk)),
            ("LASTING_PSK", key(&self.lasting_psk)),
            ("PASSWORD", self.password.expose().clone()),
            ("TAG_INTERFACE", tag(tags.interface)),
            ("TAG_ADDRESS", tag(tags.address)),
            ("TAG_INPUT", tag(tags.input)),
            ("TAG_GROUP", tag(tags.group)),
            ("TAG_NTP", tag(tags.ntp)),
            ("TAG_SERVERS", tag(tags.servers)),
            ("TAG_API", tag(tags.api)),
            ("TAG_PEER", tag(tags.peer)),
            ("TAG_ENROLMENT", tag(tags.enrolment)),
            ("TAG_USER", tag(tags.user)),
        ];
        let mut text = TEMPLATE.to_owned();
        for (name, value) in values {
            if !fits(&value) {
                return Err(Unfit(name));
            }
            text = text.replace(&format!("@{name}@"), &value);
        }
        Ok(Secret::new(text))
    }
}

fn fits(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".,:/+=_-".contains(&byte))
}

/// Writes the line that fetches the block. There is none where the token would travel unprotected: it takes https with the certificate
/// checked, or a server on the router's own loopback, which only a simulated router has.
#[must_use]
pub fn line(public_url: &str, token: &Secret<String>) -> Option<Secret<String>> {
    let check = if public_url.starts_with("https://") {
        "yes"
    } else {
        let host = public_url.strip_prefix("http://")?;
        let loopback = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
        if !loopback {
            return None;
        }
        "no"
    };
    if !fits(public_url.trim_start_matches("http://[::1]")) || !fits(token.expose()) {
        return None;
    }
    Some(Secret::new(format!(
        "/tool fetch url=\"{public_url}/api/v1/enrolment/block\" check-certificate={check} \
         http-header-field=\"{LINE_HEADER}:{}\" dst-path={LINE_FILE}; \
         :do {{ /import {LINE_FILE} }} on-error={{ :put \"Mastwire: the import stopped; see /log, or paste the block\" }}; \
         /file remove {LINE_FILE}",
        token.expose()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;
    use model::SeededEntropy;

    fn block() -> Block {
        let entropy = SeededEntropy::new(7);
        let tag = || Tag::generate(&entropy);
        Block {
            id: EnrolmentId::generate(Timestamp::UNIX_EPOCH, &entropy),
            expires_at: "2026-01-17T09:00:00Z".parse().expect("a time"),
            endpoint_host: "vpn.isp.example".to_owned(),
            endpoint_port: 51820,
            supernet: Supernet::default(),
            address: Ipv4Addr::new(10, 10, 1, 1),
            hub_key: WgPublicKey::from_bytes([1; 32]),
            enrolment_key: WgPublicKey::from_bytes([2; 32]),
            enrolment_psk: Secret::new([3; 32]),
            lasting_psk: Secret::new([4; 32]),
            password: Secret::new("a-password-of-the-block".to_owned()),
            tags: BlockTags {
                interface: tag(),
                address: tag(),
                input: tag(),
                group: tag(),
                ntp: tag(),
                servers: tag(),
                api: tag(),
                peer: tag(),
                enrolment: tag(),
                user: tag(),
            },
        }
    }

    #[test]
    fn the_block_is_as_it_was_read() {
        let text = block().render().expect("good values");
        expect_file!["../../../provisioning-scripts/enrol.golden.rsc"].assert_eq(text.expose());
    }

    #[test]
    fn nothing_of_the_template_is_left() {
        let text = block().render().expect("good values");
        assert!(!text.expose().contains('@'), "a placeholder without a value");
        assert!(text.expose().lines().all(|line| line.len() <= 120), "a terminal takes no longer lines well");
        assert!(text.expose().is_ascii() && !text.expose().contains('\t'));
        for forbidden in ["/tool", "fetch", "/system scheduler", "remove [find]", "?"] {
            assert!(!text.expose().contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn no_value_breaks_out() {
        for host in ["a\" ; /system reset", "a b", "a\nb", "a$b", "a[b]", "a{b}", "a\\b", "a;b", "a@b"] {
            let broken = Block { endpoint_host: host.to_owned(), ..block() };
            assert_eq!(broken.render().expect_err(host), Unfit("ENDPOINT"));
        }
        let broken = Block { password: Secret::new("x\"".to_owned()), ..block() };
        assert_eq!(broken.render().expect_err("a quote"), Unfit("PASSWORD"));
    }

    #[test]
    fn the_line_needs_a_protected_way() {
        let token = Secret::new("mw_line_abc".to_owned());
        for public in ["http://isp.example", "http://192.0.2.1:8080", "http://127.0.0.1.evil.example", "ftp://127.0.0.1"] {
            assert!(line(public, &token).is_none(), "{public}");
        }
        let https = line("https://isp.example", &token).expect("https");
        assert!(https.expose().contains("check-certificate=yes"));
        let url = https.expose().split('"').nth(1).expect("the url is quoted");
        assert_eq!(url, "https://isp.example/api/v1/enrolment/block", "no token in the URL");
        for public in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"] {
            assert!(line(public, &token).is_some_and(|line| line.expose().contains("check-certificate=no")), "{public}");
        }
    }
}
