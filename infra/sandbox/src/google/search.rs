//! What `files.list` takes as `q`: terms joined by `and`. An app's terms that stand here are understood, all others are
//! refused as Google refuses what it can't read.

use super::File;

/// One condition on a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Term {
    MediaType(String),
    Name(String),
    Trashed(bool),
    /// `'me' in owners`
    Mine,
    Parent(String),
    AppProperty {
        key: String,
        value: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// `None`: it can't be read.
pub(super) fn terms(query: &str) -> Option<Vec<Term>> {
    let tokens = tokens(query)?;
    let mut rest = tokens.as_slice();
    let mut terms = Vec::new();
    while !rest.is_empty() {
        if !terms.is_empty() {
            let [Token::Word(and), more @ ..] = rest else { return None };
            rest = (and == "and").then_some(more)?;
        }
        let (term, more) = term(rest)?;
        terms.push(term);
        rest = more;
    }
    Some(terms)
}

fn term(tokens: &[Token]) -> Option<(Term, &[Token])> {
    use Token::{Sign, Text, Word};
    match tokens {
        [Text(id), Word(within), Word(parents), rest @ ..] if within == "in" && parents == "parents" => {
            Some((Term::Parent(id.clone()), rest))
        }
        [Text(who), Word(within), Word(owners), rest @ ..]
            if who == "me" && within == "in" && owners == "owners" =>
        {
            Some((Term::Mine, rest))
        }
        [Word(field), Sign('='), Text(value), rest @ ..] => match field.as_str() {
            "mimeType" => Some((Term::MediaType(value.clone()), rest)),
            "name" => Some((Term::Name(value.clone()), rest)),
            _ => None,
        },
        [Word(field), Sign('='), Word(value), rest @ ..] if field == "trashed" => {
            Some((Term::Trashed(value.parse().ok()?), rest))
        }
        [Word(field), Word(has), Sign('{'), rest @ ..] if field == "appProperties" && has == "has" => {
            let [
                Word(k),
                Sign('='),
                Text(key),
                Word(and),
                Word(v),
                Sign('='),
                Text(value),
                Sign('}'),
                rest @ ..,
            ] = rest
            else {
                return None;
            };
            let is_pair = k == "key" && and == "and" && v == "value";
            is_pair.then(|| (Term::AppProperty { key: key.clone(), value: value.clone() }, rest))
        }
        _ => None,
    }
}

fn tokens(query: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = query.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '=' | '{' | '}' => tokens.push(Token::Sign(letter)),
            '\'' => {
                let mut text = String::new();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        '\\' => text.push(letters.next()?),
                        letter => text.push(letter),
                    }
                }
                tokens.push(Token::Text(text));
            }
            letter if letter.is_alphabetic() => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|next| next.is_alphanumeric()) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            _ => return None,
        }
    }
    Some(tokens)
}

impl Term {
    pub(super) fn fits(&self, file: &File) -> bool {
        match self {
            Term::MediaType(kind) => file.media_type == *kind,
            Term::Name(name) => file.name == *name,
            Term::Trashed(is_trashed) => file.is_trashed == *is_trashed,
            // Nothing is shared here, so every file that a person sees is their own.
            Term::Mine => true,
            Term::Parent(id) => file.parent == *id,
            Term::AppProperty { key, value } => {
                file.app_properties.get(key).and_then(|known| known.as_str()) == Some(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_in_any_number_and_what_else_is_asked_is_refused() {
        let query = r"mimeType = 'a/b' and name='it\'s' and trashed=false and 'root' in parents and 'me' in owners and appProperties has { key='k' and value='v' }";
        let expected = vec![
            Term::MediaType("a/b".to_owned()),
            Term::Name("it's".to_owned()),
            Term::Trashed(false),
            Term::Parent("root".to_owned()),
            Term::Mine,
            Term::AppProperty { key: "k".to_owned(), value: "v".to_owned() },
        ];
        assert_eq!(terms(query), Some(expected));
        assert_eq!(terms(""), Some(Vec::new()));
        for unread in [
            "name",
            "name = 'a",
            "name = 'a' name = 'b'",
            "name > 'a'",
            "owner = 'me'",
            "trashed = maybe",
            "and",
        ] {
            assert_eq!(terms(unread), None, "{unread}");
        }
    }
}
