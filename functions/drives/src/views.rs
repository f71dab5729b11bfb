use crate::closed_sets::{AccessEnd, DriveName, DriveStatus, SaveFailureCode, SaveStatus, SavingMode};
use drives::{
    Begun, BrowserKey, Disconnected, DriveKind, LinkStatus, LinkedDrive, Preference, Save, SaveId, SaveState,
};
use edge::{Problem, ProblemCode, Wording};
use platform::Page;
use primitives::{RunId, Timestamp};
use runs::SavedView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const NOT_LINKED: &str = "not_linked";
const LINKED: &str = "linked";
const RECONNECT: &str = "reconnect";
pub(crate) const STATUSES: [&str; 3] = [NOT_LINKED, LINKED, RECONNECT];

const REVOKED: &str = "revoked";
const NOT_REVOKED: &str = "not_revoked";
const NONE: &str = "none";
pub(crate) const ENDS: [&str; 3] = [REVOKED, NOT_REVOKED, NONE];

const BY_HAND: &str = "by_hand";
const ALWAYS: &str = "always";
pub(crate) const MODES: [&str; 2] = [BY_HAND, ALWAYS];

/// Your drives, and where your outputs go.
#[derive(Serialize, ToSchema)]
pub(crate) struct DrivesView {
    drives: Vec<DriveView>,
    /// The drive that a save goes to unless it names another one; absent while you have chosen none
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DriveName>)]
    storage_provider: Option<&'static str>,
    /// `always`: every output is saved there when its run ends
    #[schema(value_type = SavingMode)]
    saving: &'static str,
}

/// A drive that can be linked.
#[derive(Serialize, ToSchema)]
struct DriveView {
    #[schema(value_type = DriveName)]
    drive: &'static str,
    /// `reconnect`: the drive does not accept our access any more; link it again
    #[schema(value_type = DriveStatus)]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    linked_at: Option<Timestamp>,
}

/// Where outputs go, and when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreferenceChange {
    /// A drive that is linked; left out, you choose none
    #[serde(default)]
    #[schema(value_type = Option<DriveName>)]
    storage_provider: Option<String>,
    /// `always` needs a drive
    #[schema(value_type = SavingMode)]
    saving: String,
}

/// A link that was begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkView {
    /// The drive's own page: send the browser there
    consent_url: String,
    /// Until then the person can say yes
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A drive that was disconnected.
#[derive(Serialize, ToSchema)]
pub(crate) struct DisconnectedView {
    #[schema(value_type = DriveName)]
    drive: &'static str,
    /// `not_revoked`: the drive did not answer. We have forgotten our access all the same; you can end it in the drive's own
    /// settings. `none`: nothing was linked
    #[schema(value_type = AccessEnd)]
    access: &'static str,
}

/// Which output is to be saved, and where.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveRequest {
    #[schema(example = "01KABCDEFGHJKMNPQRSTVWXYZ0")]
    pub(crate) run_id: String,
    /// Which of the run's outputs, from 0 on
    #[serde(default)]
    pub(crate) output: u8,
    /// Left out: the drive that you prefer, or the only one that is linked
    #[serde(default)]
    #[schema(value_type = Option<DriveName>)]
    pub(crate) drive: Option<String>,
}

/// An output on its way to a drive.
#[derive(Serialize, ToSchema)]
pub(crate) struct SaveView {
    #[schema(value_type = String, example = "01KABCDEFGHJKMNPQRSTVWXYZ0")]
    run_id: RunId,
    /// Which of the run's outputs, from 0 on
    output: u32,
    #[schema(value_type = DriveName)]
    drive: &'static str,
    #[schema(value_type = SaveStatus)]
    status: &'static str,
    /// Where you see it; once it is saved
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Why it failed
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SaveFailureCode>)]
    failure: Option<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it is tried again; only while it waits for that
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    next_try_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SavePage {
    saves: Vec<SaveView>,
    /// Send it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl DrivesView {
    pub(crate) fn of(
        offered: impl Iterator<Item = DriveKind>,
        links: &[LinkedDrive],
        preference: Preference,
    ) -> DrivesView {
        let shown = |kind| DriveView::of(kind, links.iter().find(|link| link.kind == kind));
        DrivesView {
            drives: offered.map(shown).collect(),
            storage_provider: preference.drive().map(DriveKind::as_str),
            saving: if preference.always().is_some() { ALWAYS } else { BY_HAND },
        }
    }
}

impl DriveView {
    fn of(kind: DriveKind, link: Option<&LinkedDrive>) -> DriveView {
        let status = match link.map(|link| link.status) {
            None => NOT_LINKED,
            Some(LinkStatus::Linked) => LINKED,
            Some(LinkStatus::Reconnect { .. }) => RECONNECT,
        };
        DriveView { drive: kind.as_str(), status, linked_at: link.map(|link| link.linked_at) }
    }
}

impl PreferenceChange {
    pub(crate) fn parse(self) -> Result<Preference, Problem> {
        let invalid = |pointer, why| Problem::new(ProblemCode::InvalidInput).pointer(pointer, why);
        let drive = self.storage_provider.as_deref().map(str::parse::<DriveKind>).transpose();
        let drive = drive.map_err(|_| invalid("/storage_provider", crate::no_such_drive()))?;
        match (drive, self.saving.as_str()) {
            (None, BY_HAND) => Ok(Preference::Unset),
            (Some(drive), BY_HAND) => Ok(Preference::ByHand(drive)),
            (Some(drive), ALWAYS) => Ok(Preference::Always(drive)),
            (None, ALWAYS) => {
                let why = Wording::new("is needed to save always", "cần có để luôn lưu");
                Err(invalid("/storage_provider", why))
            }
            _ => {
                let why = Wording::new("is by_hand or always", "là by_hand hoặc always");
                Err(invalid("/saving", why))
            }
        }
    }
}

impl LinkView {
    pub(crate) fn of(begun: &Begun) -> LinkView {
        LinkView { consent_url: begun.consent_url.to_string(), expires_at: begun.expires_at }
    }
}

impl DisconnectedView {
    pub(crate) fn of(kind: DriveKind, ended: Disconnected) -> DisconnectedView {
        let access = match ended {
            Disconnected::Revoked => REVOKED,
            Disconnected::NotRevoked => NOT_REVOKED,
            Disconnected::NothingLinked => NONE,
        };
        DisconnectedView { drive: kind.as_str(), access }
    }
}

impl SaveView {
    pub(crate) fn of(save: &Save, now: Timestamp) -> SaveView {
        let SavedView { drive, status, url, failure } = SavedView::of(save);
        let next_try_at = match save.state {
            SaveState::Waiting { due, leased_until: None } if now < due => Some(due),
            _ => None,
        };
        let SaveId { run, output, .. } = save.id;
        SaveView {
            run_id: run,
            output,
            drive,
            status,
            url,
            failure,
            created_at: save.created_at,
            next_try_at,
        }
    }
}

impl SavePage {
    pub(crate) fn of(page: Page<Save, SaveId>, now: Timestamp) -> SavePage {
        SavePage {
            saves: page.items.iter().map(|save| SaveView::of(save, now)).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        }
    }
}

/// The browser sends it back when it returns from the drive's page, by whatever link (`Lax`), and no script reads it.
pub(crate) fn cookie(kind: DriveKind, begun: &Begun, now: Timestamp) -> String {
    let seconds = begun.expires_at.since(now).as_secs();
    let (name, key) = (BrowserKey::cookie_name(kind), begun.browser.expose());
    format!("{name}={key}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax")
}
