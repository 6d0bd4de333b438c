//! Settings that exist once and that the enrolment block changed; a marked entry on the router says what was before.

use super::facts::FactsError;
use model::Tag;
use routeros::catalogue::{ID, ip_firewall_address_list as marks, ip_service as service, system_ntp_client as ntp};
use routeros::client::{Client, Response};
use routeros::{Command, Query};
use std::net::Ipv4Addr;

/// Object key of the mark that NTP was off.
pub const NTP_WAS_OFF: &str = "tunnel:ntp-was-off";
/// Object key of the mark that NTP had no servers.
pub const NTP_HAD_NO_SERVERS: &str = "tunnel:ntp-had-no-servers";
/// Object key of the mark that the API service was off.
pub const API_WAS_OFF: &str = "tunnel:api-was-off";

/// Puts back what the block changed, and takes the marks away. What switches the API off again is returned and not run: it may cut the
/// connection that it comes by, so it belongs to the last words. A service that was changed since by somebody else stays as it is.
pub(super) async fn put_back(client: &Client, tags: &[(String, Tag)], hub: Ipv4Addr) -> Result<Option<Command>, FactsError> {
    let mut last = None;
    for key in [NTP_HAD_NO_SERVERS, NTP_WAS_OFF, API_WAS_OFF] {
        let Some((_, tag)) = tags.iter().find(|(name, _)| name == key) else { continue };
        let ours = Query::Is(marks::COMMENT, tag.to_string());
        let marked = call(client, marks::MENU.path, &Command::print(&marks::MENU).proplist([ID]).query(&ours)).await?.rows;
        for row in &marked {
            match key {
                NTP_HAD_NO_SERVERS => {
                    drop(call(client, ntp::MENU.path, &Command::configure(&ntp::MENU).with(ntp::SERVERS, "")).await?)
                }
                NTP_WAS_OFF => {
                    drop(call(client, ntp::MENU.path, &Command::configure(&ntp::MENU).with(ntp::ENABLED, "no")).await?)
                }
                _ => last = api_off(client, hub).await?,
            }
            call(client, marks::MENU.path, &Command::remove(&marks::MENU, row.id().unwrap_or_default())).await?;
        }
    }
    Ok(last)
}

async fn api_off(client: &Client, hub: Ipv4Addr) -> Result<Option<Command>, FactsError> {
    let unchanged =
        Query::All(vec![Query::Is(service::NAME, "api".to_owned()), Query::Is(service::ADDRESS, format!("{hub}/32"))]);
    let rows = call(client, service::MENU.path, &Command::print(&service::MENU).proplist([ID]).query(&unchanged)).await?.rows;
    let off = |id: &str| Command::set(&service::MENU, id).with(service::ADDRESS, "").with(service::DISABLED, "yes");
    Ok(rows.first().and_then(|row| row.id()).map(off))
}

async fn call(client: &Client, menu: &'static str, command: &Command) -> Result<Response, FactsError> {
    client.call(command).await.map_err(|source| FactsError::Call { menu, source })
}
