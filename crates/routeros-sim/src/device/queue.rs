//! Simple queues: what a customer's speed is limited to, and the bytes that went through.

use super::Device;
use super::table::RowId;
use jiff::Timestamp;
use std::net::Ipv4Addr;

const PATH: &str = "/queue/simple";

/// A speed limit in bits per second, zero for none: upload and download as the customer sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// From the customer.
    pub upload: u64,
    /// To the customer.
    pub download: u64,
}

impl Limit {
    fn cut(rate: u64, limit: u64) -> u64 {
        if limit == 0 { rate } else { rate.min(limit) }
    }

    /// Cuts a wish to the limit.
    #[must_use]
    pub fn apply(self, wish: Self) -> Self {
        Self { upload: Self::cut(wish.upload, self.upload), download: Self::cut(wish.download, self.download) }
    }
}

/// Reads the first part of a profile's `rate-limit`: `rx[/tx]`, where rx is the customer's upload.
#[must_use]
pub fn rate_limit(text: &str) -> Limit {
    let first = text.split_whitespace().next().unwrap_or_default();
    let (up, down) = first.split_once('/').unwrap_or((first, first));
    let bits = |text: &str| {
        routeros::catalogue::Kind::Rate.canonical(text.as_bytes()).ok().and_then(|bits| bits.parse().ok()).unwrap_or(0)
    };
    Limit { upload: bits(up), download: bits(down) }
}

impl Device {
    /// Adds the queue that a session brings with it, unless its profile has no speed.
    pub(super) fn session_queue(&mut self, name: &str, target: &str, rate: &str, parent: &str) -> Option<RowId> {
        if rate.is_empty() {
            return None;
        }
        let limit = rate_limit(rate);
        let parent = if parent.is_empty() { "none" } else { parent };
        let fields = [
            ("name", name.to_owned()),
            ("target", target.to_owned()),
            ("parent", parent.to_owned()),
            ("max-limit", format!("{}/{}", limit.upload, limit.download)),
            ("disabled", "false".to_owned()),
            ("bytes", "0/0".to_owned()),
        ];
        Some(self.insert_dynamic(PATH, fields))
    }

    /// Returns the limit that holds for an address: the first enabled queue whose target holds it, as RouterOS matches. What
    /// FastTrack carries passes by all of them.
    #[must_use]
    pub fn limit_for(&self, address: Ipv4Addr, interface: &str) -> (Option<RowId>, Limit) {
        if self.fasttracked(address, interface) {
            return (None, Limit::default());
        }
        let hit = self.rows(PATH).find(|row| {
            let holds = |item: &str| {
                item == interface || item.parse::<ipnetwork::Ipv4Network>().is_ok_and(|network| network.contains(address))
            };
            !row.is("disabled") && row.get("target").split(',').any(holds)
        });
        hit.map_or((None, Limit::default()), |row| (Some(row.id), pair(row.get("max-limit"))))
    }

    /// Counts what a host with a fixed address sends and receives, within its queue.
    pub fn static_traffic(&mut self, address: Ipv4Addr, wish: Limit, from: Timestamp, to: Timestamp) {
        if self.web_reach(address, "") != super::Reach::Internet {
            return;
        }
        if let (Some(queue), limit) = self.limit_for(address, "") {
            let passed = super::ppp::volume(limit.apply(wish), from, to);
            self.count_queue(queue, passed.upload, passed.download);
        }
    }

    /// Counts bytes on a queue.
    pub(super) fn count_queue(&mut self, id: RowId, upload: u64, download: u64) {
        let Some(row) = self.row_mut(PATH, id) else { return };
        let before = pair(row.get("bytes"));
        row.fields.insert("bytes", format!("{}/{}", before.upload + upload, before.download + download));
    }
}

fn pair(text: &str) -> Limit {
    let (up, down) = text.split_once('/').unwrap_or(("0", "0"));
    Limit { upload: up.parse().unwrap_or(0), download: down.parse().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rx_is_the_upload() {
        assert_eq!(rate_limit("5M/10M"), Limit { upload: 5_000_000, download: 10_000_000 });
        assert_eq!(rate_limit("512k 1M 384k 16 8"), Limit { upload: 512_000, download: 512_000 });
        assert_eq!(Limit { upload: 0, download: 10 }.apply(Limit { upload: 7, download: 70 }), Limit { upload: 7, download: 10 });
    }
}
