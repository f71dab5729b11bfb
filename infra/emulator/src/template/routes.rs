use super::evaluate::Evaluation;
use super::mock::Mock;
use super::{TemplateError, entries};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// What API Gateway waits for an integration without a timeout of its own.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);
const METHODS: [&str; 7] = ["delete", "get", "head", "options", "patch", "post", "put"];

/// One method of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: String,
    /// As the template writes it, e.g. `/v1/runs/{id}`.
    pub path: String,
    pub integration: Integration,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integration {
    /// A function, whose answer is passed on as it comes.
    Function { name: String, timeout: Duration },
    /// The gateway by itself.
    Mock(Mock),
}

/// What the API's body says of its paths. Functions that it may not invoke are refused.
pub(super) fn read(paths: &Value, invocable: &BTreeSet<&str>) -> Result<Vec<Route>, TemplateError> {
    let mut routes = Vec::new();
    for (path, item) in entries(paths) {
        for (method, operation) in entries(item) {
            let what = format!("{method} {path}");
            let method = match method.as_str() {
                "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                known if METHODS.contains(&known) => known.to_uppercase(),
                _ => return Err(TemplateError::Unsupported(what)),
            };
            let integration = integration(&what, operation, invocable)?;
            routes.push(Route { method, path: path.clone(), integration });
        }
    }
    Ok(routes)
}

fn integration(
    what: &str,
    operation: &Value,
    invocable: &BTreeSet<&str>,
) -> Result<Integration, TemplateError> {
    let integration = &operation["x-amazon-apigateway-integration"];
    match integration["type"].as_str() {
        Some("mock") => Ok(Integration::Mock(Mock::read(what, operation)?)),
        Some("aws_proxy") => {
            let name = streaming_function(integration)
                .ok_or_else(|| TemplateError::Unsupported(format!("the buffered route {what}")))?;
            if !invocable.contains(name) {
                return Err(TemplateError::NotInvocable(name.to_owned()));
            }
            let own = integration["timeoutInMillis"].as_u64().map(Duration::from_millis);
            let timeout = own.unwrap_or(INTEGRATION_TIMEOUT);
            Ok(Integration::Function { name: name.to_owned(), timeout })
        }
        _ => Err(TemplateError::Unsupported(format!("the integration of {what}"))),
    }
}

/// The function whose stream is passed on; none if the answer would be waited for as a whole.
fn streaming_function(integration: &Value) -> Option<&str> {
    if integration["responseTransferMode"] != "STREAM" {
        return None;
    }
    let uri = integration["uri"]["Fn::Sub"].as_str()?;
    let (_, rest) = uri.split_once(":lambda:path/2021-11-15/functions/${")?;
    rest.strip_suffix(".Arn}/response-streaming-invocations")
}

/// The functions that this API may invoke.
pub(super) fn invocable<'a>(
    template: &'a Value,
    api: &str,
    evaluation: &Evaluation<'_>,
) -> Result<BTreeSet<&'a str>, TemplateError> {
    let mut functions = BTreeSet::new();
    for (_, resource) in entries(&template["Resources"]) {
        let properties = &resource["Properties"];
        let is_ours = resource["Type"] == "AWS::Lambda::Permission"
            && properties["Action"] == "lambda:InvokeFunction"
            && properties["Principal"] == "apigateway.amazonaws.com";
        if !is_ours {
            continue;
        }
        let source = evaluation.text(&properties["SourceArn"])?.unwrap_or_default();
        if source.ends_with(&format!(":{api}/live/*")) {
            functions.extend(properties["FunctionName"]["Ref"].as_str());
        }
    }
    Ok(functions)
}
