//! `multipart/form-data` (RFC 7578), read from a body that is already complete.

/// The parts of a form, in their order.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    parts: Vec<Part<'a>>,
}

/// One field, or one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    /// Only files have one.
    pub(crate) file_name: Option<String>,
    pub(crate) body: &'a [u8],
}

impl<'a> Form<'a> {
    /// `None` when the content type is another one or the body does not end as it should.
    pub(crate) fn read(content_type: Option<&str>, body: &'a [u8]) -> Option<Form<'a>> {
        let (kind, parameters) = content_type?.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary")?;
        let mut rest = body.strip_prefix(format!("--{boundary}").as_bytes())?;
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        let mut parts = Vec::new();
        while !rest.starts_with(b"--") {
            let part = rest.strip_prefix(b"\r\n")?;
            let end = find(part, &delimiter)?;
            parts.push(Part::read(&part[..end])?);
            rest = &part[end + delimiter.len()..];
        }
        Some(Form { parts })
    }

    /// The text of a field; `None` when it is absent or no UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.find(name)?.body).ok()
    }

    /// Every text given under a name.
    pub(crate) fn texts(&self, name: &str) -> Vec<&'a str> {
        let same = self.parts.iter().filter(|part| part.name == name);
        same.filter_map(|part| std::str::from_utf8(part.body).ok()).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Part<'a>> {
        self.parts.iter().find(|part| part.name == name)
    }
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Option<Part<'a>> {
        let end = find(part, b"\r\n\r\n")?;
        let (headers, body) = (&part[..end], &part[end + 4..]);
        let headers = std::str::from_utf8(headers).ok()?;
        let disposition = headers.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-disposition").then_some(value)
        })?;
        let name = parameter(disposition, "name")?;
        let file_name = parameter(disposition, "filename").or_else(|| extended(disposition));
        Some(Part { name, file_name, body })
    }
}

/// The value of `name=…` or `name="…"` among parameters that semicolons part.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (found, value) = rest.split_once('=')?;
        // `form-data` has no value of its own: what lies before a semicolon is skipped.
        let found = found.rsplit(';').next().unwrap_or_default().trim();
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim().to_owned(), &value[end..])
            }
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = behind;
    }
}

/// Up to the closing quote; browsers write a quote as `%22`, others as `\"`.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value.replace("%22", "\""), &text[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// `filename*=utf-8''ti%E1%BA%BFng.wav`, which RFC 7578 forbids and some libraries send.
fn extended(disposition: &str) -> Option<String> {
    let value = parameter(disposition, "filename*")?;
    let (_, encoded) = value.split_once("''")?;
    let plain: String = url::form_urlencoded::parse(encoded.replace('+', "%2B").as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    Some(plain)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    loop {
        let at = from + text[from..].iter().position(|byte| byte == first)?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}
