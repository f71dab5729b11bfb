//! Takes one guard out of one conditional write, so that `tests/mutants/conditions.sh` can show that a scenario
//! notices. Nothing is compiled for it: the request is rewritten on its way to the store.
//!
//! - `CONDITIONS_SEEN=<file>`: every conditional write that passes is added to the file, with the scenario it passed in.
//! - `CONDITION_MUTANT=<place>|<condition>|<number>`: writes of that place and condition carry that mutation of it.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, OnceLock};

/// What DynamoDB can only answer with yes, whatever the item is.
const ALWAYS: &str = "(attribute_exists(mutant) OR attribute_not_exists(mutant))";
/// What it can only answer with no.
const NEVER: &str = "(attribute_exists(mutant) AND attribute_not_exists(mutant))";

/// Applies the mutation the environment asks for to every conditional write in the request's body.
pub(super) fn apply(operation: &str, body: &mut Value) {
    let Some(asked) = asked() else { return };
    if let Some(parts) = body.get_mut("TransactItems").and_then(Value::as_array_mut) {
        for (kind, part) in parts.iter_mut().filter_map(Value::as_object_mut).flatten() {
            asked.rewrite(kind, part);
        }
    } else {
        asked.rewrite(operation, body);
    }
}

/// What the environment asks for; `None` in every run that is not the script's.
fn asked() -> Option<&'static Asked> {
    static ASKED: OnceLock<Option<Asked>> = OnceLock::new();
    ASKED.get_or_init(Asked::read).as_ref()
}

struct Asked {
    mutant: Option<(String, String, usize)>,
    seen: Option<(std::fs::File, Mutex<BTreeSet<String>>)>,
}

impl Asked {
    fn read() -> Option<Asked> {
        let mutant = std::env::var("CONDITION_MUTANT").ok().map(|text| {
            let mut parts = text.splitn(2, '|');
            let place = parts.next().unwrap_or_default().to_owned();
            let (condition, number) =
                parts.next().and_then(|rest| rest.rsplit_once('|')).expect("a mutant's name");
            (place, condition.to_owned(), number.parse().expect("a mutation's number"))
        });
        let seen = std::env::var("CONDITIONS_SEEN").ok().map(|path| {
            let file = std::fs::File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("the file of conditions");
            (file, Mutex::default())
        });
        (mutant.is_some() || seen.is_some()).then_some(Asked { mutant, seen })
    }

    fn rewrite(&self, operation: &str, write: &mut Value) {
        let Some(condition) = write["ConditionExpression"].as_str().map(str::to_owned) else { return };
        let table = write["TableName"].as_str().unwrap_or_default().rsplit('-').next().unwrap_or_default();
        let place = format!("{operation} {table}");
        if let Some((file, known)) = &self.seen {
            note(file, known, &place, &condition);
        }
        let Some((of, from, number)) = &self.mutant else { return };
        if *of == place && *from == condition {
            write["ConditionExpression"] = mutations(&condition).swap_remove(*number).into();
            drop_unused(write);
        }
    }
}

/// One line per scenario and condition: scenario, place, condition, and each mutation of it.
fn note(mut file: &std::fs::File, known: &Mutex<BTreeSet<String>>, place: &str, condition: &str) {
    let thread = std::thread::current();
    let scenario = thread.name().unwrap_or_default();
    let mut fields = vec![scenario.to_owned(), place.to_owned(), condition.to_owned()];
    fields.extend(mutations(condition));
    let line = fields.join("\t") + "\n";
    if known.lock().unwrap().insert(line.clone()) {
        file.write_all(line.as_bytes()).expect("the file of conditions takes a line");
    }
}

/// DynamoDB refuses names and values that no expression uses.
fn drop_unused(write: &mut Value) {
    let expressions = ["ConditionExpression", "UpdateExpression"]
        .map(|name| write[name].as_str().unwrap_or_default().to_owned());
    let is_used = |name: &String| {
        let mut words = expressions
            .iter()
            .flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || "#:_".contains(c))));
        words.any(|word| word == name)
    };
    for names in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let Some(members) = write.get_mut(names).and_then(Value::as_object_mut) else { continue };
        let kept: Map<String, Value> =
            std::mem::take(members).into_iter().filter(|(name, _)| is_used(name)).collect();
        write[names] = Value::Object(kept);
        if write[names].as_object().is_some_and(Map::is_empty) {
            write.as_object_mut().expect("a write").remove(names);
        }
    }
}

/// Every way to take one guard out of a condition: a member of AND always holds, a member of OR never does, a
/// comparison moves its boundary by one.
fn mutations(condition: &str) -> Vec<String> {
    let whole = Clause::parse(condition);
    let mut found = Vec::new();
    whole.mutate(&|clause| clause, &mut found);
    if !matches!(whole, Clause::All(_) | Clause::Any(_)) {
        found.insert(0, ALWAYS.to_owned());
    }
    found
}

