//! What a bill may say, and what it comes to. Pure.

use super::{LineKind, NewInvoice, NewLine, PricedInvoice};
use model::PackageId;

/// A field and what is wrong with it.
type Fault = (&'static str, &'static str);

/// The largest bill, in minor units.
const TOTAL_MAX: i128 = 1_000_000_000_000;
/// Lines of one bill.
const LINES_MAX: usize = 100;

/// A line with what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Priced {
    pub(super) kind: LineKind,
    pub(super) text: String,
    pub(super) quantity: i32,
    pub(super) unit: i64,
    pub(super) amount: i64,
    pub(super) package: Option<PackageId>,
    pub(super) rate_bp: Option<i32>,
}

/// Says what is wrong with a bill's own fields, if anything.
pub(super) fn fault(new: &NewInvoice) -> Option<Fault> {
    if new.prefix.as_deref().is_some_and(|prefix| !is_prefix(prefix)) {
        return Some(("prefix", "write 1 to 10 capital letters, digits and hyphens"));
    }
    if !(2000..=9999).contains(&new.due_on.year()) {
        return Some(("due_on", "name a day from the year 2000 on"));
    }
    if new.note.chars().count() > 500 || new.note.chars().any(|c| c.is_control() && c != '\n') {
        return Some(("note", "write at most 500 characters"));
    }
    (!(1..=LINES_MAX).contains(&new.lines.len())).then_some(("lines", "write 1 to 100 lines"))
}

