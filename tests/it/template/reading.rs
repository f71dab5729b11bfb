//! Small helpers for reading and changing the template.

use super::*;

/// Properties of every resource of a type, by name.
pub(super) fn of_type<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    let of_kind = resources.filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

pub(super) fn events_of_type<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found = Vec::new();
    for (name, function) in of_type(template, "AWS::Serverless::Function") {
        let events = function["Events"].as_object().into_iter().flat_map(Map::values);
        found.extend(events.filter(|event| event["Type"] == kind).map(|event| (name, &event["Properties"])));
    }
    found
}

/// One method of one path, as the API's body has it.
pub(super) struct Operation<'a> {
    pub(super) path: &'a str,
    pub(super) method: String,
    pub(super) body: &'a Value,
}

impl<'a> Operation<'a> {
    pub(super) fn integration(&self) -> &'a Value {
        &self.body["x-amazon-apigateway-integration"]
    }

    /// Who answers; none where the gateway does so by itself.
    pub(super) fn function(&self) -> Option<&'a str> {
        let (_, rest) = self.integration()["uri"]["Fn::Sub"].as_str()?.split_once("/functions/${")?;
        rest.split_once(".Arn}").map(|(function, _)| function)
    }
}

pub(super) fn operations(template: &Value) -> Vec<Operation<'_>> {
    let paths = template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"].as_object();
    let mut operations = Vec::new();
    for (path, item) in paths.into_iter().flatten() {
        let methods = where_offered(item).as_object().into_iter().flatten();
        operations.extend(methods.map(|(method, body)| Operation {
            path,
            method: method.to_uppercase(),
            body,
        }));
    }
    operations
}

/// What stands somewhere where its rail is offered.
pub(super) fn where_offered(value: &Value) -> &Value {
    value.pointer("/Fn::If/1").unwrap_or(value)
}

/// Where an operation stands in the template.
pub(super) fn operation_pointer(method: &str, path: &str) -> String {
    let path = path.replace('/', "~1");
    let mut pointer = format!("/Resources/Api/Properties/DefinitionBody/paths/{path}");
    if template().pointer(&format!("{pointer}/Fn::If")).is_some() {
        pointer += "/Fn::If/1";
    }
    format!("{pointer}/{}", method.to_lowercase())
}

pub(super) fn seconds(template: &Value, function: &str) -> u64 {
    let own = &template["Resources"][function]["Properties"]["Timeout"];
    own.as_u64().or(template["Globals"]["Function"]["Timeout"].as_u64()).unwrap_or(3)
}

pub(super) fn pascal(name: &str) -> String {
    name.split(['-', '_'])
        .map(|word| {
            word.chars()
                .take(1)
                .map(|c| c.to_ascii_uppercase())
                .chain(word.chars().skip(1))
                .collect::<String>()
        })
        .collect()
}

pub(super) fn table_resource(name: &str) -> String {
    format!("{}Table", pascal(name))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The template with one value replaced or added.
pub(super) fn changed(pointer: &str, value: Value) -> Value {
    let mut template = template();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = &key.replace("~1", "/").replace("~0", "~");
    match template.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} is not in the template")) {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Object(entries) => drop(entries.insert(key.to_owned(), value)),
        other => panic!("{other} holds nothing"),
    }
    template
}

pub(super) fn without(pointer: &str) -> Value {
    let mut template = template();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let removed =
        template.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|entries| entries.remove(key));
    assert!(removed.is_some(), "{pointer} is not in the template");
    template
}

#[track_caller]
pub(super) fn assert_fine(complaints: Complaints) {
    assert!(complaints.is_empty(), "template.yaml:\n  {}", complaints.join("\n  "));
}

#[track_caller]
pub(super) fn assert_complains(complaints: Complaints, part: &str) {
    assert!(
        complaints.iter().any(|complaint| complaint.contains(part)),
        "`{part}` is not in {complaints:#?}"
    );
}
