use crate::profiles::PROFILES;
use crate::{InvalidSettings, Platform, Settings};
use primitives::Unit;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use toml::{Table, Value};

/// Which service this deployment is. The texts are the files of `infra/profiles`.
///
/// Only what all crates speak of has fields here. Everything else stands in sections: each belongs to one crate, which
/// knows its keys and reads it by [`Profile::section`] or [`Profile::rows`].
#[derive(Debug, Clone)]
pub struct Profile {
    /// As `PROFILE` names it, and as its file is called.
    pub name: String,
    /// The name of the service, for people.
    pub brand: String,
    /// What the ledger counts in, e.g. `USD cent`.
    pub unit: Unit,
    sections: Arc<Table>,
}

/// The section `logs`: what CloudWatch keeps. `template.yaml` says the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRules {
    /// How long CloudWatch keeps log lines.
    pub days: u32,
}

/// The sections that this crate owns.
pub const SECTIONS: &[&str] = &[LogRules::SECTION];

/// What stands above the sections.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    brand: String,
    unit: Unit,
}

impl LogRules {
    const SECTION: &str = "logs";

    /// `None`: the section is wrong, which is a complaint.
    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<LogRules> {
        profile.section(LogRules::SECTION, settings)
    }
}

impl Profile {
    /// The names of all profiles, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PROFILES.iter().map(|(name, _)| *name)
    }

    /// `PROFILE`, citipen when absent.
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<Profile> {
        let name = settings.text_or("PROFILE", "citipen");
        let Some((_, text)) = PROFILES.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = Profile::names().collect();
            settings.complain("PROFILE", &format!("must be one of {}, not `{name}`", names.join(", ")));
            return None;
        };
        let profile = Profile::of_text(&name, text, settings)?;
        LogRules::read(&profile, settings).map(|_| profile)
    }

    /// A profile that is no file: a test shows by it what another service would be.
    pub fn parse(name: &str, text: &str) -> Result<Profile, InvalidSettings> {
        let env = crate::Env::from_iter([]);
        let mut settings = env.settings();
        let profile = Profile::of_text(name, text, &mut settings);
        settings.finish()?;
        profile.ok_or_else(InvalidSettings::of_profile)
    }

    fn of_text(name: &str, text: &str, settings: &mut Settings<'_>) -> Option<Profile> {
        let read = text.parse::<Table>().and_then(|table| {
            let (sections, head): (Table, Table) =
                table.into_iter().partition(|(_, value)| is_section(value));
            Ok((Value::Table(head).try_into::<Head>()?, sections))
        });
        match read {
            Ok((head, _)) if head.name != name => {
                let what = format!("names `{name}`, but that profile calls itself `{}`", head.name);
                settings.complain("PROFILE", &what);
                None
            }
            Ok((Head { name, brand, unit }, sections)) => {
                Some(Profile { name, brand, unit, sections: Arc::new(sections) })
            }
            Err(error) => {
                settings
                    .complain("PROFILE", &format!("names `{name}`, which can't be read: {}", line(&error)));
                None
            }
        }
    }

    /// Reads a section by the crate that owns it. `None` goes with a complaint.
    pub fn section<T: DeserializeOwned>(&self, name: &str, settings: &mut Settings<'_>) -> Option<T> {
        let Some(section) = self.sections.get(name) else {
            self.complain(settings, &format!("has no section [{name}]"));
            return None;
        };
        self.read_as(&format!("[{name}]"), section, settings)
    }

    /// Reads a section of many rows, `[[name]]`, by the crate that owns it. `None` goes with a complaint for each row that
    /// can't be read.
    pub fn rows<T: DeserializeOwned>(&self, name: &str, settings: &mut Settings<'_>) -> Option<Vec<T>> {
        let Some(Value::Array(rows)) = self.sections.get(name) else {
            self.complain(settings, &format!("has no rows [[{name}]]"));
            return None;
        };
        let rows = rows.iter().enumerate();
        let rows: Vec<Option<T>> =
            rows.map(|(at, row)| self.read_as(&format!("[[{name}]] {}", at + 1), row, settings)).collect();
        rows.into_iter().collect()
    }

    /// `what`: the section, the key, and what is wrong with it.
    pub fn complain(&self, settings: &mut Settings<'_>, what: &str) {
        settings.complain("PROFILE", &format!("names `{}`, which {what}", self.name));
    }

    /// The names of all its sections. Each must belong to a crate.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    fn read_as<T: DeserializeOwned>(
        &self,
        place: &str,
        value: &Value,
        settings: &mut Settings<'_>,
    ) -> Option<T> {
        let read = value.clone().try_into::<T>();
        read.inspect_err(|error| {
            let what = format!("can't be used, because of its section {place}: {}", line(error));
            self.complain(settings, &what);
        })
        .ok()
    }
}

