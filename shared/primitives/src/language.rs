/// A language that answers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    English,
    /// `vi`.
    Vietnamese,
}

impl Language {
    /// As `Content-Language` names it.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Vietnamese => "vi",
        }
    }

    /// A number as people read it: `26,270` and `1,112.34`, or `26.270` and `1.112,34`. Takes its digits.
    pub fn grouped(self, whole: &str, fraction: &str) -> String {
        let (thousands, point) = match self {
            Language::English => (',', '.'),
            Language::Vietnamese => ('.', ','),
        };
        let mut text = String::with_capacity(whole.len() * 2);
        for (nth, digit) in whole.chars().enumerate() {
            if nth > 0 && (whole.len() - nth).is_multiple_of(3) {
                text.push(thousands);
            }
            text.push(digit);
        }
        if !fraction.is_empty() {
            text.push(point);
            text.push_str(fraction);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{English, Vietnamese};

    #[test]
    fn a_number_is_grouped_as_the_language_does() {
        for (whole, fraction, english, vietnamese) in [
            ("0", "", "0", "0"),
            ("999", "", "999", "999"),
            ("26270", "", "26,270", "26.270"),
            ("1112", "34", "1,112.34", "1.112,34"),
            ("123456789", "003", "123,456,789.003", "123.456.789,003"),
        ] {
            assert_eq!(English.grouped(whole, fraction), english);
            assert_eq!(Vietnamese.grouped(whole, fraction), vietnamese);
        }
    }
}
