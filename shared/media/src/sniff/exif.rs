//! Of a picture's Exif data (CIPA DC-008) one fact is kept, because the picture is shown wrong without it: which side is up.
//! Everything else, the place where it was taken among it, goes.

use super::walk::{u16_be, u16_le, u32_be, u32_le};

const ORIENTATION: u16 = 0x0112;
/// An unsigned number of 16 bits.
const SHORT: u16 = 3;

/// What stands before the data in a JPEG, and sometimes in a WebP.
pub(super) const PREFIX: &[u8] = b"Exif\0\0";

/// Exif data that say which side is up and nothing else; `None` when the picture stands as it is stored.
pub(super) fn only_orientation(exif: &[u8]) -> Option<Vec<u8>> {
    let exif = exif.strip_prefix(PREFIX).unwrap_or(exif);
    let orientation = orientation(exif)?;
    let mut data = b"MM\0\x2a\0\0\0\x08\0\x01".to_vec();
    data.extend(ORIENTATION.to_be_bytes());
    data.extend(SHORT.to_be_bytes());
    data.extend(1_u32.to_be_bytes());
    data.extend(orientation.to_be_bytes());
    // The rest of the value's four bytes, and that no other directory follows.
    data.extend([0; 6]);
    Some(data)
}

/// 2 to 8 of the first directory of a TIFF header; 1 and everything unknown is no orientation.
fn orientation(tiff: &[u8]) -> Option<u16> {
    let is_big = match tiff.get(..4)? {
        b"MM\0\x2a" => true,
        b"II\x2a\0" => false,
        _ => return None,
    };
    let short = |at| if is_big { u16_be(tiff, at) } else { u16_le(tiff, at) };
    let long = |at| if is_big { u32_be(tiff, at) } else { u32_le(tiff, at) };
    let directory = usize::try_from(long(4)?).ok()?;
    let count = usize::from(short(directory)?);
    let entry = |nth: usize| directory.checked_add(2 + 12 * nth);
    let of_orientation = (0..count).filter_map(entry).find(|at| short(*at) == Some(ORIENTATION))?;
    let is_short = short(of_orientation + 2)? == SHORT && long(of_orientation + 4)? == 1;
    short(of_orientation + 8).filter(|value| is_short && (2..=8).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A camera's data: maker, orientation, and where it stood.
    fn camera(is_big: bool, orientation: u16) -> Vec<u8> {
        let short = |value: u16| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut data = if is_big { b"MM\0\x2a".to_vec() } else { b"II\x2a\0".to_vec() };
        data.extend(long(8));
        data.extend(short(3));
        for (tag, kind, count, value) in [
            (0x010f, 2, 4, short(0x4142)),
            (ORIENTATION, SHORT, 1, short(orientation)),
            (0x8825, 4, 1, short(99)),
        ] {
            data.extend(short(tag));
            data.extend(short(kind));
            data.extend(long(count));
            data.extend(value);
            data.extend([0; 2]);
        }
        data.extend(long(0));
        data.extend(b"GPS 48.2082 N");
        data
    }

    #[test]
    fn only_which_side_is_up_is_kept_in_either_order_of_bytes() {
        for is_big in [true, false] {
            for orientation in 2..=8 {
                let kept = only_orientation(&camera(is_big, orientation)).unwrap();
                assert_eq!(super::orientation(&kept), Some(orientation));
                assert_eq!(kept.len(), 26);
                assert!(!kept.windows(3).any(|bytes| bytes == b"GPS"));
                let in_jpeg = [PREFIX, &camera(is_big, orientation)].concat();
                assert_eq!(only_orientation(&in_jpeg), Some(kept));
            }
            assert_eq!(only_orientation(&camera(is_big, 1)), None);
            assert_eq!(only_orientation(&camera(is_big, 9)), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), at in 0_usize..60) {
            only_orientation(&bytes);
            let mut camera = camera(at % 2 == 0, 6);
            camera.truncate(at);
            only_orientation(&camera);
        }
    }
}
