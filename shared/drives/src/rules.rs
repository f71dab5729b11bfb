use crate::DriveKind;
use platform::{Profile, Settings};
use serde::Deserialize;

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[DriveRules::SECTION];

/// The profile's section `drives`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveRules {
    /// Which drives people can link. None: the service has no drives, and its functions are not deployed.
    pub offered: Vec<DriveKind>,
    /// How often a save is tried before its owner has to ask for it again.
    pub save_tries_max: u32,
    /// How long what has come of a save is kept: as long as the usage log shows its run.
    pub save_days: u32,
}

impl DriveRules {
    const SECTION: &str = "drives";

    /// `None`: the section is wrong, which is a complaint.
    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<DriveRules> {
        let rules: DriveRules = profile.section(DriveRules::SECTION, settings)?;
        if rules.save_tries_max == 0 {
            profile.complain(settings, "tries no save in its section [drives]");
            return None;
        }
        Some(rules)
    }
}
