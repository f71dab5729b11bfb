use crate::ranges::{Wanted, wanted};
use crate::sound::{Melody, Wave, WaveError};

const TUNE: Melody = Melody { seed: 0x5eed, millis: 700, is_drone: false };

#[test]
fn any_part_of_a_file_is_the_part_of_the_whole() {
    let whole = TUNE.file(0..TUNE.file_bytes());
    assert_eq!(whole.len(), 44 + 33_600);
    for (from, to) in
        [(0, 44), (0, 1), (43, 47), (44, 45), (45, 48), (30_001, 30_002), (33_643, 33_644), (99, 99)]
    {
        assert_eq!(TUNE.file(from as u64..to as u64), whole[from..to], "{from}..{to}");
    }
}

#[test]
fn notes_are_loud_and_begin_and_end_in_silence() {
    let whole = TUNE.file(44..TUNE.file_bytes());
    let samples: Vec<i16> = whole.chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert!(samples.iter().any(|sample| *sample > 7_000) && samples.iter().any(|sample| *sample < -7_000));
    // No step between two samples is as large as a click.
    assert!(samples.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 3_500));
    assert_eq!((samples[0], samples[6_000]), (0, 0));
}

#[test]
fn a_header_is_read_back_and_what_is_none_is_not() {
    let whole = TUNE.file(0..TUNE.file_bytes());
    assert_eq!(Wave::read(&whole), Ok(Wave { sample_rate: 24_000, millis: 700, is_silent: false }));
    // Streams write a length they do not know: the file's end counts.
    let mut streamed = whole.clone();
    streamed[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Wave::read(&streamed).map(|wave| wave.millis), Ok(700));
    let mut with_list = whole[..36].to_vec();
    with_list.extend_from_slice(b"LIST\x03\0\0\0abc\0");
    with_list.extend_from_slice(&whole[36..]);
    assert_eq!(Wave::read(&with_list).map(|wave| wave.millis), Ok(700));
    assert_eq!(Wave::read(&whole[..44]), Err(WaveError::NoFrames));
    assert_eq!(Wave::read(b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd"), Err(WaveError::NotWave));
    assert_eq!(Wave::read(b"ID3"), Err(WaveError::NotWave));
}

#[test]
fn ranges_are_read_as_the_standard_has_them() {
    for (header, expected) in [
        (None, Wanted::Whole),
        (Some("bytes=0-9"), Wanted::Part(0..10)),
        (Some("bytes=90-200"), Wanted::Part(90..100)),
        (Some("bytes=-10"), Wanted::Part(90..100)),
        (Some("bytes=-1000"), Wanted::Part(0..100)),
        (Some("bytes=100-"), Wanted::Nothing),
        (Some("bytes=-0"), Wanted::Nothing),
        (Some("bytes=9-3"), Wanted::Whole),
        (Some("bytes=0-1,4-5"), Wanted::Whole),
        (Some("items=0-1"), Wanted::Whole),
    ] {
        assert_eq!(wanted(header, 100), expected, "{header:?}");
    }
}
