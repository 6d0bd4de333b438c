//! What it came to, in two tables.

use crate::house::House;
use crate::sales::{Sale, millis};
use crate::timeline::{say, table};

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Prints the routers and the payments.
pub fn print(house: &House, second: &[u64], sales: &[Sale]) {
    let mut routers =
        vec![head(&["ROUTER", "BOARD", "ROUTEROS", "DEVICE-MODE", "JOINED BY", "PASTE → JOINED", "WRITES", "SECOND PASS"])];
    for (mast, second) in house.masts.iter().zip(second) {
        let (spec, isp) = (mast.spec, house.isps[mast.spec.isp].name);
        routers.push(vec![
            format!("{isp} {}", spec.name),
            spec.board.to_owned(),
            spec.version.to_owned(),
            spec.mode.to_owned(),
            spec.road.word().to_owned(),
            format!("{:.2} s", mast.joined.as_secs_f64()),
            mast.writes.to_string(),
            format!("{second} writes"),
        ]);
    }
    say(format_args!("\nRouters\n{}", table(&routers, 5)));
    let mut payments = vec![head(&[
        "PAYMENT → ONLINE, MS",
        "CUSTOMER",
        "TOTAL",
        "WAKE",
        "CONNECT",
        "READ",
        "OBSERVE",
        "WRITE",
        "READ BACK",
        "SESSION",
    ])];
    for sale in sales {
        let shares = &sale.shares;
        let parts = [shares.total, shares.wake, shares.connect, shares.read, shares.observe, shares.write, shares.read_back];
        let mut row = vec![sale.place.clone(), sale.what.clone()];
        row.extend(parts.map(millis));
        row.push(shares.session.map_or_else(|| "-".to_owned(), millis));
        payments.push(row);
    }
    say(format_args!("\n{}", table(&payments, 2)));
    say(
        "\n  WAKE: from the request's arrival until the router's worker began. OBSERVE: print and plan. SESSION: from the router's proof\n  \
         until its list showed the session, the customer's redial included; a static customer has none. Voucher holders log in themselves.",
    );
}