/// Says whether a text can be a series of numbers.
pub(super) fn is_prefix(prefix: &str) -> bool {
    (1..=10).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Says whether a text is a reason.
pub(super) fn is_reason(reason: &str) -> bool {
    (1..=200).contains(&reason.chars().count()) && !reason.trim().is_empty()
}

/// Says what every line costs; with each comes its package's name and price. A tax is on the sum of all lines that are none, to the nearest
/// minor unit, a half upwards.
pub(super) fn priced(lines: &[(&NewLine, Option<(String, i64)>)]) -> Result<PricedInvoice, Fault> {
    let mut priced = lines.iter().map(|(line, package)| plain(line, package.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let net: i128 = priced.iter().map(|line| i128::from(line.amount)).sum();
    if !(0..=TOTAL_MAX).contains(&net) {
        return Err(("lines", "a bill comes to 1 to 1000000000000 minor units"));
    }
    let mut tax = 0;
    for line in &mut priced {
        if let Some(rate) = line.rate_bp {
            let amount = (net * i128::from(rate) + 5_000) / 10_000;
            line.unit = i64::try_from(amount).expect("a tax is no more than what it is on");
            line.amount = line.unit;
            tax += amount;
        }
    }
    let total = net + tax;
    if !(1..=TOTAL_MAX).contains(&total) {
        return Err(("lines", "a bill comes to 1 to 1000000000000 minor units"));
    }
    let minor = |sum: i128| i64::try_from(sum).expect("the limit is far from the end of 64 bits");
    Ok(PricedInvoice { lines: priced, total: minor(total), tax: minor(tax) })
}

/// A line as it stands alone; a tax is worth nothing yet.
fn plain(line: &NewLine, package: Option<&(String, i64)>) -> Result<Priced, Fault> {
    if (line.kind == LineKind::Package) != line.package.is_some() {
        return Err(("lines.package", "a line of kind package, and no other, names one"));
    }
    if (line.kind == LineKind::Tax) != line.rate_bp.is_some() || line.rate_bp.is_some_and(|rate| rate > 10_000) {
        return Err(("lines.rate_bp", "a line of kind tax, and no other, has a rate of 0 to 10000 hundredths of a per cent"));
    }
    let quantity = line.quantity.unwrap_or(1);
    if !(1..=10_000).contains(&quantity) || (line.kind == LineKind::Tax && quantity != 1) {
        return Err(("lines.quantity", "choose 1 to 10000, and 1 for a tax"));
    }
    let text = line.text.clone().or_else(|| package.map(|(name, _)| name.clone())).unwrap_or_default();
    if !(1..=200).contains(&text.chars().count()) || text.trim().is_empty() || text.contains(char::is_control) {
        return Err(("lines.text", "write 1 to 200 characters on one line"));
    }
    let unit = match (line.kind, line.unit_minor.or(package.map(|(_, price)| *price))) {
        (LineKind::Tax, None) => 0,
        (LineKind::Tax, Some(_)) => return Err(("lines.unit_minor", "a tax follows from its rate")),
        (_, Some(unit)) if (0..=1_000_000_000_000).contains(&unit) => unit,
        (_, Some(_) | None) => return Err(("lines.unit_minor", "give 0 to 1000000000000 minor units")),
    };
    let unit = if line.kind == LineKind::Discount { -unit } else { unit };
    Ok(Priced {
        kind: line.kind,
        text,
        quantity: i32::from(quantity),
        unit,
        amount: unit.checked_mul(i64::from(quantity)).ok_or(("lines.unit_minor", "the line is too large"))?,
        package: line.package,
        rate_bp: line.rate_bp.map(i32::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(kind: LineKind, quantity: u16, unit: Option<i64>, rate: Option<u16>) -> NewLine {
        NewLine {
            kind,
            text: Some("a line".to_owned()),
            quantity: Some(quantity),
            unit_minor: unit,
            package: None,
            rate_bp: rate,
        }
    }

    fn sums(lines: &[NewLine]) -> Result<(i64, i64), Fault> {
        let named: Vec<_> = lines.iter().map(|line| (line, None)).collect();
        priced(&named).map(|priced| (priced.total, priced.tax))
    }

    #[test]
    fn a_tax_is_on_what_is_none() {
        let fee = line(LineKind::Fee, 3, Some(50_000), None);
        let off = line(LineKind::Discount, 1, Some(10_000), None);
        let vat = line(LineKind::Tax, 1, None, Some(1_600));
        let levy = line(LineKind::Tax, 1, None, Some(150));
        assert_eq!(sums(&[vat.clone(), fee.clone(), off.clone(), levy]), Ok((140_000 + 22_400 + 2_100, 24_500)));
        // Half a cent goes up.
        assert_eq!(sums(&[line(LineKind::Fee, 1, Some(25), None), line(LineKind::Tax, 1, None, Some(200))]), Ok((26, 1)));
        assert_eq!(sums(&[off.clone(), vat]).map_err(|fault| fault.0), Err("lines"), "a bill of nothing is none");
        assert_eq!(sums(&[line(LineKind::Fee, 1, Some(10_000), None), off]).map_err(|fault| fault.0), Err("lines"));
        assert_eq!(sums(&[line(LineKind::Fee, 10_000, Some(1_000_000_000_000), None)]).map_err(|fault| fault.0), Err("lines"));
    }

    #[test]
    fn each_kind_has_what_is_its_own() {
        let fault = |line: NewLine| sums(&[line]).expect_err("wrong").0;
        assert_eq!(fault(line(LineKind::Package, 1, Some(1), None)), "lines.package");
        assert_eq!(fault(line(LineKind::Fee, 1, Some(1), Some(1))), "lines.rate_bp");
        assert_eq!(fault(line(LineKind::Tax, 1, None, None)), "lines.rate_bp");
        assert_eq!(fault(line(LineKind::Tax, 1, Some(5), Some(5))), "lines.unit_minor");
        assert_eq!(fault(line(LineKind::Fee, 0, Some(1), None)), "lines.quantity");
        assert_eq!(fault(line(LineKind::Discount, 1, Some(-1), None)), "lines.unit_minor");
        assert_eq!(fault(line(LineKind::Fee, 1, None, None)), "lines.unit_minor");
        assert_eq!(fault(NewLine { text: Some(" ".to_owned()), ..line(LineKind::Fee, 1, Some(1), None) }), "lines.text");
    }

    proptest! {
        #[test]
        fn a_bill_is_the_sum_of_its_lines(units in proptest::collection::vec((1_u16..100, 0_i64..1_000_000), 1..20), rate in 0_u16..=10_000) {
            let mut lines: Vec<NewLine> = units.iter().map(|(quantity, unit)| line(LineKind::Fee, *quantity, Some(*unit), None)).collect();
            lines.push(line(LineKind::Tax, 1, None, Some(rate)));
            let named: Vec<_> = lines.iter().map(|line| (line, None)).collect();
            if let Ok(bill) = priced(&named) {
                prop_assert_eq!(bill.lines.iter().map(|line| line.amount).sum::<i64>(), bill.total);
                prop_assert!(bill.lines.iter().all(|line| line.amount == line.unit * i64::from(line.quantity)));
                prop_assert!(bill.tax <= bill.total);
            }
        }
    }
}
