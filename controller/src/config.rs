//! What the operator of the machine may set: one TOML file, then `MASTWIRE_…` from the environment, then the command line. Everything has
//! a default, so nothing has to be set.

use crate::http::TlsFiles;
use model::Supernet;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The UDP port that routers dial.
pub const HUB_PORT: u16 = 51820;
/// Where HTTP listens until told otherwise: this machine only.
pub const HTTP_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The settings file as written; every field may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port of the HTTP server; 127.0.0.1:8080.
    pub http: Option<String>,
    /// Certificate chain in PEM; with `tls_key` it makes the HTTP server speak TLS.
    pub tls_certificate: Option<PathBuf>,
    /// Private key in PEM.
    pub tls_key: Option<PathBuf>,
    /// Address and port of the hub's UDP socket; 0.0.0.0:51820.
    pub hub: Option<String>,
    /// Host and port that routers dial, as they see it: `vpn.isp.example:51820`. Guessed when left out.
    pub endpoint: Option<String>,
    /// The address under which people and routers reach the HTTP server: `https://isp.example`. Made from `http` when left out.
    pub public_url: Option<String>,
    /// The network of the routers' tunnel addresses; 10.10.0.0/16. It cannot change once routers have addresses.
    pub supernet: Option<String>,
    /// Whether the platform's operators have to have a second factor: `recommended`, the default, or `required`.
    pub platform_second_factor: Option<String>,
    /// Whether message gateways may stand in the controller's own network, such as a modem on a shelf: `refused`, the default, or `allowed`.
    /// Every ISP on this controller could then ask for whatever it can reach.
    pub private_gateways: Option<String>,
    /// A PostgreSQL of your own instead of the private one.
    pub database_url: Option<String>,
}

/// Settings that have been checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept that is not in a database of the operator's own.
    pub data: PathBuf,
    /// Address and port of the HTTP server.
    pub http: SocketAddr,
    /// Certificate files for HTTP.
    pub tls: Option<TlsFiles>,
    /// Address and port of the hub's UDP socket.
    pub hub: SocketAddr,
    /// Host that routers dial: a name or an IPv4 address.
    pub endpoint_host: String,
    /// Port that routers dial.
    pub endpoint_port: u16,
    /// Whether the endpoint was guessed and should be looked at.
    pub endpoint_guessed: bool,
    /// The HTTP server's address for people, without a slash at the end.
    pub public_url: String,
    /// The network of the routers' tunnel addresses.
    pub supernet: Supernet,
    /// Whether the platform's operators have to have a second factor.
    pub platform_second_factor: bool,
    /// Whether message gateways may stand in the controller's own network.
    pub private_gateways: bool,
    /// A PostgreSQL of the operator's own.
    pub database_url: Option<String>,
}

impl Config {
    /// Returns the page on which the holder of a setup token sets a password. The token stands in the fragment, which is not sent.
    #[must_use]
    pub fn setup_url(&self, token: &str) -> String {
        format!("{}/setup#{token}", self.public_url)
    }
}

/// Everything that is wrong with the settings, at once.
#[derive(Debug, thiserror::Error)]
#[error("the settings are not usable:\n  {}", .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

/// Puts one value into the settings.
type Setter = fn(&mut Settings, String);

/// The environment's name for each setting.
const ENVIRONMENT: &[(&str, Setter)] = &[
    ("MASTWIRE_HTTP", |settings, value| settings.http = Some(value)),
    ("MASTWIRE_TLS_CERTIFICATE", |settings, value| settings.tls_certificate = Some(value.into())),
    ("MASTWIRE_TLS_KEY", |settings, value| settings.tls_key = Some(value.into())),
    ("MASTWIRE_HUB", |settings, value| settings.hub = Some(value)),
    ("MASTWIRE_ENDPOINT", |settings, value| settings.endpoint = Some(value)),
    ("MASTWIRE_PUBLIC_URL", |settings, value| settings.public_url = Some(value)),
    ("MASTWIRE_SUPERNET", |settings, value| settings.supernet = Some(value)),
    ("MASTWIRE_PLATFORM_SECOND_FACTOR", |settings, value| settings.platform_second_factor = Some(value)),
    ("MASTWIRE_PRIVATE_GATEWAYS", |settings, value| settings.private_gateways = Some(value)),
    ("MASTWIRE_DATABASE_URL", |settings, value| settings.database_url = Some(value)),
];

impl Settings {
    /// Reads `mastwire.toml` in the data folder, if it is there.
    ///
    /// # Errors
    /// When it cannot be read or is not as it should be.
    pub fn from_file(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join("mastwire.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| ConfigError(vec![format!("{}: {error}", path.display())])),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(ConfigError(vec![format!("{}: {error}", path.display())])),
        }
    }

    /// Puts the environment's values over the file's. `lookup` is `std::env::var`.
    #[must_use]
    pub fn with_environment(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        for (name, set) in ENVIRONMENT {
            if let Some(value) = lookup(name).filter(|value| !value.is_empty()) {
                set(&mut self, value);
            }
        }
        self
    }

