//! `template.yaml` as CloudFormation sees it: parameters filled in, functions, routes and schedules read.

mod evaluate;
mod refusals;
mod yaml;

use evaluate::Evaluation;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub use refusals::{GatewayResponse, GatewayResponses, MappedHeader};
pub(crate) use yaml::long_form;

/// What API Gateway waits for an integration without a timeout of its own.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);
/// Lambda refuses a configuration whose variables, names and values together, are longer.
const VARIABLES_BYTES_MAX: usize = 4096;

/// What a stack made of the template would consist of, as far as it is emulated.
#[derive(Debug)]
pub struct Deployment {
    pub functions: Vec<FunctionPlan>,
    pub routes: Vec<Route>,
    /// Content types that the gateway hands over in base64.
    pub binary_media_types: Vec<String>,
    /// What the gateway answers where it refuses by itself.
    pub gateway_responses: GatewayResponses,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPlan {
    /// The resource's name, e.g. `RunTool`.
    pub name: String,
    /// The folder of its source, e.g. `run-tool`; its binary is called the same.
    pub folder: String,
    pub memory_mb: u64,
    pub timeout: Duration,
    pub variables: BTreeMap<String, String>,
    /// The schedule's name, for a function that ticks.
    pub schedule: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: String,
    /// As the template writes it, e.g. `/v1/runs/{id}`.
    pub path: String,
    pub function: String,
    pub timeout: Duration,
}

/// Why the template can't be deployed.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("the template can't be read: {0}")]
    Unreadable(String),
    #[error("the parameter {0} has no default and was not given")]
    ParameterMissing(String),
    #[error("`{0}` stands for nothing in the template")]
    UnknownName(String),
    #[error("the emulator does not know {0}")]
    Unsupported(String),
    #[error("the variables of {function} take {bytes} bytes; Lambda takes 4096")]
    TooManyVariables { function: String, bytes: usize },
}

/// What a stack is made with.
#[derive(Debug, Default)]
pub struct Given {
    /// Values for parameters; those the template does not have are left out.
    pub parameters: BTreeMap<String, Value>,
    /// Names that resources got, where it matters.
    pub physical: BTreeMap<String, String>,
    pub region: String,
}

impl Deployment {
    pub fn read(template: &Path, given: &Given) -> Result<Deployment, TemplateError> {
        let unreadable = |what: String| TemplateError::Unreadable(what);
        let text = std::fs::read_to_string(template).map_err(|error| unreadable(error.to_string()))?;
        Deployment::parse(&text, given)
    }

    pub(crate) fn parse(text: &str, given: &Given) -> Result<Deployment, TemplateError> {
        let template = yaml::long_form(text)?;
        let evaluation = Evaluation::new(&template, given)?;
        let mut deployment = Deployment {
            functions: Vec::new(),
            routes: Vec::new(),
            binary_media_types: Vec::new(),
            gateway_responses: GatewayResponses::default(),
        };
        for (name, resource) in entries(&template["Resources"]) {
            let properties = &resource["Properties"];
            match resource["Type"].as_str() {
                Some("AWS::Serverless::Function") => {
                    deployment.functions.push(function(&template, name, properties, &evaluation)?);
                    for (_, event) in entries(&properties["Events"]) {
                        if event["Type"] == "Api" {
                            deployment.routes.push(route(name, &event["Properties"])?);
                        }
                    }
                }
                Some("AWS::Serverless::Api") => {
                    let types = properties["BinaryMediaTypes"].as_array().into_iter().flatten();
                    let types = types.filter_map(Value::as_str).map(|text| text.replace("~1", "/"));
                    deployment.binary_media_types.extend(types);
                    deployment.gateway_responses =
                        GatewayResponses::read(&properties["GatewayResponses"], &evaluation)?;
                }
                _ => {}
            }
        }
        Ok(deployment)
    }

    pub fn function(&self, name: &str) -> Option<&FunctionPlan> {
        self.functions.iter().find(|function| function.name == name)
    }
}

fn function(
    template: &Value,
    name: &str,
    properties: &Value,
    evaluation: &Evaluation<'_>,
) -> Result<FunctionPlan, TemplateError> {
    let common = &template["Globals"]["Function"];
    let number = |key: &str, default: u64| {
        properties[key].as_u64().or_else(|| common[key].as_u64()).unwrap_or(default)
    };
    let mut variables = BTreeMap::new();
    for place in [common, properties] {
        for (variable, value) in entries(&place["Environment"]["Variables"]) {
            match evaluation.text(value)? {
                Some(text) => variables.insert(variable.clone(), text),
                None => variables.remove(variable),
            };
        }
    }
    let bytes = variables.iter().map(|(variable, value)| variable.len() + value.len()).sum();
    if bytes > VARIABLES_BYTES_MAX {
        return Err(TemplateError::TooManyVariables { function: name.to_owned(), bytes });
    }
    let ticks = entries(&properties["Events"]).find(|(_, event)| event["Type"] == "ScheduleV2");
    let schedule = match ticks {
        Some((_, event)) => evaluation.text(&event["Properties"]["Name"])?,
        None => None,
    };
    let folder = properties["CodeUri"].as_str().and_then(|uri| uri.rsplit('/').next());
    Ok(FunctionPlan {
        name: name.to_owned(),
        folder: folder.unwrap_or_default().to_owned(),
        memory_mb: number("MemorySize", 128),
        timeout: Duration::from_secs(number("Timeout", 3)),
        variables,
        schedule,
    })
}

