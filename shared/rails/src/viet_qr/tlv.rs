//! EMV's "merchant-presented" format: two digits of id, two of length, the value; a checksum at the end.

/// One field. Every value written here is ASCII of fewer than 100 bytes.
pub(super) fn field(id: &str, value: &str) -> String {
    format!("{id}{:02}{value}", value.len())
}

/// The fields of one level, by id.
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// `None` when a field is cut off, is not numbered, or comes twice.
    pub(super) fn split(text: &'a str) -> Option<Fields<'a>> {
        let mut fields = Fields(Vec::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (id, tail) = rest.split_at_checked(2)?;
            let (length, tail) = tail.split_at_checked(2)?;
            let (value, tail) = tail.split_at_checked(two_digits(length)?)?;
            two_digits(id)?;
            if fields.get(id).is_some() {
                return None;
            }
            fields.0.push((id, value));
            rest = tail;
        }
        Some(fields)
    }

    pub(super) fn get(&self, id: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| *name == id).map(|(_, value)| *value)
    }

    pub(super) fn last_id(&self) -> Option<&'a str> {
        self.0.last().map(|(id, _)| *id)
    }
}

fn two_digits(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, starts at 0xFFFF, nothing reflected, no final xor.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_has_its_published_check_value() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
        assert_eq!(crc16(b""), 0xFFFF);
    }

    #[test]
    fn fields_are_split_or_refused_whole() {
        let fields = Fields::split("000201630212").unwrap();
        assert_eq!((fields.get("00"), fields.get("63"), fields.get("54")), (Some("01"), Some("12"), None));
        assert_eq!(fields.last_id(), Some("63"));
        for text in [
            "0",
            "00",
            "000",
            "0003",
            "000312",
            "00021",
            "0a0212",
            "00+112",
            "0002010002",
            "00020100020",
            "00020100020101",
            "0001đ",
        ] {
            assert!(Fields::split(text).is_none(), "{text}");
        }
    }
}
