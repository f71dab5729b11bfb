//! A reader for server-sent events, after the HTML Standard § 9.2.6: the published crates panic on a byte order
//! mark or lose events on CR-only lines.

const LINE_MAX: usize = 1024 * 1024;
const EVENT_MAX: usize = 1024 * 1024;
const NAME_MAX: usize = 64;

/// Takes the stream in pieces cut anywhere and gives back whole events.
#[derive(Default)]
pub(crate) struct SseReader {
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    /// The line can't be one of data and is longer than is worth keeping: the rest of it is passed over.
    is_line_skipped: bool,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    has_read_a_line: bool,
    /// The last byte was a CR: a LF right after it belongs to the same line end.
    after_cr: bool,
    /// The event in `data` was given back and is forgotten at the next call.
    is_given: bool,
}

/// One event. Name and data stay bytes: who reads them checks their encoding anyway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SseEvent<'a> {
    /// What `event:` said; mostly empty.
    pub(crate) name: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// A line or event is longer than any honest provider's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl SseEvent<'_> {
    /// An event that is none of a provider's text: what it holds is passed over, if it can't be read as such.
    pub(crate) fn is_foreign(&self) -> bool {
        !self.name.is_empty() && self.name != b"message" && !self.is_error()
    }

    pub(crate) fn is_error(&self) -> bool {
        self.name == b"error"
    }
}

impl SseReader {
    /// Reads from the front of `bytes` up to the end of the next event and gives it; `None` when `bytes` is used up.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<SseEvent<'_>>, TooLong> {
        self.forget_given();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                *bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                self.keep(bytes)?;
                *bytes = &[];
                break;
            };
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.after_cr = bytes[end] == b'\r';
            *bytes = rest;
            if self.end_line(line)? {
                self.is_given = true;
                return Ok(Some(SseEvent { name: &self.name, data: &self.data }));
            }
        }
        Ok(None)
    }

    fn forget_given(&mut self) {
        if std::mem::take(&mut self.is_given) {
            self.name.clear();
            self.data.clear();
            self.has_data = false;
        }
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.is_line_skipped {
            return Ok(());
        }
        if self.line.len() + part.len() <= LINE_MAX {
            self.line.extend_from_slice(part);
            return Ok(());
        }
        let head: Vec<u8> = self.line.iter().chain(part).take(16).copied().collect();
        if without_mark(&head).starts_with(b"data") {
            return Err(TooLong);
        }
        self.is_line_skipped = true;
        self.line = Vec::new();
        Ok(())
    }

    /// True when this line ends an event.
    fn end_line(&mut self, end: &[u8]) -> Result<bool, TooLong> {
        if self.line.is_empty() && !self.is_line_skipped && end.len() <= LINE_MAX {
            return self.read_line(end);
        }
        self.keep(end)?;
        if std::mem::take(&mut self.is_line_skipped) {
            self.has_read_a_line = true;
            return Ok(false);
        }
        let line = std::mem::take(&mut self.line);
        let ended = self.read_line(&line);
        self.line = line;
        self.line.clear();
        ended
    }

    fn read_line(&mut self, mut line: &[u8]) -> Result<bool, TooLong> {
        if !std::mem::replace(&mut self.has_read_a_line, true) {
            line = without_mark(line);
        }
        if line.is_empty() {
            if !self.has_data {
                self.name.clear();
            }
            return Ok(self.has_data);
        }
        self.read_field(line)?;
        Ok(false)
    }

    /// Comments have no field name, and the other fields are of no use to us.
    fn read_field(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.add_data(value),
            b"event" => {
                self.name = value[..value.len().min(NAME_MAX)].to_vec();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_data(&mut self, value: &[u8]) -> Result<(), TooLong> {
        if self.data.len() + value.len() > EVENT_MAX {
            return Err(TooLong);
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        Ok(())
    }
}

/// The byte order mark that may stand before the first line.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut reader = SseReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(event) = reader.next(&mut rest)? {
                events.push(event.data.to_vec());
            }
        }
        Ok(events)
    }

    fn data_of(stream: &[u8]) -> Vec<String> {
        read(&[stream]).unwrap().into_iter().map(|data| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn streams_are_read_as_the_standard_says() {
        let table: [(&str, &[&str]); 15] = [
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("\u{feff}data: a\n\n", &["a"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\r\rdata: b\r\r", &["a", "b"]),
            ("data: a\r\n\ndata: b\n\r\n", &["a", "b"]),
            (": keep-alive\n\n: x\n\ndata: a\n\n", &["a"]),
            ("data: a\ndata: b\ndata:\n\n", &["a\nb\n"]),
            ("data:a\n\ndata:  b\n\n", &["a", " b"]),
            ("data\n\n", &[""]),
            ("event: x\n\ndata: a\n\n", &["a"]),
            ("data: a\n\ndata: lost", &["a"]),
            ("data: a\n\ndata: lost\n", &["a"]),
            ("id: 7\nretry: 10\nother: x\ndata: a\n\n", &["a"]),
            ("\n\n\n", &[]),
            ("", &[]),
        ];
        for (stream, expected) in table {
            assert_eq!(data_of(stream.as_bytes()), expected, "{stream:?}");
        }
    }

    #[test]
    fn an_event_has_the_name_it_was_given() {
        let stream = b"event: error\ndata: a\n\ndata: b\n\nevent: x\n\ndata: c\n\nevent:ping\ndata:d\n\n";
        let (mut reader, mut rest, mut events) = (SseReader::default(), stream.as_slice(), Vec::new());
        while let Some(event) = reader.next(&mut rest).unwrap() {
            events.push((String::from_utf8(event.name.to_vec()).unwrap(), event.data[0], event.is_foreign()));
        }
        let expected = [("error", b'a', false), ("", b'b', false), ("", b'c', false), ("ping", b'd', true)];
        assert_eq!(events, expected.map(|(name, data, is_foreign)| (name.to_owned(), data, is_foreign)));
    }

    #[test]
    fn an_endless_line_of_data_is_refused() {
        let line = vec![b'x'; LINE_MAX + 1];
        assert_eq!(read(&[b"data:", &line]), Err(TooLong));
        assert_eq!(read(&[b"data:", &line[6..], b"xxxxxxx"]), Err(TooLong));
        assert_eq!(read(&[&[b"data:".as_slice(), &line, b"\n\n"].concat()]), Err(TooLong));

        let half = [b"data:".as_slice(), &vec![b'x'; LINE_MAX / 2], b"\n"].concat();
        assert_eq!(read(&[&half, &half, &half]), Err(TooLong));
    }

    #[test]
    fn an_endless_line_of_another_kind_is_passed_over() {
        let comment = [b":".as_slice(), &vec![b'x'; LINE_MAX + 9], b"\n"].concat();
        let event = b"data: a\n\n".as_slice();
        let expected = Ok(vec![b"a".to_vec()]);
        assert_eq!(read(&[&comment, event]), expected);
        assert_eq!(
            read(&[&comment[..9], &comment[9..LINE_MAX + 5], &comment[LINE_MAX + 5..], event]),
            expected
        );
        assert_eq!(read(&[b"data: a\n", &comment, b"\n"]), expected);
    }

    /// Streams full of the awkward bytes.
    fn streams() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("data"),
            Just("data: "),
            Just("event: e"),
            Just(":"),
            Just("\r"),
            Just("\n"),
            Just("\r\n"),
            Just("\n\n"),
            Just("\u{feff}"),
            Just("Việt 🌊"),
            Just("{\"a\":1}"),
        ];
        proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_changes_nothing(
            stream in streams(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[bytes]));

            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&single), read(&[bytes]));
        }
    }
}
