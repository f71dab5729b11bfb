//! What `template.yaml` says about cost: memory, schedules, keys, alarms, secrets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use yaml_serde::Value;

/// Minutes of an average month.
const MONTH_MINUTES: u64 = 730 * 60;

pub(crate) struct Deployment {
    template: Value,
}

/// A function that is ticked.
pub(crate) struct Schedule {
    pub(crate) function: String,
    pub(crate) minutes: u64,
}

impl Schedule {
    pub(crate) fn ticks_a_month(&self) -> u64 {
        MONTH_MINUTES / self.minutes
    }
}

impl Deployment {
    pub(crate) fn read() -> Deployment {
        let text = std::fs::read_to_string(root().join("template.yaml")).unwrap();
        Deployment { template: yaml_serde::from_str(&text).unwrap() }
    }

    /// Its own, or that of all.
    pub(crate) fn memory_mb(&self, function: &str) -> u64 {
        let own = self.properties(function).get("MemorySize").and_then(Value::as_u64);
        own.unwrap_or_else(|| self.template["Globals"]["Function"]["MemorySize"].as_u64().unwrap())
    }

    /// How many secrets a function reads when it starts.
    pub(crate) fn secrets(&self, function: &str) -> u64 {
        let variables = &self.properties(function)["Environment"]["Variables"];
        let names = match variables.get("SECRETS") {
            Some(list) => {
                texts(list).iter().flat_map(|text| text.split(',')).filter(|name| is_name(name)).count()
            }
            None => texts(variables).iter().filter(|text| text.contains("{{resolve:")).count(),
        };
        names as u64
    }

    pub(crate) fn count(&self, kind: &str) -> u64 {
        self.resources().filter(|(_, resource)| resource["Type"] == kind).count() as u64
    }

    /// Of every function that is ticked, how often.
    pub(crate) fn schedules(&self) -> Vec<Schedule> {
        let mut schedules = Vec::new();
        for (function, resource) in self.resources() {
            let events = resource["Properties"].get("Events").and_then(Value::as_mapping);
            let events = events.into_iter().flatten().map(|(_, event)| event);
            for event in events.filter(|event| event["Type"] == "ScheduleV2") {
                let expression = &event["Properties"]["ScheduleExpression"];
                let minutes = minutes(&self.resolved(expression));
                schedules.push(Schedule { function: function.to_owned(), minutes });
            }
        }
        schedules
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        let is_function = |resource: &Value| resource["Type"] == "AWS::Serverless::Function";
        self.resources().filter(move |(_, resource)| is_function(resource)).map(|(name, _)| name)
    }

    /// How many tables a function may touch: each of these pairs has a key of its own in DynamoDB's memory.
    pub(crate) fn tables(&self, function: &str) -> u64 {
        let texts = self.properties(function).get("Policies").map(texts).unwrap_or_default();
        let named = |text: &String| text.split('.').next().unwrap_or_default().replace("${", "");
        let tables: BTreeSet<String> =
            texts.iter().map(named).filter(|name| name.ends_with("Table")).collect();
        tables.len() as u64
    }

    /// What the front door writes of each request, if it does.
    pub(crate) fn access_log_format(&self) -> Option<String> {
        let setting = self.properties("Api").get("AccessLogSetting")?;
        Some(texts(setting.get("Format")?).concat())
    }

    /// Every name that a log line counts under, which becomes a metric.
    pub(crate) fn metrics() -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for folder in ["shared", "functions"] {
            metrics_below(&root().join(folder), &mut names);
        }
        names
    }

    fn properties(&self, resource: &str) -> &Value {
        let found = self.resources().find(|(name, _)| *name == resource);
        &found.unwrap_or_else(|| panic!("template.yaml has no {resource}")).1["Properties"]
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.template["Resources"].as_mapping().unwrap().iter();
        resources.map(|(name, resource)| (name.as_str().unwrap(), resource))
    }

    /// A text, or the default of the parameter that it names.
    fn resolved(&self, value: &Value) -> String {
        match value {
            Value::Tagged(tagged) => {
                let parameter = &self.template["Parameters"][tagged.value.as_str().unwrap()];
                parameter["Default"].as_str().unwrap().to_owned()
            }
            text => text.as_str().unwrap().to_owned(),
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// How many minutes lie between two ticks.
fn minutes(expression: &str) -> u64 {
    let inside = |name: &str| expression.strip_prefix(name)?.strip_suffix(')');
    if let Some(rate) = inside("rate(") {
        let (count, unit) = rate.split_once(' ').unwrap();
        let unit = match unit.trim_end_matches('s') {
            "minute" => 1,
            "hour" => 60,
            "day" => 24 * 60,
            other => panic!("{other} is no unit of a schedule"),
        };
        return count.parse::<u64>().unwrap() * unit;
    }
    let cron: Vec<&str> = inside("cron(").unwrap().split(' ').collect();
    let is_once_a_day = cron[..2].iter().all(|part| part.parse::<u64>().is_ok());
    assert!(is_once_a_day && cron[2..] == ["*", "*", "?", "*"], "{expression} is not once a day");
    24 * 60
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Every text inside a value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Sequence(items) => items.iter().flat_map(texts).collect(),
        Value::Mapping(entries) => entries.iter().flat_map(|(_, value)| texts(value)).collect(),
        Value::Tagged(tagged) => texts(&tagged.value),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn metrics_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            metrics_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let named = source.split("metric = \"").skip(1).filter_map(|rest| rest.split('"').next());
            names.extend(named.map(str::to_owned));
        }
    }
}