/// A condition as it is nested: `All` is joined by AND, `Any` by OR.
enum Clause {
    All(Vec<Clause>),
    Any(Vec<Clause>),
    Atom(String),
}

impl Clause {
    fn parse(text: &str) -> Clause {
        let text = unwrapped(text.trim());
        for (word, join) in [("OR", Clause::Any as fn(Vec<Clause>) -> Clause), ("AND", Clause::All)] {
            let members = split(text, word);
            if members.len() > 1 {
                return join(members.into_iter().map(Clause::parse).collect());
            }
        }
        Clause::Atom(text.to_owned())
    }

    fn text(&self) -> String {
        let joined = |members: &[Clause], word: &str| {
            format!("({})", members.iter().map(Clause::text).collect::<Vec<_>>().join(word))
        };
        match self {
            Clause::All(members) => joined(members, " AND "),
            Clause::Any(members) => joined(members, " OR "),
            Clause::Atom(text) => text.clone(),
        }
    }

    /// Adds the whole condition once for every mutation inside this clause; `around` puts a clause in its place.
    fn mutate(&self, around: &dyn Fn(String) -> String, found: &mut Vec<String>) {
        let (members, word, instead) = match self {
            Clause::All(members) => (members, " AND ", ALWAYS),
            Clause::Any(members) => (members, " OR ", NEVER),
            Clause::Atom(text) => {
                found.extend(moved_boundary(text).map(around));
                return;
            }
        };
        for (n, member) in members.iter().enumerate() {
            let with = |inner: String| {
                let texts = members.iter().enumerate();
                let texts = texts.map(|(m, other)| if m == n { inner.clone() } else { other.text() });
                around(format!("({})", texts.collect::<Vec<_>>().join(word)))
            };
            found.push(with(instead.to_owned()));
            member.mutate(&with, found);
        }
    }
}

fn moved_boundary(atom: &str) -> Option<String> {
    [(" <= ", " < "), (" >= ", " > "), (" < ", " <= "), (" > ", " >= ")]
        .iter()
        .find(|(from, _)| atom.contains(from))
        .map(|(from, to)| atom.replacen(from, to, 1))
}

/// Without the brackets around the whole, if there are any.
fn unwrapped(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    for c in inner.chars() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth < 0 {
            return text;
        }
    }
    unwrapped(inner.trim())
}

/// The parts that stand beside each other, joined by the word; what is in brackets and `BETWEEN … AND …` stays whole.
fn split<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut begin, mut depth, mut is_between) = (Vec::new(), 0, 0_i32, false);
    let mut at = 0;
    for piece in text.split_inclusive([' ', '(', ')']) {
        let bare = piece.trim_end_matches([' ', '(', ')']);
        if depth == 0 && bare == "BETWEEN" {
            is_between = true;
        } else if depth == 0 && bare == "AND" && is_between {
            is_between = false;
        } else if depth == 0 && bare == word && piece.ends_with(' ') {
            parts.push(text[begin..at].trim());
            begin = at + piece.len();
        }
        depth += i32::from(piece.ends_with('(')) - i32::from(piece.ends_with(')'));
        at += piece.len();
    }
    parts.push(text[begin..].trim());
    parts
}

#[test]
fn a_condition_is_mutated_clause_by_clause() {
    let mutants = mutations("a >= :x AND (attribute_not_exists(#m) OR #m < :y) AND size(h) < :z");
    let expected = [
        format!("({ALWAYS} AND (attribute_not_exists(#m) OR #m < :y) AND size(h) < :z)"),
        "(a > :x AND (attribute_not_exists(#m) OR #m < :y) AND size(h) < :z)".to_owned(),
        format!("(a >= :x AND {ALWAYS} AND size(h) < :z)"),
        format!("(a >= :x AND ({NEVER} OR #m < :y) AND size(h) < :z)"),
        format!("(a >= :x AND (attribute_not_exists(#m) OR {NEVER}) AND size(h) < :z)"),
        "(a >= :x AND (attribute_not_exists(#m) OR #m <= :y) AND size(h) < :z)".to_owned(),
        format!("(a >= :x AND (attribute_not_exists(#m) OR #m < :y) AND {ALWAYS})"),
        "(a >= :x AND (attribute_not_exists(#m) OR #m < :y) AND size(h) <= :z)".to_owned(),
    ];
    assert_eq!(mutants, expected);
    assert_eq!(mutations("attribute_not_exists(id)"), [ALWAYS]);
    assert_eq!(mutations("until BETWEEN :a AND :b"), [ALWAYS]);
    assert_eq!(mutations("holds.#run = :hold"), [ALWAYS]);
}
