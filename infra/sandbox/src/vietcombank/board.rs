//! The lines of the board: dong for one unit of each currency, as text.

/// Commas for thousands, a dot for decimals, `-` for what is not quoted.
pub(super) struct Line {
    pub(super) code: &'static str,
    name: &'static str,
    pub(super) buy: String,
    pub(super) transfer: String,
    pub(super) sell: String,
}

const USUAL: [(&str, &str, &str, &str, &str); 20] = [
    ("AUD", "AUSTRALIAN DOLLAR", "16,482.35", "16,648.84", "17,181.63"),
    ("CAD", "CANADIAN DOLLAR", "18,214.11", "18,398.09", "18,986.87"),
    ("CHF", "SWISS FRANC", "31,502.40", "31,820.61", "32,838.94"),
    ("CNY", "YUAN RENMINBI", "3,601.22", "3,637.60", "3,754.02"),
    ("DKK", "DANISH KRONE", "-", "3,978.45", "4,130.57"),
    ("EUR", "EURO", "29,584.16", "29,882.99", "31,144.02"),
    ("GBP", "POUND STERLING", "33,506.81", "33,845.26", "34,928.39"),
    ("HKD", "HONGKONG DOLLAR", "3,252.08", "3,284.93", "3,410.31"),
    ("INR", "INDIAN RUPEE", "-", "291.70", "304.26"),
    ("JPY", "YEN", "161.58", "163.21", "171.84"),
    ("KRW", "KOREAN WON", "15.28", "16.98", "18.42"),
    ("KWD", "KUWAITI DINAR", "-", "85,000.00", "88,000.00"),
    ("MYR", "MALAYSIAN RINGGIT", "-", "6,192.77", "6,327.66"),
    ("NOK", "NORWEGIAN KRONER", "-", "2,528.90", "2,636.14"),
    ("RUB", "RUSSIAN RUBLE", "-", "306.21", "338.95"),
    ("SAR", "SAUDI RIAL", "-", "6,904.45", "7,201.62"),
    ("SEK", "SWEDISH KRONA", "-", "2,697.13", "2,811.50"),
    ("SGD", "SINGAPORE DOLLAR", "19,651.50", "19,850.00", "20,526.07"),
    ("THB", "THAILAND BAHT", "716.66", "796.29", "830.06"),
    ("USD", "US DOLLAR", "25,860.00", "25,890.00", "26,270.00"),
];

/// The board of an ordinary day.
pub(super) fn usual() -> Vec<Line> {
    let line = |(code, name, buy, transfer, sell): (&'static str, &'static str, &str, &str, &str)| Line {
        code,
        name,
        buy: buy.to_owned(),
        transfer: transfer.to_owned(),
        sell: sell.to_owned(),
    };
    USUAL.into_iter().map(line).collect()
}

impl Line {
    /// The line as the portal writes it: names padded to 20 characters.
    pub(super) fn xml(&self) -> String {
        format!(
            "  <Exrate CurrencyCode=\"{}\" CurrencyName=\"{:<20}\" Buy=\"{}\" Transfer=\"{}\" Sell=\"{}\" />\r\n",
            self.code,
            self.name,
            escaped(&self.buy),
            escaped(&self.transfer),
            escaped(&self.sell)
        )
    }
}

/// Text that stays text inside XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