impl Platform {
    /// Reads what one crate owns of the profile, and the settings that stand above it.
    ///
    /// `read` returns `None` beside a complaint.
    pub fn rules<T>(
        &self,
        read: impl FnOnce(&Profile, &mut Settings<'_>) -> Option<T>,
    ) -> Result<T, InvalidSettings> {
        let mut settings = self.env().settings();
        let rules = read(self.profile(), &mut settings);
        settings.finish()?;
        rules.ok_or_else(InvalidSettings::of_profile)
    }
}

/// `[name]` and `[[name]]`, which may be empty.
fn is_section(value: &Value) -> bool {
    matches!(value, Value::Table(_) | Value::Array(_))
}

/// A complaint is one line.
fn line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Env;

    const TEXT: &str = r#"
name = "shop"
brand = "The Shop"
unit = "USD cent"

[opening]
hour = 8

[[shelves]]
title = "low"
[[shelves]]
title = "high"
"#;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Opening {
        hour: u32,
    }

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shelf {
        title: String,
    }

    fn complaints<T>(text: &str, read: impl Fn(&Profile, &mut Settings<'_>) -> Option<T>) -> String {
        let profile = Profile::parse("shop", text).unwrap();
        let env = Env::from_iter([]);
        let mut settings = env.settings();
        assert!(read(&profile, &mut settings).is_none());
        settings.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_section_is_read_by_who_owns_it() {
        let profile = Profile::parse("shop", TEXT).unwrap();
        assert_eq!((profile.name.as_str(), profile.brand.as_str()), ("shop", "The Shop"));
        assert_eq!(profile.sections().collect::<Vec<_>>(), ["opening", "shelves"]);
        let env = Env::from_iter([]);
        let mut settings = env.settings();
        assert_eq!(profile.section("opening", &mut settings), Some(Opening { hour: 8 }));
        let shelves = ["low", "high"].map(|title| Shelf { title: title.to_owned() });
        assert_eq!(profile.rows("shelves", &mut settings), Some(Vec::from(shelves)));
        settings.finish().unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_section_is_told_with_profile_section_and_key() {
        let opening =
            |profile: &Profile, settings: &mut Settings<'_>| profile.section::<Opening>("opening", settings);
        for (written, instead, parts) in [
            ("hour = 8", "hours = 8", ["[opening]", "`hours`", "`hour`"]),
            ("hour = 8", "hour = \"8\"", ["[opening]", "hour", "string"]),
            ("hour = 8", "", ["[opening]", "missing", "`hour`"]),
            ("[opening]", "[openings]", ["no section", "[opening]", "shop"]),
        ] {
            let told = complaints(&TEXT.replace(written, instead), opening);
            for part in ["PROFILE", "`shop`"].iter().chain(&parts) {
                assert!(told.contains(part), "{instead}: {part} in {told}");
            }
        }
    }

    #[test]
    fn every_row_that_is_wrong_is_told_with_its_number() {
        let shelves =
            |profile: &Profile, settings: &mut Settings<'_>| profile.rows::<Shelf>("shelves", settings);
        let told = complaints(&TEXT.replace("title = ", "titel = "), shelves);
        for part in ["[[shelves]] 1: unknown field `titel`", "[[shelves]] 2: unknown field `titel`"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(complaints(&TEXT.replace("shelves", "shelfs"), shelves).contains("no rows [[shelves]]"));
    }

    #[test]
    fn what_stands_above_the_sections_is_checked_by_itself() {
        let refused = |written: &str, instead: &str| {
            Profile::parse("shop", &TEXT.replace(written, instead)).unwrap_err().to_string()
        };
        for (written, instead, part) in [
            ("brand", "brnad", "unknown field `brnad`"),
            ("unit = \"USD cent\"\n", "", "missing field `unit`"),
            ("USD cent", "shell", "unknown variant `shell`, expected `USD cent`"),
            ("\"shop\"", "\"stall\"", "calls itself `stall`"),
            ("[opening]", "[opening", "PROFILE names `shop`, which can't be read"),
        ] {
            let told = refused(written, instead);
            assert!(told.contains(part), "{instead}: {told}");
        }
    }

    /// The list is made from the folder: this is the only place that looks whether it is whole.
    #[test]
    fn every_file_of_the_folder_can_be_chosen_and_an_unknown_name_lists_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/profiles");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut names: Vec<String> =
            files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(Profile::names().collect::<Vec<_>>(), names);
        for name in &names {
            let env = Env::from_iter([("PROFILE".to_owned(), name.clone())]);
            assert_eq!(env.section(Profile::read).unwrap().unwrap().name, *name);
        }
        let env = Env::from_iter([("PROFILE".to_owned(), "citypen".to_owned())]);
        let told = env.section(Profile::read).map(drop).unwrap_err().to_string();
        assert!(told.contains(&format!("must be one of {}, not `citypen`", names.join(", "))), "{told}");
    }
}
