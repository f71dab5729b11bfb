use crate::calendar::{text, unix};

#[test]
fn sepays_own_sample_is_the_same_second_at_utc_plus_seven() {
    assert_eq!(text(1_759_134_682), "2025-09-29 15:31:22");
    assert_eq!(unix("2025-09-29 15:31:22"), Some(1_759_134_682));
}

#[test]
fn leap_days_year_ends_and_centuries_are_found() {
    for moment in ["1970-01-02 00:00:00", "2000-02-29 23:59:59", "2027-12-31 00:00:00", "2028-02-29 12:00:00"]
    {
        assert_eq!(unix(moment).map(text).as_deref(), Some(moment));
    }
    assert_eq!(unix("2100-03-01 00:00:00"), unix("2100-02-28 00:00:00").map(|before| before + 86_400));
}

#[test]
fn dates_that_do_not_exist_are_refused() {
    let wrong = [
        "",
        "2026-02-29 00:00:00",
        "2026-13-01 00:00:00",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "heute đặc biệt",
    ];
    assert!(
        wrong
            .into_iter()
            .chain(["2026-01-01 24:00:00", "+026-01-01 00:00:00"])
            .all(|text| unix(text).is_none())
    );
}
