//! Decimal numbers in JSON, counted in whole units so that no float is ever computed with.

use serde_json::Value;

/// `units` of the `decimals`th decimal place as a JSON number: 3_200 with 3 decimals is 3.2.
pub(crate) fn number(units: u64, decimals: u32) -> Value {
    let scale = 10_u64.saturating_pow(decimals);
    let text = format!("{}.{:0width$}", units / scale, units % scale, width = decimals as usize);
    serde_json::from_str(&text).unwrap_or_default()
}

/// The same below zero.
pub(crate) fn below_zero(units: u64, decimals: u32) -> Value {
    serde_json::from_str(&format!("-{}", number(units, decimals))).unwrap_or_default()
}

/// A JSON number in units of its `decimals`th place, rounded; `None` for anything else and below zero.
pub(crate) fn units(value: &Value, decimals: usize) -> Option<u64> {
    let text = format!("{:.decimals$}", value.as_f64()?);
    text.replace('.', "").parse().ok()
}

/// The same for a number written as text, as in a query or a form.
pub(crate) fn read(text: &str, decimals: usize) -> Option<u64> {
    units(&serde_json::from_str(text.trim()).ok()?, decimals)
}
