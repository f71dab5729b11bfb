//! Rates between two currencies out of their rates to the dollar, in whole numbers.

use std::collections::BTreeMap;

/// Rates are calculated, and written, with this many decimals.
const DECIMALS: usize = 10;
const ONE: u128 = 10_u128.pow(DECIMALS as u32);

/// How much of `quote` one `base` is, as the text of a JSON number.
pub(super) fn rate(for_one_dollar: &BTreeMap<String, String>, base: &str, quote: &str) -> Option<String> {
    let quoted = for_one_dollar.get(quote)?;
    if base == "USD" {
        return Some(quoted.clone());
    }
    let base = scaled(for_one_dollar.get(base)?).filter(|base| *base > 0)?;
    let exact = scaled(quoted)?.checked_mul(ONE)?;
    Some(text(exact.checked_add(base / 2)? / base))
}

/// A plain decimal in units of the last decimal.
fn scaled(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > DECIMALS || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u128 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    whole.parse::<u128>().ok()?.checked_mul(ONE)?.checked_add(fraction)
}

fn text(scaled: u128) -> String {
    let digits = format!("{}.{:0DECIMALS$}", scaled / ONE, scaled % ONE);
    let short = digits.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}
