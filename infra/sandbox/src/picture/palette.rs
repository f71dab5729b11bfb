//! Sixteen colours from one number, in integers.

/// Sky from dark to light in one hue, then the sun from its rim to its heart in the opposite one.
pub(crate) fn colours(palette: Option<u8>) -> Vec<u8> {
    let Some(palette) = palette else { return vec![0; 48] };
    let hue = u32::from(palette) * 360 / 64;
    let sky = (0..8).map(|step| rgb(hue, 190 - step * 14, 60 + step * 22));
    let sun = (0..8).map(|step| rgb((hue + 150 + step * 6) % 360, 200 - step * 18, 200 + step * 7));
    sky.chain(sun).flatten().collect()
}

/// Hue in degrees, saturation and value in 0..=255.
fn rgb(hue: u32, saturation: u32, value: u32) -> [u8; 3] {
    let low = value * (255 - saturation) / 255;
    let within = hue % 60;
    let rising = low + (value - low) * within / 60;
    let falling = value - (value - low) * within / 60;
    let [red, green, blue] = match hue / 60 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    };
    [red, green, blue].map(|part| u8::try_from(part).unwrap_or(u8::MAX))
}
