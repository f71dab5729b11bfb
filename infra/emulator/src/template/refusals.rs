use super::evaluate::Evaluation;
use super::{TemplateError, entries};
use serde_json::Value;
use std::collections::BTreeMap;

/// The answers that a REST API gives by itself, by their type, e.g. `THROTTLED`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayResponses(BTreeMap<String, GatewayResponse>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayResponse {
    /// `None` leaves the status that the type has of itself.
    pub status: Option<u16>,
    pub headers: Vec<(String, MappedHeader)>,
    /// With `$context.requestId` still in it.
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappedHeader {
    /// Written in single quotes in the template.
    Fixed(String),
    /// `context.requestId`
    RequestId,
}

impl GatewayResponses {
    pub(super) fn read(
        responses: &Value,
        evaluation: &Evaluation<'_>,
    ) -> Result<GatewayResponses, TemplateError> {
        let response = |(kind, response): (&String, &Value)| {
            let headers = entries(&response["ResponseParameters"]["Headers"])
                .map(|(name, value)| Ok((name.clone(), header_value(value, evaluation)?)));
            let status = evaluation.text(&response["StatusCode"])?;
            let status = status.map(|text| text.parse().map_err(|_| unsupported(&response["StatusCode"])));
            let body = &response["ResponseTemplates"]["application/json"];
            let response = GatewayResponse {
                status: status.transpose()?,
                headers: headers.collect::<Result<_, TemplateError>>()?,
                body: evaluation.text(body)?.ok_or_else(|| unsupported(body))?,
            };
            Ok((kind.clone(), response))
        };
        Ok(GatewayResponses(entries(responses).map(response).collect::<Result<_, _>>()?))
    }

    /// What is said to a failure of this type: its own answer, or that of all types of its class without one.
    pub(crate) fn of(&self, kind: &str, status: u16) -> Option<&GatewayResponse> {
        let default = if status < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" };
        self.0.get(kind).or_else(|| self.0.get(default))
    }
}

fn header_value(value: &Value, evaluation: &Evaluation<'_>) -> Result<MappedHeader, TemplateError> {
    let text = evaluation.text(value)?.unwrap_or_default();
    if text == "context.requestId" {
        return Ok(MappedHeader::RequestId);
    }
    let fixed = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    fixed.map(|text| MappedHeader::Fixed(text.to_owned())).ok_or_else(|| unsupported(value))
}

fn unsupported(value: &Value) -> TemplateError {
    TemplateError::Unsupported(format!("{value} in a gateway response"))
}
