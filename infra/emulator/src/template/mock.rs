use super::mapping::Mapping;
use super::{TemplateError, entries};
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer that the gateway gives without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mock {
    pub status: u16,
    headers: Vec<(String, String)>,
    mapping: Mapping,
}

impl Mock {
    pub(super) fn read(what: &str, operation: &Value) -> Result<Mock, TemplateError> {
        let unsupported = |part: &str| TemplateError::Unsupported(format!("{part} of {what}"));
        let integration = &operation["x-amazon-apigateway-integration"];
        if integration["passthroughBehavior"] != "never" {
            return Err(unsupported("a passed on request"));
        }
        let asked = integration["requestTemplates"]["application/json"].as_str().unwrap_or_default();
        let asked: Value = serde_json::from_str(asked).map_err(|_| unsupported("the request template"))?;
        let answer = &integration["responses"]["default"];
        let status = answer["statusCode"].as_str().and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| unsupported("the status"))?;
        if asked["statusCode"] != status {
            return Err(unsupported("another status in the request template than in the answer"));
        }
        let declared = &operation["responses"][status.to_string()]["headers"];
        let header = |(name, value): (&String, &Value)| {
            let name = name.strip_prefix("method.response.header.").unwrap_or_default();
            // API Gateway refuses to import what the method does not declare.
            declared.get(name).ok_or_else(|| unsupported(&format!("the undeclared header {name:?}")))?;
            let value = value.as_str().and_then(|text| text.strip_prefix('\'')?.strip_suffix('\''));
            Ok((name.to_owned(), value.ok_or_else(|| unsupported(name))?.to_owned()))
        };
        let headers = entries(&answer["responseParameters"]).map(header).collect::<Result<_, _>>()?;
        let mapping = answer["responseTemplates"]["application/json"].as_str().unwrap_or_default();
        Ok(Mock { status, headers, mapping: Mapping::parse(mapping)? })
    }

    /// The answer's headers. `parameter` tells a parameter of the request, empty if it is not there.
    pub(crate) fn headers(
        &self,
        parameter: &dyn Fn(&str) -> String,
        stage_variables: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        headers.extend(self.mapping.headers(parameter, stage_variables));
        headers
    }
}
