use super::TemplateError;
use serde_json::{Value, json};
use yaml_serde::Value as Yaml;

/// CloudFormation's short tags in the form they have in JSON: `!Ref x` is `{"Ref": "x"}`.
pub(crate) fn long_form(text: &str) -> Result<Value, TemplateError> {
    let yaml = yaml_serde::from_str(text).map_err(|error| TemplateError::Unreadable(error.to_string()))?;
    converted(yaml)
}

fn converted(yaml: Yaml) -> Result<Value, TemplateError> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Number(number) => match number.as_i64() {
            Some(whole) => json!(whole),
            None => return Err(TemplateError::Unsupported(format!("the number {number}"))),
        },
        Yaml::String(text) => json!(text),
        Yaml::Sequence(items) => items.into_iter().map(converted).collect::<Result<_, _>>()?,
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (Yaml, Yaml)| match key.as_str() {
                Some(key) => Ok((key.to_owned(), converted(value)?)),
                None => Err(TemplateError::Unsupported(format!("the key {key:?}"))),
            };
            Value::Object(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let value = converted(tagged.value)?;
            match (tag.trim_start_matches('!'), value.as_str().and_then(|path| path.split_once('.'))) {
                ("Ref", _) => json!({ "Ref": value }),
                ("Condition", _) => json!({ "Condition": value }),
                ("GetAtt", Some((resource, attribute))) => json!({ "Fn::GetAtt": [resource, attribute] }),
                (name, _) => json!({ format!("Fn::{name}"): value }),
            }
        }
    })
}
