//! What several rails need from the environment; the rest is each rail's own.

use platform::Settings;

/// Minutes that SePay's times lie before UTC; Vietnam has no summer time. Its bank documents name no zone.
pub(crate) fn read_sepay_offset(settings: &mut Settings<'_>) -> i16 {
    settings.parsed_or("SEPAY_UTC_OFFSET_MINUTES", 420, "whole minutes")
}
