use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;

/// Modules of white around the code, as ISO 18004 asks for.
const QUIET_ZONE: i32 = 4;
/// Pixels per module; with one bit per pixel a module is exactly one byte of a row.
const PIXELS: u32 = 8;

/// The text can't be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Undrawable {
    #[error("the text is too long for a QR code")]
    TooLong,
    #[error("the picture can't be written")]
    Png(#[source] png::EncodingError),
}

/// A drawing that scales without blur, about 5 kB. White is drawn too, so that it stays readable on a dark page.
/// Nothing of the text is in it but the code.
pub fn svg(text: &str) -> Result<String, Undrawable> {
    let code = encode(text)?;
    let side = side(&code);
    let black = path(&code);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         shape-rendering=\"crispEdges\"><title>QR code</title><rect width=\"{side}\" height=\"{side}\" \
         fill=\"#fff\"/><path fill=\"#000\" d=\"{black}\"/></svg>"
    ))
}

/// The same as a black-and-white picture, 8 pixels per module.
pub fn png(text: &str) -> Result<Vec<u8>, Undrawable> {
    let code = encode(text)?;
    let pixels = side(&code).unsigned_abs() * PIXELS;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels, pixels);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(Undrawable::Png)?;
    writer.write_image_data(&rows(&code)).map_err(Undrawable::Png)?;
    writer.finish().map_err(Undrawable::Png)?;
    Ok(file)
}

/// Medium error correction (15 %) or more, where it does not make the code larger.
fn encode(text: &str) -> Result<QrCode, Undrawable> {
    QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|_| Undrawable::TooLong)
}

fn side(code: &QrCode) -> i32 {
    code.size() + 2 * QUIET_ZONE
}

/// One rectangle per run of black modules in a row.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let end = (x..code.size()).find(|&x| !code.get_module(x, y)).unwrap_or(code.size());
            let run = end - x;
            if run > 0 {
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET_ZONE, y + QUIET_ZONE);
            }
            x = end + 1;
        }
    }
    path
}

/// Outside of the code `get_module` is white.
fn rows(code: &QrCode) -> Vec<u8> {
    let all = || -QUIET_ZONE..code.size() + QUIET_ZONE;
    let row = |y| all().map(|x| if code.get_module(x, y) { 0x00 } else { 0xFF }).collect::<Vec<u8>>();
    all().flat_map(|y| row(y).repeat(PIXELS as usize)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viet_qr::vectors::PUBLISHED;

    const TEXT: &str = PUBLISHED[0].2;

    /// The black modules, `(x, y)` from the picture's corner.
    fn expected(code: &QrCode) -> Vec<(i32, i32)> {
        let all = (0..side(code)).flat_map(|y| (0..side(code)).map(move |x| (x, y)));
        all.filter(|(x, y)| code.get_module(x - QUIET_ZONE, y - QUIET_ZONE)).collect()
    }

    #[test]
    fn the_svg_draws_every_black_module_and_only_those() {
        let code = encode(TEXT).unwrap();
        let svg = svg(TEXT).unwrap();
        let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut drawn = Vec::new();
        for run in path.split('M').skip(1) {
            let (x, rest) = run.split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (length, back) = rest.split_once('v').unwrap();
            assert_eq!(back, format!("1h-{length}z"));
            let (x, y, length): (i32, i32, i32) =
                (x.parse().unwrap(), y.parse().unwrap(), length.parse().unwrap());
            drawn.extend((x..x + length).map(|x| (x, y)));
        }
        assert_eq!(drawn, expected(&code));
        assert!(svg.contains(&format!("viewBox=\"0 0 {0} {0}\"", code.size() + 8)));
        assert!(svg.contains("shape-rendering=\"crispEdges\"") && svg.contains("<title>"));
        assert_eq!(svg.matches("<path").count(), 1);
        assert!(!svg.contains("12345678"), "the account is nowhere to be read");
    }

    #[test]
    fn the_png_draws_the_same_modules_eight_pixels_wide() {
        let code = encode(TEXT).unwrap();
        let file = png(TEXT).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut rows = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rows).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Grayscale, png::BitDepth::One));
        assert_eq!(info.width, side(&code).unsigned_abs() * 8);
        let side = usize::try_from(side(&code)).unwrap();
        assert!(rows.chunks(side * 8).all(|same| same.chunks(side).all(|row| row == &same[..side])));
        assert!(rows.iter().all(|byte| [0x00, 0xFF].contains(byte)));
        let mut drawn = Vec::new();
        for (y, row) in rows.chunks(side).step_by(8).enumerate() {
            let black = row.iter().enumerate().filter(|(_, byte)| **byte == 0);
            drawn.extend(black.map(|(x, _)| (i32::try_from(x).unwrap(), i32::try_from(y).unwrap())));
        }
        assert_eq!(drawn, expected(&code));
    }

    #[test]
    fn a_damaged_code_can_be_restored() {
        assert_ne!(encode(TEXT).unwrap().error_correction_level(), QrCodeEcc::Low);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let text = "x".repeat(3_000);
        assert!(matches!(svg(&text), Err(Undrawable::TooLong)));
        assert!(matches!(png(&text), Err(Undrawable::TooLong)));
        assert!(svg("").is_ok() && svg("<Đ&\">").is_ok());
    }
}
