//! What is left of our money at providers that are paid in advance and say so.

use crate::ProviderName;
use crate::settings::DeepseekSettings;
use crate::wire;
use platform::{InvalidSettings, Platform, Settings};
use primitives::times;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

/// Asks each provider for our balance. Only DeepSeek tells one (`docs/facts/providers.md`, after its "Get User
/// Balance"); that of the others shows when they refuse us, as the number `provider_refuses_us`.
pub struct Balances {
    platform: Platform,
    /// `None`: DeepSeek is not configured.
    deepseek: Option<(Url, HeaderMap)>,
    /// `PROVIDER_BALANCE_MIN_CENTS`: below this somebody should top up
    least_cents: u64,
}

/// What one provider said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    pub provider: &'static str,
    /// US cents, rounded down; `None`: held in another currency, or not told.
    pub cents: Option<u64>,
    /// Little is left, or the provider serves us no more.
    pub is_low: bool,
}

#[derive(Deserialize)]
struct BalanceAnswer {
    is_available: bool,
    balance_infos: Vec<Purse>,
}

#[derive(Deserialize)]
struct Purse {
    currency: String,
    total_balance: String,
}

impl Balances {
    pub fn new(platform: &Platform) -> Result<Balances, InvalidSettings> {
        let (settings, least_cents) = platform.env().section(|settings: &mut Settings<'_>| {
            let least = settings.parsed_or("PROVIDER_BALANCE_MIN_CENTS", 1_000, "whole US cents");
            (DeepseekSettings::read(settings), least)
        })?;
        let headers = settings.key.map(|key| HeaderMap::from_iter([(AUTHORIZATION, key)]));
        let deepseek = headers.map(|headers| (settings.balance, headers));
        Ok(Balances { platform: platform.clone(), deepseek, least_cents })
    }

    /// One balance per configured provider that answered. A provider that can't be reached is asked again next time.
    pub async fn look(&self) -> Vec<Balance> {
        let Some((url, headers)) = &self.deepseek else { return Vec::new() };
        let Some(balance) = self.ask(url.clone(), headers).await else {
            tracing::warn!(
                metric = "provider_balance_unknown",
                provider.name = "deepseek",
                "a provider did not tell our balance"
            );
            return Vec::new();
        };
        self.tell(&balance);
        vec![balance]
    }

    async fn ask(&self, url: Url, headers: &HeaderMap) -> Option<Balance> {
        let limit = Instant::now() + times::BALANCE_CALL.limit;
        let response = wire::send(&self.platform, wire::get(url, headers), limit).await.ok()?;
        match response.status() {
            StatusCode::OK => Some(self.judged(&wire::json::<BalanceAnswer>(response, limit).await?)),
            StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
                Some(Balance { provider: ProviderName::Deepseek.as_str(), cents: None, is_low: true })
            }
            _ => None,
        }
    }

    fn judged(&self, answer: &BalanceAnswer) -> Balance {
        let dollars = answer.balance_infos.iter().find(|purse| purse.currency == "USD");
        let cents = dollars.and_then(|purse| cents_of(&purse.total_balance));
        let is_low = !answer.is_available || cents.is_some_and(|cents| cents < self.least_cents);
        Balance { provider: ProviderName::Deepseek.as_str(), cents, is_low }
    }

    fn tell(&self, balance: &Balance) {
        let provider = balance.provider;
        // Of a purse in another currency nobody can say whether it is nearly empty.
        if balance.cents.is_none() && !balance.is_low {
            tracing::warn!(
                metric = "provider_balance_unknown",
                provider.name = provider,
                "a balance is not in dollars"
            );
        }
        if let Some(cents) = balance.cents {
            tracing::info!(
                metric = "provider_balance_cents",
                value = cents,
                provider.name = provider,
                "a balance was told"
            );
        }
        let low = u64::from(balance.is_low);
        tracing::info!(
            metric = "provider_balance_low",
            value = low,
            provider.name = provider,
            "a balance was judged"
        );
    }
}

/// `42.019` is 4201 cents. What is owed counts as nothing left.
fn cents_of(text: &str) -> Option<u64> {
    if text.starts_with('-') {
        return Some(0);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    let hundredths = format!("{part:0<2}")[..2].parse::<u64>().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::Env;
    use primitives::Clock;

    #[test]
    fn amounts_are_read_without_rounding_up() {
        for (text, cents) in [
            ("42.00", Some(4200)),
            ("42.019", Some(4201)),
            ("42.5", Some(4250)),
            ("7", Some(700)),
            ("0.00", Some(0)),
            ("-3.10", Some(0)),
            ("", None),
            (".5", None),
            ("1e3", None),
            ("1,5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(cents_of(text), cents, "{text}");
        }
    }

    #[test]
    fn a_balance_is_low_below_the_setting_or_when_the_provider_says_so() {
        let given = [
            ("AWS_REGION", "x"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("MEDIA_BUCKET", "x"),
            ("PROVIDER_BALANCE_MIN_CENTS", "500"),
        ];
        let env: Env = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let balances = Balances::new(&Platform::build(env, Clock::system(), None).unwrap()).unwrap();
        for (told, expected) in [
            (
                r#"{"is_available":true,"balance_infos":[{"currency":"USD","total_balance":"5.00"}]}"#,
                (Some(500), false),
            ),
            (
                r#"{"is_available":true,"balance_infos":[{"currency":"USD","total_balance":"4.99"}]}"#,
                (Some(499), true),
            ),
            (
                r#"{"is_available":false,"balance_infos":[{"currency":"USD","total_balance":"9"}]}"#,
                (Some(900), true),
            ),
            (
                r#"{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"1.00"}]}"#,
                (None, false),
            ),
        ] {
            let balance = balances.judged(&serde_json::from_str(told).unwrap());
            assert_eq!((balance.cents, balance.is_low), expected, "{told}");
        }
    }
}
