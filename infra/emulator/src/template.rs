//! `template.yaml` as CloudFormation sees it: parameters filled in, functions, routes and schedules read.

mod evaluate;
mod mapping;
mod mock;
mod refusals;
mod routes;
mod throttles;
mod yaml;

use evaluate::Evaluation;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub use mock::Mock;
pub use refusals::{GatewayResponse, GatewayResponses, MappedHeader};
pub use routes::{Integration, Route};
pub use throttles::Throttle;
pub(crate) use yaml::long_form;

/// Lambda refuses a configuration whose variables, names and values together, are longer.
const VARIABLES_BYTES_MAX: usize = 4096;

/// What a stack made of the template would consist of, as far as it is emulated.
#[derive(Debug)]
pub struct Deployment {
    pub functions: Vec<FunctionPlan>,
    pub routes: Vec<Route>,
    /// How many requests the stage lets in.
    pub throttles: Vec<Throttle>,
    pub stage_variables: BTreeMap<String, String>,
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
    #[error("the API may not invoke {0}")]
    NotInvocable(String),
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

/// A template in its long form as its conditions leave it: what they exclude is not there, and of every `Fn::If` one side is.
pub fn resolved(template: &Value, given: &Given) -> Result<Value, TemplateError> {
    Evaluation::new(template, given)?.resolved()
}

impl Deployment {
    pub fn read(template: &Path, given: &Given) -> Result<Deployment, TemplateError> {
        let unreadable = |what: String| TemplateError::Unreadable(what);
        let text = std::fs::read_to_string(template).map_err(|error| unreadable(error.to_string()))?;
        Deployment::parse(&text, given)
    }

    pub(crate) fn parse(text: &str, given: &Given) -> Result<Deployment, TemplateError> {
        let template = resolved(&yaml::long_form(text)?, given)?;
        let evaluation = Evaluation::new(&template, given)?;
        let mut deployment = Deployment {
            functions: Vec::new(),
            routes: Vec::new(),
            throttles: Vec::new(),
            stage_variables: BTreeMap::new(),
            binary_media_types: Vec::new(),
            gateway_responses: GatewayResponses::default(),
        };
        for (name, resource) in entries(&template["Resources"]) {
            let properties = &resource["Properties"];
            match resource["Type"].as_str() {
                Some("AWS::Serverless::Function") => {
                    deployment.functions.push(function(&template, name, properties, &evaluation)?);
                }
                Some("AWS::Serverless::Api") => {
                    let invocable = routes::invocable(&template, name, &evaluation)?;
                    deployment.routes = routes::read(&properties["DefinitionBody"]["paths"], &invocable)?;
                    deployment.read_stage(properties, &evaluation)?;
                }
                _ => {}
            }
        }
        Ok(deployment)
    }

