use crate::failure::FailureClass;
use primitives::CostCents;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The answer to a submit. The addresses leave the model's path out, so they can't be built from the id.
#[derive(Deserialize)]
pub(super) struct Submitted {
    pub(super) request_id: String,
    pub(super) status_url: String,
    pub(super) response_url: String,
    pub(super) cancel_url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) status: State,
}

/// There is no failed state: a failed job is completed too, and its result says why.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum State {
    Completed,
    /// `IN_QUEUE`, `IN_PROGRESS` and what may come.
    #[serde(other)]
    Working,
}

/// What flux answers.
#[derive(Deserialize)]
pub(super) struct Output {
    #[serde(default)]
    pub(super) images: Vec<Image>,
    #[serde(default)]
    pub(super) has_nsfw_concepts: Vec<bool>,
}

#[derive(Deserialize)]
pub(super) struct Image {
    pub(super) url: String,
}

/// Either a list of field errors, or one text for infrastructure; some apps send neither.
#[derive(Deserialize, Default)]
pub(super) struct Problem {
    detail: Option<Detail>,
    error_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Fields(Vec<FieldProblem>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct FieldProblem {
    #[serde(rename = "type", default)]
    kind: String,
}

impl Problem {
    /// Decided by type alone: the message is for nobody.
    pub(super) fn class(&self, status: u16) -> FailureClass {
        let kinds = || {
            let fields = match &self.detail {
                Some(Detail::Fields(fields)) => fields.as_slice(),
                Some(Detail::Other(_)) | None => &[],
            };
            fields.iter().map(|field| field.kind.as_str()).chain(self.error_type.as_deref())
        };
        if kinds().any(|kind| kind == "content_policy_violation") {
            return FailureClass::ContentRejected;
        }
        if kinds().any(is_infrastructure) {
            return FailureClass::Unavailable;
        }
        match status {
            400 | 413 | 422 => FailureClass::BadInput,
            _ => FailureClass::Unavailable,
        }
    }
}

/// Errors of fal's own, whatever status they come with.
fn is_infrastructure(kind: &str) -> bool {
    matches!(
        kind,
        "request_timeout"
            | "startup_timeout"
            | "internal_error"
            | "internal_server_error"
            | "generation_timeout"
            | "no_media_generated"
            | "downstream_service_error"
            | "downstream_service_unavailable"
    ) || kind.starts_with("runner_")
}

/// The decimal unit count times the unit's price; digits beyond the sixth are below what we count.
pub(super) fn cost_of_units(units: &str, unit_price: CostCents) -> Option<CostCents> {
    const PER: u64 = 1_000_000;
    let cut = match units.find('.') {
        Some(dot) => units.get(..units.len().min(dot + 7))?,
        None => units,
    };
    // A decimal of six digits is read by the same exact parser as cents; here it counts units.
    let millionths = cut.parse::<CostCents>().ok()?.micro_cents();
    unit_price.scaled_half_up(millionths, PER).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_priced_without_floats() {
        let table = [
            ("1", Some("2.5")),
            ("0", Some("0")),
            ("3.008", Some("7.52")),
            ("1.048576", Some("2.62144")),
            ("1.0485769", Some("2.62144")),
            ("0.0000004", Some("0")),
            ("", None),
            ("-1", None),
            ("1e3", None),
            ("1.x", None),
        ];
        for (units, cost) in table {
            let expected = cost.map(|cost| cost.parse().unwrap());
            assert_eq!(cost_of_units(units, "2.5".parse().unwrap()), expected, "{units}");
        }
    }

    #[test]
    fn a_problem_is_read_in_all_its_shapes() {
        let table = [
            (422, r#"{"detail":[{"loc":["body","prompt"],"type":"string_too_long"}]}"#, "bad_input"),
            (422, r#"{"detail":[{"type":"x"},{"type":"content_policy_violation"}]}"#, "content_rejected"),
            (422, r#"{"detail":[{"type":"generation_timeout"}]}"#, "unavailable"),
            (422, r#"{"detail":"a text"}"#, "bad_input"),
            (422, r#"{"detail":"a text","error_type":"runner_disconnected"}"#, "unavailable"),
            (422, "{}", "bad_input"),
            (500, r#"{"detail":[{"type":"internal_server_error"}]}"#, "unavailable"),
            (500, r#"{"detail":"x","error_type":"internal_error"}"#, "unavailable"),
            (418, "{}", "unavailable"),
        ];
        for (status, body, class) in table {
            let problem: Problem = serde_json::from_str(body).unwrap();
            assert_eq!(problem.class(status).as_str(), class, "{status} {body}");
        }
    }
}
