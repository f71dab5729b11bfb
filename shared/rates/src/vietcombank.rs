//! Vietcombank's board of rates (`pXML.aspx`): VND for one unit of each foreign currency.

use crate::Side;
use crate::feed::FeedError;
use primitives::{Currency, Rate, Timestamp};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;
use quick_xml::{Reader, XmlVersion};
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{PrimitiveDateTime, UtcOffset};

/// The board's times are Vietnam's, without saying so.
const HANOI: UtcOffset = offset!(+7);
/// `11/20/2026 2:42:34 PM`
const AMERICAN: &[BorrowedFormatItem<'_>] = format_description!(
    "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] \
     [period case:upper]"
);
/// `20/11/2026 14:42:34`, which one program has met: only a day before the month has no AM or PM.
const EUROPEAN: &[BorrowedFormatItem<'_>] = format_description!(
    "[day padding:none]/[month padding:none]/[year] [hour padding:none]:[minute]:[second]"
);

/// The whole board.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Board {
    pub(crate) at: Timestamp,
    rows: Vec<Row>,
}

/// One currency; `None` is a side that the bank does not quote.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    currency: Currency,
    buy: Option<Rate>,
    transfer: Option<Rate>,
    sell: Option<Rate>,
}

impl Board {
    /// Reads the feed. A row that can't be read is left out, unless it is the dollar's.
    pub(crate) fn parse(text: &str) -> Result<Board, FeedError> {
        if !text.contains("<Exrate ") {
            return Err(FeedError::NotTheFeed);
        }
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let (mut at, mut rows) = (None, Vec::new());
        loop {
            let event = reader.read_event().map_err(|_| FeedError::Unreadable("it is no XML"))?;
            match event {
                Event::Start(element) if element.name() == QName("DateTime") => {
                    let time =
                        reader.read_text(element.name()).map_err(|_| FeedError::Unreadable("DateTime"))?;
                    at = Some(read_time(&time).ok_or(FeedError::Unreadable("DateTime"))?);
                }
                Event::Start(element) | Event::Empty(element) if element.name() == QName("Exrate") => {
                    rows.extend(read_row(&element)?);
                }
                Event::End(element) if element.name() == QName("ExrateList") => break,
                Event::Eof => return Err(FeedError::Unreadable("it is cut off")),
                _ => {}
            }
        }
        Ok(Board { at: at.ok_or(FeedError::Unreadable("DateTime"))?, rows })
    }

    /// VND for one US dollar.
    pub(crate) fn dollar(&self, side: Side) -> Result<Rate, FeedError> {
        let mut rows = self.rows.iter().filter(|row| row.currency == Currency::USD);
        let (row, other) = (rows.next().ok_or(FeedError::NotQuoted)?, rows.next());
        if other.is_some() {
            return Err(FeedError::Unreadable("there are two dollars"));
        }
        let rate = match side {
            Side::Buy => row.buy,
            Side::Transfer => row.transfer,
            Side::Sell => row.sell,
            Side::Mid => None,
        };
        rate.ok_or(FeedError::NotQuoted)
    }
}

fn read_row(element: &BytesStart<'_>) -> Result<Option<Row>, FeedError> {
    let attribute = |name: &str| -> Option<String> {
        let value = element.try_get_attribute(name).ok()??.normalized_value(XmlVersion::Implicit1_0).ok()?;
        Some(value.trim().to_owned())
    };
    let code = attribute("CurrencyCode");
    let read = || {
        Some(Row {
            currency: code.as_deref()?.parse().ok()?,
            buy: read_rate(&attribute("Buy")?)?,
            transfer: read_rate(&attribute("Transfer")?)?,
            sell: read_rate(&attribute("Sell")?)?,
        })
    };
    match read() {
        None if code.as_deref() == Some("USD") => Err(FeedError::Unreadable("the dollar's row")),
        row => Ok(row),
    }
}

/// `Some(None)`: not quoted, written `-`, nothing, or zero. `None`: no rate at all.
fn read_rate(text: &str) -> Option<Option<Rate>> {
    let is_zero = !text.is_empty() && text.bytes().all(|b| matches!(b, b'0' | b'.'));
    if matches!(text, "-" | "") || is_zero {
        return Some(None);
    }
    // Commas must group thousands: `25.860,00` and `2,60` are somebody else's decimals.
    let (whole, _) = text.split_once('.').unwrap_or((text, ""));
    let mut groups = whole.split(',');
    let is_first_short = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
    let is_grouped = is_first_short && groups.all(|group| group.len() == 3);
    if whole.contains(',') && !is_grouped || text[whole.len()..].contains(',') {
        return None;
    }
    text.replace(',', "").parse().ok().map(Some)
}

