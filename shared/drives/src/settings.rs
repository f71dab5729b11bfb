use platform::Settings;
use primitives::Secret;
use url::Url;

/// What Google gave us, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct GoogleSettings {
    /// `GOOGLE_DRIVE_CLIENT_ID`
    pub(crate) client_id: String,
    /// `GOOGLE_DRIVE_CLIENT_SECRET`
    pub(crate) client_secret: Secret,
    /// `GOOGLE_CONSENT_URL`
    pub(crate) consent_url: Url,
    /// `GOOGLE_OAUTH_URL`
    pub(crate) oauth_url: String,
    /// `GOOGLE_API_URL`
    pub(crate) api_url: String,
}

/// What Dropbox gave us, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct DropboxSettings {
    /// `DROPBOX_CLIENT_ID`
    pub(crate) client_id: String,
    /// `DROPBOX_CLIENT_SECRET`
    pub(crate) client_secret: Secret,
    /// `DROPBOX_CONSENT_URL`
    pub(crate) consent_url: Url,
    /// `DROPBOX_API_URL`
    pub(crate) api_url: String,
    /// `DROPBOX_CONTENT_URL`
    pub(crate) content_url: String,
    /// `DROPBOX_FOLDER_URL`: where our app's folder is shown to its owner
    pub(crate) folder_url: Url,
}

/// Where browsers come back to, and where they are sent then.
#[derive(Debug, Clone)]
pub(crate) struct ReturnSettings {
    /// `API_URL`
    pub(crate) api_url: Option<String>,
    /// `SITE_URL`
    pub(crate) site_url: Option<String>,
}

impl GoogleSettings {
    /// `None`: without `GOOGLE_DRIVE_CLIENT_ID` the drive is not configured.
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<GoogleSettings> {
        let client_id = settings.optional("GOOGLE_DRIVE_CLIENT_ID")?;
        let client_secret = settings.secret("GOOGLE_DRIVE_CLIENT_SECRET");
        Some(GoogleSettings {
            client_id,
            client_secret,
            consent_url: page(
                settings,
                "GOOGLE_CONSENT_URL",
                "https://accounts.google.com/o/oauth2/v2/auth",
            )?,
            oauth_url: settings.url_or("GOOGLE_OAUTH_URL", "https://oauth2.googleapis.com"),
            api_url: settings.url_or("GOOGLE_API_URL", "https://www.googleapis.com"),
        })
    }
}

impl DropboxSettings {
    /// `None`: without `DROPBOX_CLIENT_ID` the drive is not configured.
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<DropboxSettings> {
        let client_id = settings.optional("DROPBOX_CLIENT_ID")?;
        let client_secret = settings.secret("DROPBOX_CLIENT_SECRET");
        Some(DropboxSettings {
            client_id,
            client_secret,
            consent_url: page(settings, "DROPBOX_CONSENT_URL", "https://www.dropbox.com/oauth2/authorize")?,
            api_url: settings.url_or("DROPBOX_API_URL", "https://api.dropboxapi.com"),
            content_url: settings.url_or("DROPBOX_CONTENT_URL", "https://content.dropboxapi.com"),
            folder_url: page(settings, "DROPBOX_FOLDER_URL", "https://www.dropbox.com/home/Apps/Citipen")?,
        })
    }
}

impl ReturnSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> ReturnSettings {
        ReturnSettings { api_url: given(settings, "API_URL"), site_url: given(settings, "SITE_URL") }
    }
}

fn given(settings: &mut Settings<'_>, name: &str) -> Option<String> {
    settings.optional(name).map(|_| settings.url(name))
}

/// `None` goes with a complaint.
fn page(settings: &mut Settings<'_>, name: &str, default: &str) -> Option<Url> {
    Url::parse(&settings.url_or(name, default)).ok()
}