    fn read_stage(&mut self, properties: &Value, evaluation: &Evaluation<'_>) -> Result<(), TemplateError> {
        for (name, value) in entries(&properties["Variables"]) {
            self.stage_variables.extend(evaluation.text(value)?.map(|text| (name.clone(), text)));
        }
        let settings = properties["MethodSettings"].as_array().into_iter().flatten();
        self.throttles = settings.map(Throttle::read).collect::<Result<_, _>>()?;
        let types = properties["BinaryMediaTypes"].as_array().into_iter().flatten();
        let types = types.filter_map(Value::as_str).map(|text| text.replace("~1", "/"));
        self.binary_media_types.extend(types);
        self.gateway_responses = GatewayResponses::read(&properties["GatewayResponses"], evaluation)?;
        Ok(())
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
  Service: { Type: String, Default: shop }
Mappings:
  Services:
    shop: { Sweep: "yes" }
    kiosk: { Sweep: "no" }
Conditions:
  HasUsdt: !Not [!Equals [!Ref Wallet, ""]]
  Sweeps: !Equals [!FindInMap [Services, !Ref Service, Sweep], "yes"]
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
  RunToolPermission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref RunTool
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:1:${Api}/live/*
  Api:
    Type: AWS::Serverless::Api
    Properties:
      Variables: { Origins: !Join [",", !Ref Origins] }
      MethodSettings:
        - { ResourcePath: "/*", HttpMethod: "*", ThrottlingRateLimit: 200, ThrottlingBurstLimit: 400 }
        - { ResourcePath: /~1v1~1runs, HttpMethod: POST, ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 }
        - !If
          - Sweeps
          - { ResourcePath: /~1v1~1sweeps, HttpMethod: GET, ThrottlingRateLimit: 1, ThrottlingBurstLimit: 1 }
          - !Ref AWS::NoValue
      DefinitionBody:
        paths:
          /v1/runs:
            post: &run_tool
              x-amazon-apigateway-integration:
                type: aws_proxy
                responseTransferMode: STREAM
                timeoutInMillis: 900000
                uri: !Sub arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/${RunTool.Arn}/response-streaming-invocations
            options:
              responses: { "200": { headers: { Vary: {} } } }
              x-amazon-apigateway-integration:
                type: mock
                passthroughBehavior: never
                requestTemplates: { application/json: '{"statusCode": 200}' }
                responses:
                  default:
                    statusCode: "200"
                    responseParameters: { method.response.header.Vary: "'origin'" }
                    responseTemplates:
                      application/json: |
                        #set($origin = $input.params("origin"))
                        #set($allowed = ",$stageVariables.Origins,")
                        #if($allowed.contains(",$origin,"))
                        #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)
                        #end
          /v1/runs/{id}: { get: *run_tool }
          /v1/sweeps: !If [Sweeps, { get: *run_tool }, !Ref AWS::NoValue]
  Sweep:
    Type: AWS::Serverless::Function
    Condition: Sweeps
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
    }

    #[test]
    fn the_front_door_is_read_from_the_body_of_the_api() {
        let deployment = Deployment::parse(TEMPLATE, &given("")).unwrap();
        let at = |method: &str, path: &str| {
            let found = deployment.routes.iter().find(|route| route.method == method && route.path == path);
            found.unwrap().integration.clone()
        };
        let run_tool =
            Integration::Function { name: "RunTool".to_owned(), timeout: Duration::from_secs(900) };
        assert_eq!((at("POST", "/v1/runs"), at("GET", "/v1/runs/{id}")), (run_tool.clone(), run_tool));
        let Integration::Mock(preflight) = at("OPTIONS", "/v1/runs") else { panic!("nobody is asked") };
        let headers = preflight.headers(&|_| "https://b".to_owned(), &deployment.stage_variables);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [pair("Vary", "origin"), pair("Access-Control-Allow-Origin", "https://b")];
        assert_eq!((preflight.status, headers), (200, expected.to_vec()));
        let throttles: Vec<(&str, &str, u32, u32)> = deployment
            .throttles
            .iter()
            .map(|throttle| (throttle.method.as_str(), throttle.path.as_str(), throttle.rate, throttle.burst))
            .collect();
        let of_sweeps = ("GET", "/v1/sweeps", 1, 1);
        assert_eq!(throttles, [("*", "/*", 200, 400), ("POST", "/v1/runs", 50, 100), of_sweeps]);
    }

    #[test]
    fn what_a_condition_excludes_is_not_deployed_and_may_not_be_referred_to() {
        let mut kiosk = given("");
        kiosk.parameters.insert("Service".to_owned(), json!("kiosk"));
        let parts = |given: &Given| {
            let deployment = Deployment::parse(TEMPLATE, given).unwrap();
            (deployment.functions.len(), deployment.routes.len(), deployment.throttles.len())
        };
        assert_eq!((parts(&given("")), parts(&kiosk)), ((2, 4, 3), (1, 3, 2)));
        let dangling = TEMPLATE.replace("NAMESPACE: !Sub \"", "NAMESPACE: !Sub \"${Sweep}");
        assert!(Deployment::parse(&dangling, &given("")).is_ok());
        let refused = Deployment::parse(&dangling, &kiosk).unwrap_err().to_string();
        assert!(refused.contains("Sweep"), "{refused}");
    }

    #[test]
    fn what_would_stop_a_deployment_is_told() {
        let refused = |text: &str, given: &Given| Deployment::parse(text, given).unwrap_err().to_string();
        let mut without = given("");
        without.parameters.remove("Origins");
        assert!(refused(TEMPLATE, &without).contains("Origins"));
        for (written, instead, part) in [
            (
                "responseTransferMode: STREAM",
                "responseTransferMode: BUFFERED",
                "the buffered route post /v1/runs",
            ),
            ("/response-streaming-invocations", "/invocations", "the buffered route post /v1/runs"),
            ("${Api}/live/*", "${Api}/test/*", "the API may not invoke RunTool"),
            ("FunctionName: !Ref RunTool", "FunctionName: !Ref Sweep", "the API may not invoke RunTool"),
            ("passthroughBehavior: never", "passthroughBehavior: when_no_match", "a passed on request of"),
            ("{ Vary: {} }", "{}", "the undeclared header \"Vary\" of options /v1/runs"),
            ("#set($origin =", "#evaluate($origin =", "#evaluate"),
        ] {
            let refused = refused(&TEMPLATE.replace(written, instead), &given(""));
            assert!(refused.contains(part), "{instead}: {refused}");
        }
        let unknown = TEMPLATE.replace("!Ref Media", "!Ref Medium");
        assert!(refused(&unknown, &given("")).contains("Medium"));
        let long = TEMPLATE.replace("Default: citipen-", &format!("Default: {}", "x".repeat(4096)));
        assert!(refused(&long, &given("")).contains("4096"));
    }
}
