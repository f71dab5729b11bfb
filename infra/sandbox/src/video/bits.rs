//! Bits in the order H.264 writes them, and the units they travel in (ITU-T H.264, 7.2, 7.3.1 and 9.1).

/// Bits, the most significant first.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    open: u8,
    count: u8,
}

impl Bits {
    pub(super) fn bit(&mut self, bit: bool) {
        self.open = (self.open << 1) | u8::from(bit);
        self.count += 1;
        if self.count == 8 {
            self.bytes.push(self.open);
            (self.open, self.count) = (0, 0);
        }
    }

    /// `value` in `count` bits.
    pub(super) fn fixed(&mut self, count: u32, value: u32) {
        for place in (0..count).rev() {
            self.bit((value >> place) & 1 == 1);
        }
    }

    /// `ue(v)`: zeros, then the number plus one; as many zeros as bits follow its first one.
    pub(super) fn number(&mut self, value: u32) {
        let length = (value + 1).ilog2();
        self.fixed(length, 0);
        self.fixed(length + 1, value + 1);
    }

    /// `se(v)`: 0, 1, -1, 2, -2, …
    pub(super) fn signed(&mut self, value: i32) {
        let doubled = value.unsigned_abs() * 2;
        self.number(if value > 0 { doubled - 1 } else { doubled });
    }

    /// Zeros up to the next whole byte.
    pub(super) fn align(&mut self) {
        while self.count != 0 {
            self.bit(false);
        }
    }

    /// Bytes that begin at a whole byte.
    pub(super) fn aligned_bytes(&mut self, bytes: &[u8]) {
        self.align();
        self.bytes.extend_from_slice(bytes);
    }

    /// A unit: its header byte, then the bits with their end marked. Where two zeros would be followed by a byte of up to
    /// 3, a 3 goes in between, so that no start code can appear inside.
    pub(super) fn into_unit(mut self, header: u8) -> Vec<u8> {
        self.bit(true);
        self.align();
        let mut unit = vec![header];
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            unit.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
        unit
    }
}
