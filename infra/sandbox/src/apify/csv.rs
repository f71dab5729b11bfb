//! Rows as CSV: nested values in columns of their own, named by their way with slashes.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// With a byte order mark unless `bom=0`; quotes as in RFC 4180.
pub(crate) fn table(rows: &[Value], query: &HashMap<String, String>) -> String {
    let delimiter = query.get("delimiter").map_or(",", String::as_str);
    let has_mark = !query.get("bom").is_some_and(|flag| flag == "0" || flag == "false");
    let rows: Vec<BTreeMap<String, String>> = rows.iter().map(flat).collect();
    let mut columns: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(BTreeMap::keys) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let line = |cells: Vec<String>| cells.join(delimiter) + "\n";
    let mut text = String::new();
    if has_mark {
        text.push(BYTE_ORDER_MARK);
    }
    if !super::list::flag(query.get("skipHeaderRow")) {
        text += &line(columns.iter().map(|name| quoted(name, delimiter)).collect());
    }
    for row in &rows {
        let cells = columns.iter().map(|name| row.get(*name).map_or("", String::as_str));
        text += &line(cells.map(|cell| quoted(cell, delimiter)).collect());
    }
    text
}

fn flat(row: &Value) -> BTreeMap<String, String> {
    let mut cells = BTreeMap::new();
    add(row, "", &mut cells);
    cells
}

fn add(value: &Value, way: &str, cells: &mut BTreeMap<String, String>) {
    let below = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way}/{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| add(value, &below(name), cells)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(place, value)| add(value, &below(&place.to_string()), cells));
        }
        Value::Null => {
            cells.insert(way.to_owned(), String::new());
        }
        Value::String(text) => {
            cells.insert(way.to_owned(), text.clone());
        }
        other => {
            cells.insert(way.to_owned(), other.to_string());
        }
    }
}

fn quoted(cell: &str, delimiter: &str) -> String {
    if cell.contains(delimiter) || cell.contains(['"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}
