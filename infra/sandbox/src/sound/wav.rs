//! WAV: its header written, and read back from what others wrote.

use super::{BYTES_PER_SAMPLE, SAMPLE_RATE};

/// The header in front of the samples.
pub(crate) const HEADER_BYTES: u64 = 44;
const PCM: u16 = 1;

/// What the header of a WAV file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wave {
    pub(crate) sample_rate: u32,
    pub(crate) millis: u64,
    /// Every sample is zero.
    pub(crate) is_silent: bool,
}

/// Why a file is no WAV that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaveError {
    NotWave,
    NoFrames,
}

/// RIFF, a format chunk for 24 kHz mono 16 bit, and the beginning of the data chunk.
pub(crate) fn header(data_bytes: u64) -> [u8; HEADER_BYTES as usize] {
    let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut header = [0; HEADER_BYTES as usize];
    header[..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&size(data_bytes + HEADER_BYTES - 8));
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16_u32.to_le_bytes());
    header[20..22].copy_from_slice(&PCM.to_le_bytes());
    header[22..24].copy_from_slice(&1_u16.to_le_bytes());
    header[24..28].copy_from_slice(&size(SAMPLE_RATE));
    header[28..32].copy_from_slice(&size(SAMPLE_RATE * BYTES_PER_SAMPLE));
    header[32..34].copy_from_slice(&2_u16.to_le_bytes());
    header[34..36].copy_from_slice(&16_u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..44].copy_from_slice(&size(data_bytes));
    header
}

impl Wave {
    /// Reads chunk by chunk; a data chunk longer than the file (as streams write it) ends with the file.
    pub(crate) fn read(file: &[u8]) -> Result<Wave, WaveError> {
        if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
            return Err(WaveError::NotWave);
        }
        let mut format = None;
        let mut rest = &file[12..];
        while let (Some(kind), Some(size)) = (rest.get(..4), rest.get(4..8)) {
            let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
            let body = &rest[8..];
            match kind {
                b"fmt " => format = Some(rates(body).ok_or(WaveError::NotWave)?),
                b"data" => {
                    let (sample_rate, byte_rate) = format.ok_or(WaveError::NotWave)?;
                    return measured(&body[..size.min(body.len())], sample_rate, byte_rate);
                }
                _ => {}
            }
            // Chunks have an even length.
            rest = body.get(size.saturating_add(size % 2)..).unwrap_or_default();
        }
        Err(WaveError::NoFrames)
    }
}

fn rates(format: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_le_bytes(format.get(at..at + 4)?.try_into().ok()?));
    let (sample_rate, byte_rate) = (number(4)?, number(8)?);
    (sample_rate > 0 && byte_rate > 0).then_some((sample_rate, byte_rate))
}

fn measured(data: &[u8], sample_rate: u32, byte_rate: u32) -> Result<Wave, WaveError> {
    if data.is_empty() {
        return Err(WaveError::NoFrames);
    }
    let millis = data.len() as u64 * 1_000 / u64::from(byte_rate);
    Ok(Wave { sample_rate, millis, is_silent: data.iter().all(|byte| *byte == 0) })
}
