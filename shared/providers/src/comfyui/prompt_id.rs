use primitives::JobId;

/// The job's id as a UUID in lower case, the only spelling ComfyUI takes: a lost answer is found again by it.
///
/// A ULID and a UUID of version 7 begin alike with 48 bits of time; only the version's and variant's bits are set.
pub(super) fn prompt_id(job: JobId) -> String {
    const VERSION_7: u128 = 0x7 << 76;
    const VERSION_MASK: u128 = 0xf << 76;
    const VARIANT: u128 = 0b10 << 62;
    const VARIANT_MASK: u128 = 0b11 << 62;
    let bits = (ulid_bits(&job.to_string()) & !VERSION_MASK & !VARIANT_MASK) | VERSION_7 | VARIANT;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Five bits a character, in Crockford's alphabet.
fn ulid_bits(text: &str) -> u128 {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    text.bytes().fold(0, |bits, letter| {
        let value = ALPHABET.iter().position(|known| *known == letter).unwrap_or(0);
        (bits << 5) | value as u128
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_prompt_id_and_it_is_a_uuid() {
        let table = [
            ("00000000000000000000000000", "00000000-0000-7000-8000-000000000000"),
            ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "ffffffff-ffff-7fff-bfff-ffffffffffff"),
            ("01KAQ3V7W00000000000000001", "019aae3d-9f80-7000-8000-000000000001"),
        ];
        for (run, uuid) in table {
            assert_eq!(prompt_id(run.parse().unwrap()), uuid, "{run}");
        }
    }
}
