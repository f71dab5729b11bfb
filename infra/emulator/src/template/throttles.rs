use super::TemplateError;
use serde_json::Value;

/// How many requests a second a setting of the stage lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// `*` for all.
    pub method: String,
    /// `/*` for all.
    pub path: String,
    pub rate: u32,
    pub burst: u32,
}

impl Throttle {
    pub(super) fn read(setting: &Value) -> Result<Throttle, TemplateError> {
        let unsupported = || TemplateError::Unsupported(format!("{setting} as a method setting"));
        let text = |key: &str| setting[key].as_str().ok_or_else(unsupported);
        let number = |key: &str| {
            let number = setting[key].as_u64().and_then(|number| u32::try_from(number).ok());
            number.filter(|number| *number > 0).ok_or_else(unsupported)
        };
        // Every slash of a path but the first is written ~1.
        let path = text("ResourcePath")?;
        let path = match path.strip_prefix("/~1") {
            Some(rest) => format!("/{}", rest.replace("~1", "/")),
            None => path.to_owned(),
        };
        let method = text("HttpMethod")?.to_owned();
        let (rate, burst) = (number("ThrottlingRateLimit")?, number("ThrottlingBurstLimit")?);
        Ok(Throttle { method, path, rate, burst })
    }

    pub(crate) fn is_of(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    pub(crate) fn is_of_all(&self) -> bool {
        self.is_of("*", "/*")
    }
}