fn route(function: &str, event: &Value) -> Result<Route, TemplateError> {
    if event["ResponseTransferMode"] != "RESPONSE_STREAM" {
        return Err(TemplateError::Unsupported(format!("the buffered route {}", event["Path"])));
    }
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let timeout = event["TimeoutInMillis"].as_u64().map_or(INTEGRATION_TIMEOUT, Duration::from_millis);
    Ok(Route {
        method: text("Method").to_uppercase(),
        path: text("Path"),
        function: function.to_owned(),
        timeout,
    })
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEMPLATE: &str = r#"
Parameters:
  Prefix: { Type: String, Default: citipen- }
  Origins: { Type: CommaDelimitedList }
  Wallet: { Type: String, Default: "" }
Conditions:
  HasUsdt: !Not [!Equals [!Ref Wallet, ""]]
Globals:
  Function:
    Timeout: 20
    Environment:
      Variables: { TABLE_PREFIX: !Ref Prefix, MEDIA_BUCKET: !Ref Media }
Resources:
  Media: { Type: "AWS::S3::Bucket" }
  RunTool:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/run-tool
      MemorySize: 256
      Environment:
        Variables:
          ALLOWED_ORIGINS: !Join [",", !Ref Origins]
          TRON_WALLET: !If [HasUsdt, !Ref Wallet, !Ref AWS::NoValue]
          NAMESPACE: !Sub "Citipen/${AWS::StackName}/${Media.Arn}"
          SECRETS: FAL_KEY,QUOTE_SECRET
      Events:
        Run:
          Type: Api
          Properties: { Path: /v1/runs, Method: POST, ResponseTransferMode: RESPONSE_STREAM, TimeoutInMillis: 900000 }
  Sweep:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/sweep
      Timeout: 55
      Events:
        Tick: { Type: ScheduleV2, Properties: { Name: !Sub "${Prefix}sweep" } }
"#;

    fn given(wallet: &str) -> Given {
        let parameters = [("Origins", json!(["https://a", "https://b"])), ("Wallet", json!(wallet))];
        Given {
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
            physical: BTreeMap::from([("Media".to_owned(), "citipen-media".to_owned())]),
            region: "us-east-1".to_owned(),
        }
    }

    #[test]
    fn variables_are_filled_in_as_cloudformation_does() {
        let deployment = Deployment::parse(TEMPLATE, &given("")).unwrap();
        let run_tool = deployment.function("RunTool").unwrap();
        let variables: Vec<(&str, &str)> =
            run_tool.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("ALLOWED_ORIGINS", "https://a,https://b"),
            ("MEDIA_BUCKET", "citipen-media"),
            ("NAMESPACE", "Citipen/citipen/arn:aws:emulated:::Media"),
            ("SECRETS", "FAL_KEY,QUOTE_SECRET"),
            ("TABLE_PREFIX", "citipen-"),
        ];
        assert_eq!(variables, expected, "and no wallet where none is given");
        let deployment = Deployment::parse(TEMPLATE, &given("T123")).unwrap();
        assert_eq!(deployment.function("RunTool").unwrap().variables["TRON_WALLET"], "T123");
    }

    #[test]
    fn functions_routes_and_schedules_are_read() {
        let deployment = Deployment::parse(TEMPLATE, &given("")).unwrap();
        let facts = |name: &str| {
            let function = deployment.function(name).unwrap();
            let (memory, timeout) = (function.memory_mb, function.timeout.as_secs());
            (function.folder.as_str(), memory, timeout, function.schedule.as_deref())
        };
        assert_eq!(facts("RunTool"), ("run-tool", 256, 20, None));
        assert_eq!(facts("Sweep"), ("sweep", 128, 55, Some("citipen-sweep")));
        let route = &deployment.routes[0];
        assert_eq!((route.method.as_str(), route.path.as_str()), ("POST", "/v1/runs"));
        assert_eq!((route.function.as_str(), route.timeout.as_secs()), ("RunTool", 900));
    }

    #[test]
    fn what_would_stop_a_deployment_is_told() {
        let refused = |text: &str, given: &Given| Deployment::parse(text, given).unwrap_err().to_string();
        let mut without = given("");
        without.parameters.remove("Origins");
        assert!(refused(TEMPLATE, &without).contains("Origins"));
        let buffered = TEMPLATE.replace("RESPONSE_STREAM", "STREAM");
        assert!(refused(&buffered, &given("")).contains("buffered"));
        let unknown = TEMPLATE.replace("!Ref Media", "!Ref Medium");
        assert!(refused(&unknown, &given("")).contains("Medium"));
        let long = TEMPLATE.replace("Default: citipen-", &format!("Default: {}", "x".repeat(4096)));
        assert!(refused(&long, &given("")).contains("4096"));
    }
}
