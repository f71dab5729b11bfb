//! Mapping templates: the little of Velocity that template.yaml uses. All else is refused when the template is read.

use super::TemplateError;
use std::collections::BTreeMap;

/// What may be set beside a name of the template's own.
const HEADER: &str = "context.responseOverride.header.";
const STAGE_VARIABLE: &str = "stageVariables.";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Set { name: String, value: Value },
    If { condition: Condition, then: Vec<Step> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// With names in it.
    Quoted(String),
    /// `$input.params("…")`
    Parameter(String),
    Named(String),
}

/// Of a name and a quoted text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Is(String, String),
    Contains(String, String),
}

impl Mapping {
    pub(super) fn parse(text: &str) -> Result<Mapping, TemplateError> {
        let mut steps = Vec::new();
        let mut around = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let unsupported = || TemplateError::Unsupported(format!("`{line}` in a mapping template"));
            if let Some(inside) = enclosed(line, "#set(", ")") {
                let (name, value) = inside.split_once(" = ").ok_or_else(unsupported)?;
                let name = name.strip_prefix('$').ok_or_else(unsupported)?.to_owned();
                let value = Value::parse(value).ok_or_else(unsupported)?;
                steps.push(Step::Set { name, value });
            } else if let Some(inside) = enclosed(line, "#if(", ")") {
                let condition = Condition::parse(inside).ok_or_else(unsupported)?;
                around.push((condition, std::mem::take(&mut steps)));
            } else if line == "#end" {
                let (condition, before) = around.pop().ok_or_else(unsupported)?;
                let then = std::mem::replace(&mut steps, before);
                steps.push(Step::If { condition, then });
            } else {
                return Err(unsupported());
            }
        }
        match around.is_empty() {
            true => Ok(Mapping(steps)),
            false => Err(TemplateError::Unsupported("an #if without #end in a mapping template".to_owned())),
        }
    }

    /// The headers that it sets.
    pub(super) fn headers(
        &self,
        parameter: &dyn Fn(&str) -> String,
        stage_variables: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        let mut course = Course { parameter, stage_variables, names: BTreeMap::new() };
        course.run(&self.0);
        let set = course.names.into_iter();
        set.filter_map(|(name, value)| Some((name.strip_prefix(HEADER)?.to_owned(), value))).collect()
    }
}

impl Value {
    fn parse(text: &str) -> Option<Value> {
        if let Some(quoted) = enclosed(text, "\"", "\"") {
            return Some(Value::Quoted(quoted.to_owned()));
        }
        if let Some(parameter) = enclosed(text, "$input.params(\"", "\")") {
            return Some(Value::Parameter(parameter.to_owned()));
        }
        let name = text.strip_prefix('$').filter(|name| name.chars().all(is_of_a_name))?;
        Some(Value::Named(name.to_owned()))
    }
}

impl Condition {
    fn parse(text: &str) -> Option<Condition> {
        let text = text.strip_prefix('$')?;
        if let Some((name, wanted)) = text.split_once(" == ") {
            return Some(Condition::Is(name.to_owned(), enclosed(wanted, "\"", "\"")?.to_owned()));
        }
        let (name, part) = text.split_once(".contains(")?;
        Some(Condition::Contains(name.to_owned(), enclosed(part, "\"", "\")")?.to_owned()))
    }
}

struct Course<'a> {
    parameter: &'a dyn Fn(&str) -> String,
    stage_variables: &'a BTreeMap<String, String>,
    names: BTreeMap<String, String>,
}

impl Course<'_> {
    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Set { name, value } => {
                    let value = match value {
                        Value::Quoted(text) => self.filled(text),
                        Value::Parameter(name) => (self.parameter)(name),
                        Value::Named(name) => self.named(name),
                    };
                    self.names.insert(name.clone(), value);
                }
                Step::If { condition, then } if self.holds(condition) => self.run(then),
                Step::If { .. } => {}
            }
        }
    }

    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Is(name, text) => self.named(name) == self.filled(text),
            Condition::Contains(name, text) => self.named(name).contains(&self.filled(text)),
        }
    }

    /// A text with its names replaced, once: what is put in is not looked at again.
    fn filled(&self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|letter| !is_of_a_name(letter) && letter != '.').unwrap_or(part.len());
            filled += &self.named(&part[..end]);
            filled += &part[end..];
        }
        filled
    }

    /// Velocity prints a name that stands for nothing as it is.
    fn named(&self, name: &str) -> String {
        let found = match name.strip_prefix(STAGE_VARIABLE) {
            Some(variable) => self.stage_variables.get(variable),
            None => self.names.get(name),
        };
        found.cloned().unwrap_or_else(|| format!("${name}"))
    }
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn enclosed<'a>(text: &'a str, before: &str, behind: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
        #set($origin = $input.params("origin"))
        #if($origin == "")
        #set($origin = $input.params("Origin"))
        #end
        #set($allowed = ",$stageVariables.Origins,")
        #if($allowed.contains(",$origin,"))
        #set($context.responseOverride.header.X-Origin = $origin)
        #end
    "#;

    #[test]
    fn a_header_is_set_where_its_condition_holds() {
        let mapping = Mapping::parse(TEMPLATE).unwrap();
        let stage = BTreeMap::from([("Origins".to_owned(), "https://a,https://b".to_owned())]);
        for (name, origin, is_told) in [
            ("origin", "https://a", true),
            ("Origin", "https://b", true),
            ("origin", "https://", false),
            ("origin", "https://b.evil", false),
            ("origin", "$allowed", false),
            ("other", "https://a", false),
        ] {
            let parameter = |asked: &str| if asked == name { origin.to_owned() } else { String::new() };
            let expected = is_told.then(|| ("X-Origin".to_owned(), origin.to_owned()));
            assert_eq!(mapping.headers(&parameter, &stage), Vec::from_iter(expected), "{name}: {origin}");
            let without_stage = mapping.headers(&parameter, &BTreeMap::new());
            assert_eq!(without_stage, [], "a variable that is not there is printed by its name");
        }
    }

    #[test]
    fn what_it_can_not_play_is_refused() {
        for line in [
            "{}",
            "#foreach($x in $y)",
            "#set($x = 1 + 2)",
            "#set($x = $y.split(\",\"))",
            "#if($x)",
            "#if($x == $y)",
            "#end",
        ] {
            let refused = Mapping::parse(line).unwrap_err().to_string();
            assert!(refused.contains(line), "{line}: {refused}");
        }
        assert!(Mapping::parse("#if($x == \"\")").is_err());
    }
}
