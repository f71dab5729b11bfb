use std::sync::Arc;

/// The host's name for one request, or one tick, on its way through everybody's services, in the cloud X-Ray's root id:
/// `1-5759e988-bd862e3fe1be46a994272793`. Callers may choose it, as X-Ray lets them, so it is a hint for whoever looks
/// something up and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(Arc<str>);

impl TraceId {
    /// The root of an X-Ray header such as `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`.
    pub fn of_xray(header: &str) -> Option<TraceId> {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
        let is_hex =
            |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        let (time, rest) = root.strip_prefix("1-")?.split_once('-')?;
        (is_hex(time, 8) && is_hex(rest, 24)).then(|| TraceId(root.into()))
    }

    /// The id as X-Ray writes it: `1-`, eight hexadecimal digits, `-`, twenty-four.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::TraceId;

    #[test]
    fn a_trace_is_named_by_its_root() {
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        for header in
            [format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=1"), format!("Self=1-2-3;Root={root}")]
        {
            assert_eq!(TraceId::of_xray(&header).unwrap().as_str(), root);
        }
        for header in [
            "",
            "Root=",
            "Parent=53995c3f42cd8ad8",
            "Root=1-\"x",
            "Root=1-5759e988",
            "Root=1-5759e988-bd862e3fe1be46a9942727931",
        ] {
            assert_eq!(TraceId::of_xray(header), None, "{header}");
        }
    }
}
