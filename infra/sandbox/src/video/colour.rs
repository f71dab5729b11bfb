//! Colours as H.264 stores them: one brightness and two differences, in the narrow range of BT.601.

/// A colour of video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    pub(super) luma: u8,
    pub(super) blue: u8,
    pub(super) red: u8,
}

/// The usual integer form of the conversion, with 8 bits behind the point.
pub(super) fn of_rgb([red, green, blue]: [u8; 3]) -> Colour {
    let [r, g, b] = [red, green, blue].map(i32::from);
    let part = |weighted: i32, base: i32| u8::try_from(((weighted + 128) >> 8) + base).unwrap_or(128);
    Colour {
        luma: part(66 * r + 129 * g + 25 * b, 16),
        blue: part(-38 * r - 74 * g + 112 * b, 128),
        red: part(112 * r - 94 * g - 18 * b, 128),
    }
}