    /// Checks all settings and fills in what was left out. `guessed_host` is the address this machine is probably reached by.
    ///
    /// # Errors
    /// When something is wrong: all of it is named.
    pub fn check(self, data: PathBuf, guessed_host: &str) -> Result<Config, ConfigError> {
        let mut faults = Vec::new();
        let mut address = |name: &str, value: Option<&String>, default: SocketAddr| match value.map(|value| value.parse()) {
            None => default,
            Some(Ok(address)) => address,
            Some(Err(_)) => {
                faults.push(format!("{name}: write an address and a port, such as {default}"));
                default
            }
        };
        let http = address("http", self.http.as_ref(), HTTP_DEFAULT);
        let hub = address("hub", self.hub.as_ref(), SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), HUB_PORT));
        let supernet = self.supernet.map_or(Ok(Supernet::default()), |text| text.parse());
        let supernet = supernet.unwrap_or_else(|error| {
            faults.push(format!("supernet: {error}"));
            Supernet::default()
        });
        let tls = match (self.tls_certificate, self.tls_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            _ => {
                faults.push("tls_certificate and tls_key: give both or neither".to_owned());
                None
            }
        };
        let endpoint_guessed = self.endpoint.is_none();
        let endpoint = self.endpoint.unwrap_or_else(|| format!("{guessed_host}:{}", hub.port()));
        let (endpoint_host, endpoint_port) = split_endpoint(&endpoint).unwrap_or_else(|| {
            faults.push("endpoint: write a host and a port as routers reach them, such as vpn.isp.example:51820".to_owned());
            (String::new(), 0)
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        // Nobody can go to 0.0.0.0; whoever listens everywhere is reached by the address that was guessed.
        let reached = if http.ip().is_unspecified() { format!("{guessed_host}:{}", http.port()) } else { http.to_string() };
        let public_url = self.public_url.unwrap_or_else(|| format!("{scheme}://{reached}"));
        if !public_url.starts_with("http://") && !public_url.starts_with("https://") {
            faults.push("public_url: write an address that starts with https://".to_owned());
        }
        let mut is_chosen = |name: &str, value: Option<String>, [default, other]: [&str; 2]| match value {
            Some(value) if value == other => true,
            Some(value) if value != default => {
                faults.push(format!("{name}: write {default} or {other}"));
                false
            }
            Some(_) | None => false,
        };
        let second_factor = self.platform_second_factor;
        let platform_second_factor = is_chosen("platform_second_factor", second_factor, ["recommended", "required"]);
        let private_gateways = is_chosen("private_gateways", self.private_gateways, ["refused", "allowed"]);
        if !faults.is_empty() {
            return Err(ConfigError(faults));
        }
        let public_url = public_url.trim_end_matches('/').to_owned();
        let database_url = self.database_url;
        Ok(Config {
            data,
            http,
            tls,
            hub,
            endpoint_host,
            endpoint_port,
            endpoint_guessed,
            public_url,
            supernet,
            platform_second_factor,
            private_gateways,
            database_url,
        })
    }
}

/// A host goes into a router's script, so it may hold nothing but a name's or an address' characters.
fn split_endpoint(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let clean = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
    let port: u16 = port.parse().ok()?;
    (clean && port != 0).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_to_be_set() {
        let config = Settings::default().check("/d".into(), "192.0.2.7").expect("defaults are good");
        assert_eq!((config.http, config.endpoint_host.as_str(), config.endpoint_port), (HTTP_DEFAULT, "192.0.2.7", 51820));
        assert!(config.endpoint_guessed);
        assert_eq!(config.public_url, "http://127.0.0.1:8080");
    }

    #[test]
    fn who_listens_everywhere_is_reached_somewhere() {
        let settings = Settings { http: Some("0.0.0.0:80".into()), ..Settings::default() };
        assert_eq!(settings.check("/d".into(), "192.0.2.7").expect("good").public_url, "http://192.0.2.7:80");
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let file: Settings = toml::from_str("http = '127.0.0.1:1'\nendpoint = 'a.example:2'").expect("a good file");
        let merged = file.with_environment(|name| (name == "MASTWIRE_HTTP").then(|| "127.0.0.1:3".to_owned()));
        let config = merged.check("/d".into(), "x").expect("good");
        assert_eq!((config.http.port(), config.endpoint_port, config.endpoint_guessed), (3, 2, false));
        assert!(toml::from_str::<Settings>("htpp = 'x'").is_err(), "a misspelt setting is refused");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let settings = Settings {
            http: Some("nowhere".into()),
            endpoint: Some("a\" ;/system reset:1".into()),
            supernet: Some("8.8.8.0/24".into()),
            tls_key: Some("k".into()),
            private_gateways: Some("yes".into()),
            ..Settings::default()
        };
        let ConfigError(faults) = settings.check("/d".into(), "x").expect_err("all wrong");
        assert_eq!(faults.len(), 5, "{faults:?}");
    }
}
