//! What is on disk: template, folders, sources, profiles.

use super::*;

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(super) fn template() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    long_form(yaml_serde::from_str(&text).unwrap())
}

/// CloudFormation's short tags in the form it has in JSON: `!Ref x` is `{"Ref": "x"}`.
pub(super) fn long_form(yaml: yaml_serde::Value) -> Value {
    use yaml_serde::Value as Yaml;
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Number(number) => json!(number.as_i64().unwrap()),
        Yaml::String(text) => json!(text),
        Yaml::Sequence(items) => items.into_iter().map(long_form).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (Yaml, Yaml)| (key.as_str().unwrap().to_owned(), long_form(value));
            Value::Object(entries.into_iter().map(entry).collect())
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let value = long_form(tagged.value);
            match (tag.trim_start_matches('!'), &value) {
                ("Ref", _) => json!({ "Ref": value }),
                ("Condition", _) => json!({ "Condition": value }),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) = path.split_once('.').unwrap();
                    json!({ "Fn::GetAtt": [resource, attribute] })
                }
                (name, _) => json!({ format!("Fn::{name}"): value }),
            }
        }
    }
}

pub(super) fn folders() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("functions")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Every function's source, by resource name.
pub(super) fn function_sources() -> BTreeMap<String, String> {
    let source = |folder: &String| source_below(&root().join("functions").join(folder).join("src"));
    folders().iter().map(|folder| (pascal(folder), source(folder))).collect()
}

/// All Rust below a folder, without its tests.
fn source_below(folder: &Path) -> String {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut source = String::new();
    for path in entries {
        if path.is_dir() && !path.ends_with("tests") {
            source += &source_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            source += text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        }
    }
    source
}

pub(super) fn shared_source() -> String {
    let crates = fs::read_dir(root().join("shared")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    crates.filter(|source| source.is_dir()).map(|source| source_below(&source)).collect()
}

/// What the `#[utoipa::path(get, path = "/v1/…"` of every function declare.
pub(super) fn routes() -> Vec<Route> {
    function_sources().iter().flat_map(|(function, source)| declared_in(function, source)).collect()
}

pub(super) fn declared_in(function: &str, source: &str) -> Vec<Route> {
    let declared = source.split("#[utoipa::path(").skip(1).map(|declaration| {
        let (method, rest) = declaration.split_once(',').unwrap();
        let method = method.trim().to_uppercase();
        let path = rest.split("path = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let handler = rest.split("async fn ").nth(1).and_then(|rest| rest.split('(').next()).unwrap();
        let row = edge::ROUTES.iter().find(|row| row.method == method.as_str() && row.path == path);
        Route {
            function: function.to_owned(),
            path: path.to_owned(),
            handler: handler.to_owned(),
            permission: row.map(|row| row.permission),
            method,
        }
    });
    declared.collect()
}

/// What a function's source serves: method, path and handler of every `.route("/v1/…", get(show).patch(change))`.
pub(super) fn served_by(source: &str) -> BTreeSet<(String, String, String)> {
    let mut served = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let mut depth = 1_i32;
        let end = route.find(|c: char| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        let (path, methods) = route[..end.unwrap()].split_once(',').unwrap();
        let path = path.trim().strip_prefix('"').and_then(|path| path.strip_suffix('"'));
        let path = path.unwrap_or_else(|| panic!("a path that is no text can't be read here: {route}"));
        for call in methods.split(')').filter(|call| !call.trim().is_empty()) {
            let (method, handler) = call.split_once('(').unwrap();
            let method = method.trim().trim_start_matches('.').to_uppercase();
            let handler = handler.rsplit("::").next().unwrap().trim().to_owned();
            served.insert((method, path.to_owned(), handler));
        }
    }
    served
}

/// A platform of each profile there is.
pub(super) fn profiles() -> Vec<Platform> {
    Profile::names().map(|name| platform_with(&[("PROFILE", name)])).collect()
}

pub(super) fn platform_with(variables: &[(&str, &str)]) -> Platform {
    let given = [
        ("AWS_ACCESS_KEY_ID", "given"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "given"),
        ("MEDIA_BUCKET", "given"),
    ];
    let pairs = given.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Platform::build(pairs.collect::<Env>(), Clock::system(), None).unwrap()
}
