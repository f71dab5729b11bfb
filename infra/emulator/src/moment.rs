//! Times as AWS writes them, and names that happen once.

use primitives::{Clock, Timestamp, random_bytes};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// `2026-11-29T10:00:00Z`, as EventBridge writes it.
pub(crate) const EVENT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
/// `29/Nov/2026:10:00:00 +0000`, as API Gateway writes it.
pub(crate) const REQUEST: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}

pub(crate) fn written(moment: Timestamp, format: &[BorrowedFormatItem<'_>]) -> String {
    let seconds = i64::try_from(moment.seconds()).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(format).unwrap_or_default()
}

/// A UUID as AWS's request ids are, of version 4.
pub(crate) fn uuid() -> String {
    let bytes: [u8; 16] = random_bytes();
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76)) | (0x4 << 76);
    let number = (number & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// An X-Ray root, `1-` the second in hex `-` 96 random bits in hex.
pub(crate) fn trace_root() -> String {
    let uuid = uuid().replace('-', "");
    format!("1-{:08x}-{}", now().seconds(), &uuid[..24])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ids_have_the_form_aws_gives_them() {
        let moment = Timestamp::from_seconds(1_428_582_896);
        assert_eq!(written(moment, REQUEST), "09/Apr/2015:12:34:56 +0000");
        assert_eq!(written(moment, EVENT), "2015-04-09T12:34:56Z");
        let id = uuid();
        let marks = (&id[8..9], &id[14..15], id[19..20].parse::<char>().unwrap());
        assert!(matches!(marks, ("-", "4", '8' | '9' | 'a' | 'b')), "{id}");
        assert_eq!(trace_root().len(), 35);
    }
}
