//! What a bank makes of a memo, and how SePay finds the payment code in it.

use serde::Deserialize;

/// The company's template at SePay: `CIT` and six letters or digits, matched in any case.
const CODE_PREFIX: &str = "CIT";
const CODE_SUFFIX_CHARACTERS: usize = 6;

/// What happens to the memo between the payer and the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mangle {
    /// All lower case; the code is still recognised.
    Lower,
    /// Spaces inside the code, which is then not recognised.
    Spaces,
    /// The bank's own words around it; the code is still recognised.
    Prefix,
    /// The bank's reference directly behind the code, without a space.
    Glued,
    /// The last characters are missing, and the code with them.
    Cut,
    /// The text stays, but recognition is switched off at SePay.
    NoCode,
}

/// The text as the bank reports it, and the code SePay cuts out of it.
pub(super) fn reported(memo: &str, mangle: Option<Mangle>) -> (String, Option<String>) {
    let content = match mangle {
        None | Some(Mangle::NoCode) => memo.to_owned(),
        Some(Mangle::Lower) => memo.to_lowercase(),
        Some(Mangle::Spaces) => spaced(memo),
        Some(Mangle::Prefix) => format!("MBVCB.9876543210.{memo}.CT tu 0071000888888 toi 12345678"),
        Some(Mangle::Glued) => format!("{memo}FT26325"),
        Some(Mangle::Cut) => memo.chars().take(memo.chars().count().saturating_sub(2)).collect(),
    };
    let code = if mangle == Some(Mangle::NoCode) { None } else { code_in(&content) };
    (content, code)
}

/// The first text that fits the template, in upper case.
fn code_in(content: &str) -> Option<String> {
    let upper = content.to_ascii_uppercase();
    upper.match_indices(CODE_PREFIX).find_map(|(at, _)| {
        let code = upper.get(at..at + CODE_PREFIX.len() + CODE_SUFFIX_CHARACTERS)?;
        code.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| code.to_owned())
    })
}

/// A space after every third character.
fn spaced(memo: &str) -> String {
    let characters: Vec<char> = memo.chars().collect();
    characters.chunks(3).map(String::from_iter).collect::<Vec<_>>().join(" ")
}
