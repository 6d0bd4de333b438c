//! Which gateway is tried first, and what one may be called. Pure.

use super::{GatewayChange, GatewayView, Kind, Purpose};
use model::RouterId;

/// Says what is wrong with a name or a place in the order, if anything.
pub(super) fn fault(name: &str, position: u16) -> Option<(&'static str, &'static str)> {
    let good = (1..=100).contains(&name.chars().count()) && name.trim() == name && !name.contains(char::is_control);
    if !good {
        return Some(("name", "write 1 to 100 characters, without spaces around them"));
    }
    (position > 1_000).then_some(("position", "choose 0 to 1000"))
}

/// Returns a gateway as a change leaves it.
pub(super) fn changed(before: &GatewayView, change: &GatewayChange) -> GatewayView {
    GatewayView {
        name: change.name.clone().unwrap_or_else(|| before.name.clone()),
        purpose: change.purpose.unwrap_or(before.purpose),
        router: change.router.unwrap_or(before.router),
        default: change.default.unwrap_or(before.default),
        position: change.position.map_or(before.position, i32::from),
        enabled: change.enabled.unwrap_or(before.enabled),
        ..before.clone()
    }
}

/// Puts gateways into the order in which they are tried: the router's own before those for all routers, the purpose's own before those for
/// every purpose, the default before others, then by position, then the older one.
pub(super) fn in_order(gateways: Vec<GatewayView>, kind: Kind, purpose: Purpose, router: Option<RouterId>) -> Vec<GatewayView> {
    let mut fitting: Vec<GatewayView> = gateways
        .into_iter()
        .filter(|gateway| gateway.enabled && gateway.removed_at.is_none() && gateway.kind == kind)
        .filter(|gateway| gateway.purpose == Purpose::All || gateway.purpose == purpose)
        .filter(|gateway| gateway.router.is_none() || gateway.router == router)
        .collect();
    // False comes before true.
    fitting.sort_by_key(|gateway| {
        (gateway.router.is_none(), gateway.purpose == Purpose::All, !gateway.default, gateway.position, gateway.id)
    });
    fitting
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Provider};
    use super::*;
    use jiff::Timestamp;
    use model::{GatewayId, SeededEntropy};

    fn gateway(number: i64, purpose: Purpose, router: Option<RouterId>, default: bool, position: i32) -> GatewayView {
        let at = Timestamp::from_second(number).expect("a time");
        GatewayView {
            id: GatewayId::generate(at, &SeededEntropy::new(7)),
            kind: Kind::Money,
            provider: Provider::Mpesa,
            name: number.to_string(),
            purpose,
            router,
            default,
            position,
            environment: Environment::Production,
            fields: Vec::new(),
            credential_version: 1,
            enabled: true,
            created_at: at,
            changed_at: at,
            removed_at: None,
        }
    }

    #[test]
    fn the_nearest_comes_first_and_what_does_not_fit_not_at_all() {
        let entropy = SeededEntropy::new(1);
        let [roof, mast] = [1, 2].map(|second| RouterId::generate(Timestamp::from_second(second).expect("a time"), &entropy));
        let all = vec![
            gateway(1, Purpose::All, None, false, 5),
            gateway(2, Purpose::All, None, false, 0),
            gateway(3, Purpose::All, None, true, 9),
            gateway(4, Purpose::Hotspot, None, false, 9),
            gateway(5, Purpose::All, Some(roof), false, 9),
            gateway(6, Purpose::Pppoe, None, true, 0),
            gateway(7, Purpose::Hotspot, Some(mast), true, 0),
            GatewayView { enabled: false, ..gateway(8, Purpose::Hotspot, Some(roof), true, 0) },
            GatewayView { removed_at: Some(Timestamp::UNIX_EPOCH), ..gateway(9, Purpose::Hotspot, Some(roof), true, 0) },
            GatewayView { kind: Kind::Sms, ..gateway(10, Purpose::Hotspot, Some(roof), true, 0) },
        ];
        let names = |router, purpose| -> Vec<String> {
            in_order(all.clone(), Kind::Money, purpose, router).into_iter().map(|gateway| gateway.name).collect()
        };
        assert_eq!(names(Some(roof), Purpose::Hotspot), ["5", "4", "3", "2", "1"]);
        assert_eq!(names(Some(mast), Purpose::Hotspot), ["7", "4", "3", "2", "1"]);
        assert_eq!(names(None, Purpose::Pppoe), ["6", "3", "2", "1"]);
    }
}
