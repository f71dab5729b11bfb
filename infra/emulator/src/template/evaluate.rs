use super::{Given, TemplateError, entries};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const STACK: &str = "citipen";
const ACCOUNT: &str = "123456789012";

/// Fills in CloudFormation's functions. `None` is `AWS::NoValue`: the property is not there at all.
pub(super) struct Evaluation<'a> {
    template: &'a Value,
    given: &'a Given,
    parameters: BTreeMap<&'a str, Value>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(template: &'a Value, given: &'a Given) -> Result<Evaluation<'a>, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, parameter) in entries(&template["Parameters"]) {
            let value = given.parameters.get(name).or_else(|| parameter.get("Default"));
            let value = value.ok_or_else(|| TemplateError::ParameterMissing(name.clone()))?;
            let is_list = parameter["Type"].as_str().is_some_and(|kind| kind.contains("List"));
            let value = match value.as_str() {
                Some("") if is_list => json!([]),
                Some(text) if is_list => text.split(',').map(|part| json!(part.trim())).collect(),
                _ => value.clone(),
            };
            parameters.insert(name.as_str(), value);
        }
        Ok(Evaluation { template, given, parameters })
    }

    /// The template as its conditions leave it: what they exclude is not there, and of every `Fn::If` one side is.
    pub(super) fn resolved(&self) -> Result<Value, TemplateError> {
        let mut resolved = self.template.clone();
        for part in ["Resources", "Outputs"] {
            let mut kept = Map::new();
            for (name, entry) in entries(&self.template[part]) {
                let is_there = match &entry["Condition"] {
                    Value::Null => true,
                    condition => self.condition(&self.template["Conditions"], condition)?,
                };
                if is_there {
                    kept.extend(self.chosen(entry)?.map(|entry| (name.clone(), entry)));
                }
            }
            resolved[part] = Value::Object(kept);
        }
        Ok(resolved)
    }

    /// `None` is `AWS::NoValue`.
    fn chosen(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Object(fields) if fields.len() == 1 && fields.contains_key("Fn::If") => {
                let sides = &fields["Fn::If"];
                let is_met = self.condition(&self.template["Conditions"], &sides[0])?;
                self.chosen(&sides[if is_met { 1 } else { 2 }])
            }
            Value::Object(fields) if *fields == no_value() => Ok(None),
            Value::Object(fields) => {
                let mut kept = Map::new();
                for (name, value) in fields {
                    kept.extend(self.chosen(value)?.map(|value| (name.clone(), value)));
                }
                Ok(Some(Value::Object(kept)))
            }
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.chosen(item).transpose());
                Ok(Some(items.collect::<Result<_, _>>()?))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    /// A variable's value: always a text.
    pub(super) fn text(&self, value: &Value) -> Result<Option<String>, TemplateError> {
        let Some(value) = self.value(value)? else { return Ok(None) };
        match value {
            Value::String(text) => Ok(Some(text)),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(value) => Ok(Some(value.to_string())),
            other => Err(TemplateError::Unsupported(format!("{other} as a text"))),
        }
    }

    fn value(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.value(item).transpose());
                Ok(Some(items.collect::<Result<_, _>>()?))
            }
            Value::Object(fields) if fields.len() == 1 => {
                let Some((function, argument)) = fields.iter().next() else { return Ok(None) };
                self.called(function, argument)
            }
            Value::Object(_) => Err(TemplateError::Unsupported(format!("{value} as a value"))),
            plain => Ok(Some(plain.clone())),
        }
    }

    fn called(&self, function: &str, argument: &Value) -> Result<Option<Value>, TemplateError> {
        match function {
            "Ref" if argument == "AWS::NoValue" => Ok(None),
            "Ref" => self.named(argument.as_str().unwrap_or_default()).map(Some),
            "Fn::Sub" => self.substituted(argument.as_str().unwrap_or_default()).map(Some),
            "Fn::GetAtt" => self.attribute(&argument[0], &argument[1]).map(Some),
            "Fn::If" => {
                let is_met = self.condition(&self.template["Conditions"], &argument[0])?;
                self.value(&argument[if is_met { 1 } else { 2 }])
            }
            "Fn::Join" => {
                let parts = self.value(&argument[1])?.unwrap_or_default();
                let parts = parts.as_array().into_iter().flatten();
                let parts: Vec<String> =
                    parts.filter_map(|part| self.text(part).transpose()).collect::<Result<_, _>>()?;
                Ok(Some(json!(parts.join(argument[0].as_str().unwrap_or_default()))))
            }
            "Fn::FindInMap" => {
                let key = |at: usize| self.text(&argument[at]).map(Option::unwrap_or_default);
                let found = &self.template["Mappings"][key(0)?][key(1)?][key(2)?];
                Ok(Some(found.clone()))
            }
            other => Err(TemplateError::Unsupported(other.to_owned())),
        }
    }

    fn named(&self, name: &str) -> Result<Value, TemplateError> {
        let pseudo = match name {
            "AWS::Region" => Some(self.given.region.as_str()),
            "AWS::StackName" => Some(STACK),
            "AWS::AccountId" => Some(ACCOUNT),
            "AWS::Partition" => Some("aws"),
            _ => self.given.physical.get(name).map(String::as_str),
        };
        match pseudo {
            Some(text) => Ok(json!(text)),
            None if self.parameters.contains_key(name) => Ok(self.parameters[name].clone()),
            None if self.template["Resources"].get(name).is_some() => Ok(json!(name)),
            None => Err(TemplateError::UnknownName(name.to_owned())),
        }
    }

    fn attribute(&self, resource: &Value, attribute: &Value) -> Result<Value, TemplateError> {
        let name = resource.as_str().unwrap_or_default();
        self.named(name)?;
        match attribute.as_str() {
            Some("Arn") => Ok(json!(format!("arn:aws:emulated:::{name}"))),
            _ => Err(TemplateError::Unsupported(format!("{name}.{attribute}"))),
        }
    }

    fn substituted(&self, pattern: &str) -> Result<Value, TemplateError> {
        let mut parts = pattern.split("${");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) =
                part.split_once('}').ok_or_else(|| TemplateError::UnknownName(part.to_owned()))?;
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(&json!(resource), &json!(attribute))?,
                None => self.named(name)?,
            };
            text += &self.text(&value)?.unwrap_or_default();
            text += rest;
        }
        Ok(json!(text))
    }

    fn condition(&self, conditions: &Value, wanted: &Value) -> Result<bool, TemplateError> {
        let name = wanted.as_str().unwrap_or_default();
        let condition = conditions.get(name).ok_or_else(|| TemplateError::UnknownName(name.to_owned()))?;
        self.is_met(condition)
    }

    fn is_met(&self, condition: &Value) -> Result<bool, TemplateError> {
        let Some((function, argument)) = condition.as_object().and_then(|fields| fields.iter().next()) else {
            return Err(TemplateError::Unsupported(format!("the condition {condition}")));
        };
        let several = || argument.as_array().into_iter().flatten().map(|part| self.is_met(part));
        match function.as_str() {
            "Fn::Equals" => Ok(self.value(&argument[0])? == self.value(&argument[1])?),
            "Fn::Not" => Ok(!self.is_met(&argument[0])?),
            "Fn::And" => several().try_fold(true, |all, one| Ok(all && one?)),
            "Fn::Or" => several().try_fold(false, |any, one| Ok(any || one?)),
            "Condition" => self.condition(&self.template["Conditions"], argument),
            other => Err(TemplateError::Unsupported(other.to_owned())),
        }
    }
}

fn no_value() -> Map<String, Value> {
    Map::from_iter([("Ref".to_owned(), json!("AWS::NoValue"))])
}
