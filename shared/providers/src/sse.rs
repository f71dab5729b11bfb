//! A reader for server-sent events, after the HTML Standard § 9.2.6: the published crates panic on a byte order
//! mark or lose events on CR-only lines.

const LINE_MAX: usize = 256 * 1024;
const EVENT_MAX: usize = 1024 * 1024;

/// Takes the stream in pieces cut anywhere and gives back whole events.
#[derive(Default)]
pub(crate) struct SseReader {
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    has_read_a_line: bool,
    /// The last byte was a CR: a LF right after it belongs to the same line end.
    after_cr: bool,
    /// The event in `data` was given back and is forgotten at the next call.
    is_given: bool,
}

/// A line or event is longer than any honest provider's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl SseReader {
    /// Reads from the front of `bytes` up to the end of the next event and gives its data; `None` when `bytes` is
    /// used up. The data stays bytes, because the JSON reader checks their encoding anyway.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<&[u8]>, TooLong> {
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
                return Ok(Some(&self.data));
            }
        }
        Ok(None)
    }

    fn forget_given(&mut self) {
        if std::mem::take(&mut self.is_given) {
            self.data.clear();
            self.has_data = false;
        }
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + part.len() > LINE_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    /// True when this line ends an event.
    fn end_line(&mut self, end: &[u8]) -> Result<bool, TooLong> {
        if self.line.is_empty() {
            return self.read_line(end);
        }
        self.keep(end)?;
        let line = std::mem::take(&mut self.line);
        let ended = self.read_line(&line);
        self.line = line;
        self.line.clear();
        ended
    }

    fn read_line(&mut self, mut line: &[u8]) -> Result<bool, TooLong> {
        if line.len() > LINE_MAX {
            return Err(TooLong);
        }
        if !std::mem::replace(&mut self.has_read_a_line, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return Ok(self.has_data);
        }
        self.read_field(line)?;
        Ok(false)
    }

    /// Only `data` is of use: our providers repeat an event's name in its data. Comments have no field name.
    fn read_field(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if field == b"data" { self.add_data(value) } else { Ok(()) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut reader = SseReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(data) = reader.next(&mut rest)? {
                events.push(data.to_vec());
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
    fn an_endless_line_or_event_is_refused() {
        let line = vec![b'x'; LINE_MAX + 1];
        assert_eq!(read(&[&line]), Err(TooLong));
        assert_eq!(read(&[b"data:", &line[6..], b"xxxxxxx"]), Err(TooLong));

        let line = [b"data:".as_slice(), &vec![b'x'; LINE_MAX - 5], b"\n"].concat();
        assert_eq!(read(&[&line, &line, &line, &line, &line]), Err(TooLong));
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
