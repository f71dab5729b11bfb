//! What several rails need from the environment; the rest is each rail's own.

use platform::Settings;
use rails::viet_qr::CodePrefix;

/// Minutes that SePay's times lie before UTC; Vietnam has no summer time. Its bank documents name no zone.
pub(crate) fn read_sepay_offset(settings: &mut Settings<'_>) -> i16 {
    settings.parsed_or("SEPAY_UTC_OFFSET_MINUTES", 420, "whole minutes")
}

/// The profile's prefix of reference codes.
pub(crate) fn code_prefix(settings: &mut Settings<'_>, prefix: &str) -> CodePrefix {
    prefix.parse().unwrap_or_else(|_| {
        settings.complain("PROFILE", "has a reference_prefix that is not 2 to 5 upper-case letters");
        CodePrefix::CIT
    })
}
