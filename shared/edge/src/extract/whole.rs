//! Whole numbers, however they are written: to JSON Schema `4268.0` and `4.268e3` are integers.

use std::borrow::Cow;

/// More digits than any integer of ours has.
const DIGITS_MAX: usize = 20;

/// The JSON with every whole number written as one. Works on the text, so that no amount passes through a float; what
/// is no whole number, or no number, stays as it is.
pub(super) fn whole_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    let mut written: Option<Vec<u8>> = None;
    let (mut at, mut copied, mut in_string) = (0, 0, false);
    while let Some(byte) = json.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let length = json[at..].iter().take_while(|byte| is_of_number(**byte)).count();
                let token = &json[at..at + length];
                if let Some(whole) = whole(token) {
                    let written = written.get_or_insert_default();
                    written.extend_from_slice(&json[copied..at]);
                    written.extend_from_slice(whole.as_bytes());
                    copied = at + length;
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    match written {
        None => Cow::Borrowed(json),
        Some(mut written) => {
            written.extend_from_slice(&json[copied..]);
            Cow::Owned(written)
        }
    }
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

/// `None` for a number that is written whole already, is not whole, or is not JSON's.
fn whole(token: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(token).ok()?;
    if text.bytes().all(|b| b.is_ascii_digit()) || (text != "-0" && !text.contains(['.', 'e', 'E'])) {
        return None;
    }
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) =
        mantissa.split_once('.').map_or((mantissa, ""), |(whole, fraction)| (whole, fraction));
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_written_well = !whole.is_empty()
        && (whole == "0" || !whole.starts_with('0'))
        && are_digits(whole)
        && are_digits(fraction)
        && !mantissa.ends_with('.');
    if !is_written_well {
        return None;
    }
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let cut = i64::try_from(digits.len() - significant.len()).ok()?;
    let zeros = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(cut)?;
    let zeros = usize::try_from(zeros).ok()?;
    (significant.len().checked_add(zeros)? <= DIGITS_MAX)
        .then(|| format!("{sign}{significant}{}", "0".repeat(zeros)))
}

#[cfg(test)]
mod tests {
    use super::whole_numbers;

    #[test]
    fn whole_numbers_are_written_as_integers_and_nothing_else_changes() {
        let table = [
            (r#"{"a":4268.0}"#, r#"{"a":4268}"#),
            ("[5e2,5E+2,50.00e1,0.5e3,5000e-1]", "[500,500,500,500,500]"),
            ("[-0,-0.0,0e9,0.000,-3.0]", "[0,0,0,0,-3]"),
            ("9007199254740993.0", "9007199254740993"),
            ("1.5", "1.5"),
            ("[5e-1,15e-1,1e30,1e99999999999999999999]", "[5e-1,15e-1,1e30,1e99999999999999999999]"),
            (r#"{"4268.0":"4268.0 \"1.0","b":[1.0]}"#, r#"{"4268.0":"4268.0 \"1.0","b":[1]}"#),
            // Not JSON: the parser says so.
            ("[01.0,1.,.5,1.0.0,--1.0,+1.0,1e,e1]", "[01.0,1.,.5,1.0.0,--1.0,+1,1e,e1]"),
            (r#""open 1.0"#, r#""open 1.0"#),
            ("", ""),
        ];
        for (json, expected) in table {
            assert_eq!(std::str::from_utf8(&whole_numbers(json.as_bytes())).unwrap(), expected);
        }
    }
}
