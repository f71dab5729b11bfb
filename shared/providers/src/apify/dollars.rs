use primitives::CostCents;

/// Millionths of a cent have eight places behind a dollar's point.
const PLACES: i64 = 8;
/// The most places of an exponent or a number that are read.
const LENGTH_MAX: usize = 64;

/// A JSON number of dollars by its text (`0.00505`, `5.05e-3`), rounded once, half up, to a millionth of a cent. `None`: it is
/// no such number, is negative, or is more than any cost.
pub(super) fn of(text: &str) -> Option<CostCents> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{part}");
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) + PLACES;
    if digits.bytes().all(|digit| digit == b'0') || point < 0 {
        return Some(CostCents::ZERO);
    }
    let point = usize::try_from(point).ok().filter(|point| *point <= LENGTH_MAX)?;
    let kept: String = digits.chars().chain(std::iter::repeat('0')).take(point).collect();
    let rounds_up = digits.as_bytes().get(point).is_some_and(|digit| *digit >= b'5');
    let kept: u64 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    kept.checked_add(u64::from(rounds_up)).map(CostCents::from_micro_cents)
}

/// As Apify reads a sum: dollars with six places, rounded down, so that no more is allowed than is paid for.
pub(super) fn text(cost: CostCents) -> String {
    const MILLIONTH_OF_A_DOLLAR: u64 = 100;
    let millionths = cost.micro_cents() / MILLIONTH_OF_A_DOLLAR;
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dollars_are_read_by_their_text_and_rounded_once() {
        let table = [
            ("0", Some("0")),
            ("0.0", Some("0")),
            ("0.00505", Some("0.505")),
            ("0.01505", Some("1.505")),
            ("0.015050000000000001", Some("1.505")),
            ("0.000000005", Some("0.000001")),
            ("0.0000000049", Some("0")),
            ("12", Some("1200")),
            ("5.05e-3", Some("0.505")),
            ("5E-5", Some("0.005")),
            ("1e-7", Some("0.00001")),
            ("1e-30", Some("0")),
            ("5e-9", Some("0.000001")),
            ("4e-9", Some("0")),
            ("1.5e2", Some("15000")),
            ("0e999", Some("0")),
            ("1e999", None),
            ("1e30", None),
            ("1e99999", None),
            ("99999999999999999999", None),
            ("-0.1", None),
            ("+1", None),
            (".5", None),
            ("\"0.5\"", None),
            ("", None),
            ("null", None),
            ("1e", None),
        ];
        for (text, cents) in table {
            assert_eq!(of(text), cents.map(|cents| cents.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_limit_is_never_more_than_is_paid_for() {
        let table =
            [("2", "0.020000"), ("0.505", "0.005050"), ("0.00099999", "0.000009"), ("12345.6", "123.456000")];
        for (cents, dollars) in table {
            let cost = cents.parse::<CostCents>().or_else(|_| cents[..8].parse()).unwrap();
            assert_eq!(text(cost), dollars, "{cents}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(millionths in 0..10_000_000_000_u64) {
            let cost = CostCents::from_micro_cents(millionths * 100);
            prop_assert_eq!(of(&text(cost)), Some(cost));
        }
    }
}
