use crate::{Bounds, Side};
use platform::Settings;
use primitives::Rate;
use std::time::Duration;

/// Where rates come from and what is believed of them.
pub(crate) struct RateSettings {
    /// `VIETCOMBANK_RATES_URL`
    pub(crate) vietcombank_url: String,
    /// `FRANKFURTER_URL`
    pub(crate) frankfurter_url: String,
    /// `RATE_SIDE`: which of Vietcombank's prices is ours; never `mid`.
    pub(crate) side: Side,
    /// `RATE_AGE_MAX_HOURS`: how old a feed may be, when it is read and when an order is made.
    pub(crate) age_max: Duration,
    /// `RATE_STEP_MAX_PERCENT`
    step_max_percent: u32,
    /// `USD_VND_MIN`, `USD_VND_MAX`
    usd_vnd: (Rate, Rate),
}

impl RateSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> RateSettings {
        let board = "https://portal.vietcombank.com.vn/Usercontrols/TVPortal.TyGia/pXML.aspx";
        RateSettings {
            vietcombank_url: settings.url_or("VIETCOMBANK_RATES_URL", board),
            frankfurter_url: settings.url_or("FRANKFURTER_URL", "https://api.frankfurter.dev"),
            side: side(settings),
            age_max: Duration::from_secs(3600 * u64::from(above_zero(settings, "RATE_AGE_MAX_HOURS", 120))),
            step_max_percent: above_zero(settings, "RATE_STEP_MAX_PERCENT", 3),
            usd_vnd: usd_vnd(settings),
        }
    }

    /// What an order may be fixed at.
    pub(crate) fn for_orders(&self) -> Bounds {
        Bounds { range: Some(self.usd_vnd), holds_to_an_old_one: true, ..self.for_display() }
    }

    /// What is only shown.
    pub(crate) fn for_display(&self) -> Bounds {
        Bounds {
            range: None,
            step_max_percent: self.step_max_percent,
            age_max: self.age_max,
            holds_to_an_old_one: false,
        }
    }
}

fn side(settings: &mut Settings<'_>) -> Side {
    let side = settings.parsed_or("RATE_SIDE", Side::Sell, "sell, transfer or buy");
    if side == Side::Mid {
        settings.complain("RATE_SIDE", "must be sell, transfer or buy: Vietcombank quotes no middle");
    }
    side
}

fn above_zero(settings: &mut Settings<'_>, name: &str, default: u32) -> u32 {
    let number = settings.parsed_or(name, default, "a whole number");
    if number == 0 {
        settings.complain(name, "must be above 0, or no rate would ever be good");
    }
    number
}

fn usd_vnd(settings: &mut Settings<'_>) -> (Rate, Rate) {
    let dong = |micros| Rate::from_micros(micros).expect("a constant above zero");
    let min = settings.parsed_or("USD_VND_MIN", dong(20_000_000_000), "dong for one dollar");
    let max = settings.parsed_or("USD_VND_MAX", dong(35_000_000_000), "dong for one dollar");
    if min >= max {
        settings.complain("USD_VND_MIN", "must be below USD_VND_MAX");
    }
    (min, max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rate;
    use platform::Env;

    fn read(variables: &[(&str, &str)]) -> Result<RateSettings, String> {
        let env: Env = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        env.section(RateSettings::read).map_err(|error| error.to_string())
    }

    #[test]
    fn without_any_setting_the_documented_defaults_hold() {
        let settings = read(&[]).unwrap();
        let orders = settings.for_orders();
        assert_eq!(orders.range, Some((rate("20000"), rate("35000"))));
        assert_eq!((orders.step_max_percent, orders.age_max.as_secs()), (3, 120 * 3600));
        assert_eq!(settings.side, Side::Sell);
        assert!(settings.vietcombank_url.ends_with("/pXML.aspx"));
        assert_eq!(settings.for_display().range, None);
    }

    #[test]
    fn settings_under_which_no_rate_could_be_good_are_refused() {
        for (name, value) in [
            ("RATE_SIDE", "mid"),
            ("RATE_SIDE", "middle"),
            ("RATE_AGE_MAX_HOURS", "0"),
            ("RATE_STEP_MAX_PERCENT", "0"),
            ("RATE_STEP_MAX_PERCENT", "2.5"),
            ("USD_VND_MIN", "40000"),
            ("USD_VND_MAX", "20,000"),
            ("FRANKFURTER_URL", "frankfurter"),
        ] {
            let complaint = read(&[(name, value)]).err().unwrap_or_default();
            assert!(complaint.contains("USD_VND") || complaint.contains(name), "{name}={value}: {complaint}");
        }
    }
}