fn read_time(text: &str) -> Option<Timestamp> {
    // Newer .NET writes a narrow no-break space before PM.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let format = if text.ends_with('M') { AMERICAN } else { EUROPEAN };
    let local = PrimitiveDateTime::parse(&text, format).ok()?;
    u64::try_from(local.assume_offset(HANOI).unix_timestamp()).ok().map(Timestamp::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{BOARD, rate};

    fn dollar(text: &str) -> Result<Rate, String> {
        let board = Board::parse(text).map_err(|error| error.to_string())?;
        board.dollar(Side::Sell).map_err(|error| error.to_string())
    }

    #[test]
    fn the_board_is_read_whole() {
        let board = Board::parse(BOARD).unwrap();
        assert_eq!(board.at.to_string(), "2026-11-20T07:42:34.000Z");
        let row = |code: &str| board.rows.iter().find(|row| row.currency.code() == code).unwrap();
        let some = |text| Some(rate(text));
        assert_eq!((row("USD").buy, row("USD").transfer), (some("25860"), some("25890")));
        assert_eq!((row("KWD").buy, row("KWD").sell), (None, some("88000.5")));
        assert_eq!((row("SAR").buy, row("SAR").transfer), (None, some("6890.12")));
        for (side, sum) in [(Side::Buy, "25860"), (Side::Transfer, "25890"), (Side::Sell, "26270")] {
            assert_eq!(board.dollar(side).unwrap(), rate(sum), "{side}");
        }
    }

    #[test]
    fn what_stands_around_the_board_changes_nothing() {
        let bare = BOARD.split_once("-->").unwrap().1;
        for text in [
            bare.to_owned(),
            format!("\u{feff}{BOARD}"),
            format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n{BOARD}"),
            format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>{bare}"),
            BOARD.replace(" />", "></Exrate>"),
            BOARD.replace('\n', ""),
        ] {
            assert_eq!(Board::parse(&text).unwrap(), Board::parse(BOARD).unwrap(), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_the_bank_writes_them() {
        for (text, read) in [
            ("25,860.00", Some(Some("25860"))),
            ("25860.00", Some(Some("25860"))),
            ("1,025,860.5", Some(Some("1025860.5"))),
            ("169.42", Some(Some("169.42"))),
            ("-", Some(None)),
            ("", Some(None)),
            ("0", Some(None)),
            ("0.00", Some(None)),
            ("25.860,00", None),
            ("2,60", None),
            (",860", None),
            ("25,86,000", None),
            ("-25,860.00", None),
            ("25 860", None),
            ("n/a", None),
        ] {
            assert_eq!(read_rate(text), read.map(|read| read.map(rate)), "{text}");
        }
    }

    #[test]
    fn times_are_vietnams_in_either_notation() {
        for (text, utc) in [
            ("11/20/2026 2:42:34 PM", Some("2026-11-20T07:42:34.000Z")),
            ("11/20/2026 12:00:00 AM", Some("2026-11-19T17:00:00.000Z")),
            ("11/20/2026 12:30:00 PM", Some("2026-11-20T05:30:00.000Z")),
            ("1/2/2026 08:05:00 AM", Some("2026-01-02T01:05:00.000Z")),
            ("01/02/2026 8:05:00 AM", Some("2026-01-02T01:05:00.000Z")),
            ("  11/20/2026  2:42:34\u{202f}PM ", Some("2026-11-20T07:42:34.000Z")),
            ("20/11/2026 14:42:34", Some("2026-11-20T07:42:34.000Z")),
            ("05/11/2026 8:42:34", Some("2026-11-05T01:42:34.000Z")),
            ("20/11/2026 2:42:34 PM", None),
            ("11/20/2026 14:42:34", None),
            ("2026-11-20", None),
            ("", None),
        ] {
            let read = read_time(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), utc, "{text}");
        }
    }

    #[test]
    fn what_is_not_the_board_is_no_rate() {
        let usd = |sell: &str| BOARD.replace("26,270.00", sell);
        for (text, complaint) in [
            ("<!DOCTYPE html><html><body>Request Rejected</body></html>".to_owned(), "blocks us"),
            (String::new(), "blocks us"),
            ("<ExrateList></ExrateList>".to_owned(), "blocks us"),
            (BOARD.replace("11/20/2026 2:42:34 PM", "yesterday"), "DateTime"),
            (BOARD.replace("DateTime", "Date"), "DateTime"),
            (BOARD.split_once("<Source>").unwrap().0.to_owned(), "cut off"),
            (BOARD.replace("</DateTime>", "</DateTim>"), "DateTime"),
            (BOARD.replace("\"USD\"", "\"XXX\""), "not quoted"),
            (usd("-"), "not quoted"),
            (usd("0"), "not quoted"),
            (usd("26.270,00"), "the dollar's row"),
            (BOARD.replace("Sell=\"26,270.00\"", ""), "the dollar's row"),
            (BOARD.replace("\"KWD\"", "\"USD\""), "two dollars"),
        ] {
            let read = dollar(&text);
            assert!(read.as_ref().is_err_and(|error| error.contains(complaint)), "{read:?}: {text}");
        }
    }

    #[test]
    fn a_broken_row_of_another_currency_does_not_hide_the_dollar() {
        assert_eq!(dollar(&BOARD.replace("85,000.00", "85.000,00")), Ok(rate("26270")));
    }
}
