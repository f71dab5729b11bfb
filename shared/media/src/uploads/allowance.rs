//! How much an account may upload: how many forms may be open at once, and how many bytes a day.

use super::upload::Upload;
use crate::MediaRules;
use primitives::{Timestamp, UploadId};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// What of an account's allowance is used. What was announced counts, whether it comes or not: a form can be used until its
/// end, and the bucket takes what it allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// The UTC day that the bytes were announced on.
    pub(crate) day: String,
    pub(crate) bytes: u64,
    /// Uploads whose form can still be used, and until when.
    pub(crate) open: Vec<(UploadId, Timestamp)>,
    /// Counts the writes of the row: of two at once the second one counts again.
    pub(crate) version: u64,
}

/// No more may be uploaded for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch(pub(crate) Duration);

impl Allowance {
    pub(crate) fn has(&self, id: UploadId) -> bool {
        self.open.iter().any(|(open, _)| *open == id)
    }

    /// After one more upload.
    pub(crate) fn with(
        &self,
        upload: &Upload,
        rules: &MediaRules,
        now: Timestamp,
    ) -> Result<Allowance, TooMuch> {
        let mut open: Vec<_> = self.open.iter().copied().filter(|(_, until)| *until > now).collect();
        if open.len() >= usize::try_from(rules.uploads_open_max).unwrap_or(usize::MAX) {
            let first = open.iter().map(|(_, until)| *until).min().unwrap_or(now);
            return Err(TooMuch(first.since(now)));
        }
        let day = now.date();
        let announced = if day == self.day { self.bytes } else { 0 };
        let bytes = announced.saturating_add(upload.announced.bytes);
        if bytes > rules.upload_day_bytes_max {
            return Err(TooMuch(rest_of_day(now)));
        }
        open.push((upload.id, upload.form_until));
        Ok(Allowance { day, bytes, open, version: self.version + 1 })
    }
}

fn rest_of_day(now: Timestamp) -> Duration {
    let since_midnight = Duration::from_millis(now.millis() % 86_400_000);
    DAY.saturating_sub(since_midnight)
}

#[cfg(test)]
mod tests {
    use super::super::upload::FORM_LIFETIME;
    use super::super::upload::tests::{now, rules, upload};
    use super::*;
    use crate::FileFamily;

    fn file(bytes: u64, at: Timestamp) -> Upload {
        let mut upload = upload(FileFamily::Image);
        upload.id = UploadId::mint(at);
        upload.announced.bytes = bytes;
        upload.form_until = at.after(FORM_LIFETIME);
        upload
    }

    #[test]
    fn as_many_forms_are_open_as_the_rules_say_and_an_ended_one_makes_room() {
        let mut allowance = Allowance::default();
        for _ in 0..3 {
            allowance = allowance.with(&file(1, now()), &rules(), now()).unwrap();
        }
        assert_eq!(allowance.with(&file(1, now()), &rules(), now()), Err(TooMuch(FORM_LIFETIME)));
        let later = now().after(FORM_LIFETIME);
        let next = allowance.with(&file(1, later), &rules(), later).unwrap();
        assert_eq!((next.open.len(), next.bytes, next.version), (1, 4, 4));
    }

    #[test]
    fn bytes_are_counted_by_the_day() {
        let first = Allowance::default().with(&file(1_000, now()), &rules(), now()).unwrap();
        // 1,800,000,000 is eight o'clock.
        let until_midnight = Duration::from_secs(16 * 3600);
        assert_eq!(first.with(&file(1, now()), &rules(), now()), Err(TooMuch(until_midnight)));
        let tomorrow = now().after(until_midnight);
        let next = first.with(&file(1_000, tomorrow), &rules(), tomorrow).unwrap();
        assert_eq!((next.day.as_str(), next.bytes), ("2027-01-16", 1_000));
        let whole = Allowance::default().with(&file(1_001, now()), &rules(), now());
        assert_eq!(whole, Err(TooMuch(until_midnight)));
    }
}
