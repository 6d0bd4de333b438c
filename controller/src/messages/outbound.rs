//! The one way out to gateways: a request to an address of the open internet, within a time, with no detours.

use super::MessageError;
use super::rules::addresses::is_public;
use super::rules::answers::{self, Holes, Outcome};
use crate::config::Config;
use crate::gateways::HttpTexts;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a gateway has to take a connection, and to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// So much of an answer is read.
const ANSWER_MAX: usize = 64 * 1024;

/// Finds addresses, and lets through only those that a gateway may have: what was looked at is what is connected to.
struct Guarded {
    private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|address| private || is_public(address.ip())).collect();
            if good.is_empty() {
                return Err(PRIVATE.into());
            }
            let addresses: Addrs = Box::new(good.into_iter());
            Ok(addresses)
        })
    }
}

const PRIVATE: &str = "its address is none of the open internet";

/// Makes the client for gateways. It follows no redirect and uses no proxy.
///
/// # Errors
/// When the TLS library cannot be used.
pub(super) fn client(config: &Config) -> Result<Client, MessageError> {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .dns_resolver(Arc::new(Guarded { private: config.private_gateways }))
        .build()
        .map_err(MessageError::Client)
}

/// Says why an address as it is written may not be asked.
fn fault(url: &Url, private: bool) -> Option<&'static str> {
    if !private && url.scheme() != "https" {
        return Some("its address does not begin with https://");
    }
    let literal: Option<IpAddr> = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    literal.filter(|address| !private && !is_public(*address)).map(|_| PRIVATE)
}

/// Asks a gateway to send a message, once.
pub(super) async fn ask(client: &Client, config: &Config, gateway: &HttpTexts, holes: &Holes<'_>) -> Outcome {
    let Ok(url) = Url::parse(&gateway.url) else { return Outcome::NotTaken("its address is none".to_owned()) };
    if let Some(fault) = fault(&url, config.private_gateways) {
        return Outcome::NotTaken(fault.to_owned());
    }
    let (kind, body) = answers::body(&gateway.body, holes);
    let mut request = client.post(url).header(CONTENT_TYPE, kind).body(body);
    if let Some(authorization) = &gateway.authorization {
        let Ok(mut value) = HeaderValue::from_str(authorization) else {
            return Outcome::NotTaken("its authorization is no header".to_owned());
        };
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Outcome::NotTaken("it cannot be reached".to_owned());
        }
        Err(_) => return Outcome::Unknown("its answer was lost".to_owned()),
    };
    let status = response.status().as_u16();
    let mut answer = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.len() + chunk.len() <= ANSWER_MAX => answer.extend_from_slice(&chunk),
            Ok(_) => break,
            Err(_) => return Outcome::Unknown("its answer broke off".to_owned()),
        }
    }
    answers::judge(gateway, status, &String::from_utf8_lossy(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_asked() {
        let fault = |url: &str, private| fault(&Url::parse(url).expect("an address"), private).is_some();
        for near in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://10.10.0.1:8443/x",
            "https://2130706433/",
            "https://0x7f.1/",
            "http://sms.example/",
        ] {
            assert!(fault(near, false), "{near}");
            assert!(!fault(near, true), "{near}");
        }
        assert!(!fault("https://sms.example/send", false));
        assert!(!fault("https://8.8.8.8/send", false));
    }

    #[tokio::test]
    async fn a_name_that_leads_near_is_not_followed() {
        let name = || "localhost".parse::<Name>().expect("a name");
        assert!(Guarded { private: false }.resolve(name()).await.is_err());
        assert!(Guarded { private: true }.resolve(name()).await.is_ok());
    }
}
