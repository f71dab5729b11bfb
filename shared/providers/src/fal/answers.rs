use crate::failure::FailureClass;
use crate::lenient;
use crate::words::Words;
use primitives::CostCents;
use reqwest::StatusCode;
use serde_json::Value;

/// The answer to a submit. The addresses leave the model's path out, so they can't be built from the id.
pub(super) struct Submitted {
    pub(super) request_id: Option<String>,
    pub(super) status_url: Option<String>,
    pub(super) response_url: Option<String>,
    pub(super) cancel_url: Option<String>,
}

/// There is no failed state: a failed job is completed too, and its result says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Completed,
    /// `IN_QUEUE`, and what may come.
    Waiting,
    /// `IN_PROGRESS`
    Working,
}

/// What a model answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// The addresses of what was made, each once.
    pub(super) files: Vec<String>,
    /// Something was flagged; an image is black then.
    pub(super) is_flagged: bool,
}

/// Either a list of field errors, or one text for infrastructure; some apps send neither.
pub(super) struct Problem {
    kinds: Vec<String>,
    /// A field error that names what the customer brought: the prompt, or a picture by its size.
    is_about_the_input: bool,
    words: Words,
    says_something: bool,
}

impl Submitted {
    pub(super) fn of(document: &Value) -> Submitted {
        let text = |name: &str| lenient::text(&document[name]).map(str::to_owned);
        Submitted {
            request_id: text("request_id"),
            status_url: text("status_url"),
            response_url: text("response_url"),
            cancel_url: text("cancel_url"),
        }
    }
}

impl State {
    /// `None` when there is no state to be read.
    pub(super) fn of(document: &Value) -> Option<State> {
        let state = lenient::text(&document["status"])?.to_ascii_uppercase();
        // The last three are not documented; copies of the documentation list them, and the result decides anyway.
        let is_over = matches!(state.as_str(), "COMPLETED" | "FAILED" | "ERROR" | "CANCELLED" | "CANCELED");
        Some(match state.as_str() {
            _ if is_over => State::Completed,
            "IN_PROGRESS" => State::Working,
            _ => State::Waiting,
        })
    }
}

impl Output {
    pub(super) fn of_images(document: &Value) -> Output {
        Output::of(document, &["images", "image"])
    }

    pub(super) fn of_video(document: &Value) -> Output {
        Output::of(document, &["video", "videos"])
    }

    /// Files stand alone or in a list, as objects with `url` or as bare addresses.
    fn of(document: &Value, names: &[&str]) -> Output {
        let mut files = Vec::new();
        for name in names {
            let value = &document[*name];
            let listed = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for file in listed {
                let address = lenient::text(&file["url"]).or(lenient::text(file)).map(str::to_owned);
                files.extend(address.filter(|address| !files.contains(address)));
            }
        }
        Output { files, is_flagged: lenient::has_set_flag(&document["has_nsfw_concepts"]) }
    }
}

impl Problem {
    pub(super) fn of(document: &Value, prompt: &str) -> Problem {
        let detail = &document["detail"];
        let fields = detail.as_array().map(Vec::as_slice).unwrap_or_default();
        let kinds = fields.iter().chain([detail]).filter_map(|field| lenient::text(&field["type"]));
        let names_prompt = |field: &Value| {
            field["loc"].as_array().is_some_and(|loc| loc.iter().any(|part| part.as_str() == Some("prompt")))
        };
        let kinds: Vec<_> = kinds.chain(lenient::text(&document["error_type"])).map(str::to_owned).collect();
        Problem {
            is_about_the_input: fields.iter().any(names_prompt)
                || kinds.iter().any(|kind| is_of_a_picture(kind)),
            kinds,
            words: Words::of(document, prompt),
            says_something: ["detail", "error", "error_type"]
                .iter()
                .any(|name| !lenient::is_nothing(&document[*name])),
        }
    }

    pub(super) fn says_something(&self) -> bool {
        self.says_something
    }

    /// The model or the runner speaks, not a gateway.
    pub(super) fn is_of_the_model(&self) -> bool {
        !self.kinds.is_empty() || self.words.class().is_some()
    }

    /// What the types and words say; `None` when they say nothing we know.
    pub(super) fn told_class(&self) -> Option<FailureClass> {
        let has = |wanted: fn(&str) -> bool| self.kinds.iter().any(|kind| wanted(kind));
        if has(|kind| kind == "content_policy_violation") {
            return Some(FailureClass::ContentRejected);
        }
        if has(is_infrastructure) {
            return Some(FailureClass::Unavailable);
        }
        if self.is_about_the_input {
            return Some(FailureClass::BadInput);
        }
        self.words.class()
    }

    /// The customer brought the prompt and a picture: a refusal that blames neither is ours to mend.
    pub(super) fn class(&self, status: StatusCode) -> FailureClass {
        self.told_class().unwrap_or(match status.as_u16() {
            401 | 403 => FailureClass::Auth,
            402 => FailureClass::NoBalance,
            413 => FailureClass::BadInput,
            400..=499 => FailureClass::RequestRefused,
            _ => FailureClass::Unavailable,
        })
    }
}

/// What only the picture can be blamed for. One that fal could not fetch or read may be our link's fault.
fn is_of_a_picture(kind: &str) -> bool {
    matches!(kind, "image_too_small" | "image_too_large" | "file_too_large")
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
            (422, r#"{"detail":[{"loc":["body","image_size"],"type":"enum"}]}"#, "request_refused"),
            (422, r#"{"detail":[{"type":"x"},{"type":"content_policy_violation"}]}"#, "content_rejected"),
            (422, r#"{"detail":[{"loc":["body","start_image_url"],"type":"image_too_small"}]}"#, "bad_input"),
            (422, r#"{"detail":[{"loc":["body","image_url"],"type":"file_too_large"}]}"#, "bad_input"),
            (
                422,
                r#"{"detail":[{"loc":["body","image_url"],"type":"file_download_error"}]}"#,
                "request_refused",
            ),
            (
                422,
                r#"{"detail":[{"loc":["body","image_url"],"type":"image_load_error"}]}"#,
                "request_refused",
            ),
            (422, r#"{"detail":[{"type":"generation_timeout"}]}"#, "unavailable"),
            (422, r#"{"detail":"a text"}"#, "request_refused"),
            (422, r#"{"detail":"Prompt flagged by content checker"}"#, "content_rejected"),
            (422, r#"{"detail":"a text","error_type":"runner_disconnected"}"#, "unavailable"),
            (422, r#"{"detail":null,"error_type":null}"#, "request_refused"),
            (422, r#"{"detail":[null,7,{"type":null,"loc":null}]}"#, "request_refused"),
            (422, "{}", "request_refused"),
            (400, "{}", "request_refused"),
            (402, "{}", "no_balance"),
            (403, "{}", "auth"),
            (403, r#"{"detail":"User is locked. Reason: Exhausted balance."}"#, "no_balance"),
            (500, r#"{"detail":[{"type":"internal_server_error"}]}"#, "unavailable"),
            (500, r#"{"detail":"x","error_type":"internal_error"}"#, "unavailable"),
            (418, "{}", "request_refused"),
        ];
        for (status, body, class) in table {
            let problem = Problem::of(&serde_json::from_str(body).unwrap(), "");
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(problem.class(status).as_str(), class, "{status} {body}");
        }
    }

    #[test]
    fn an_output_is_found_whatever_stands_beside_it() {
        let table = [
            (r#"{"images":[{"url":"a"}],"has_nsfw_concepts":[false]}"#, vec!["a"], false),
            (
                r#"{"images":[{"url":"a","width":null,"file_size":"x"}],"has_nsfw_concepts":null}"#,
                vec!["a"],
                false,
            ),
            (r#"{"images":[null,{"url":null},{"url":"a"}],"seed":-1}"#, vec!["a"], false),
            (r#"{"images":["a"],"has_nsfw_concepts":[]}"#, vec!["a"], false),
            (r#"{"images":{"url":"a"},"has_nsfw_concepts":{}}"#, vec!["a"], false),
            (r#"{"images":null,"image":{"url":"a"},"has_nsfw_concepts":"no"}"#, vec!["a"], false),
            (r#"{"images":[{"url":"a"}],"has_nsfw_concepts":[null,true]}"#, vec!["a"], true),
            (r#"{"images":[{"url":"a"}],"has_nsfw_concepts":true}"#, vec!["a"], true),
            (r#"{"images":[{"url":"a"}],"has_nsfw_concepts":["true"]}"#, vec!["a"], true),
            (r#"{"images":[{"url":"a"},{"url":"b"},{"url":"a"}]}"#, vec!["a", "b"], false),
            (
                r#"{"images":[{"url":"a"},{"url":"b"}],"has_nsfw_concepts":[false,true]}"#,
                vec!["a", "b"],
                true,
            ),
            (r#"{"images":[]}"#, vec![], false),
            (r#"{"images":7}"#, vec![], false),
            (r#"{"video":{"url":"a"}}"#, vec![], false),
            ("{}", vec![], false),
        ];
        for (body, files, is_flagged) in table {
            let output = Output::of_images(&serde_json::from_str(body).unwrap());
            assert_eq!(output, expected(&files, is_flagged), "{body}");
        }
    }

    #[test]
    fn a_video_is_found_whatever_stands_beside_it() {
        let table = [
            (r#"{"video":{"url":"a","content_type":"video/mp4","file_size":null}}"#, vec!["a"]),
            (r#"{"video":{"url":" a "},"seed":1e999,"actual_prompt":null}"#, vec!["a"]),
            (r#"{"video":"a"}"#, vec!["a"]),
            (r#"{"video":null,"videos":[null,{"url":"a"}]}"#, vec!["a"]),
            (r#"{"video":{"url":null}}"#, vec![]),
            (r#"{"images":[{"url":"a"}]}"#, vec![]),
            ("[]", vec![]),
        ];
        for (body, files) in table {
            let output = Output::of_video(&lenient::document(body.as_bytes()).unwrap());
            assert_eq!(output, expected(&files, false), "{body}");
        }
    }

    fn expected(files: &[&str], is_flagged: bool) -> Output {
        Output { files: files.iter().map(|file| (*file).to_owned()).collect(), is_flagged }
    }

    #[test]
    fn a_state_is_read_or_there_is_none() {
        let table = [
            (r#"{"status":"COMPLETED"}"#, Some(State::Completed)),
            (r#"{"status":" completed ","logs":7}"#, Some(State::Completed)),
            (r#"{"status":"IN_QUEUE"}"#, Some(State::Waiting)),
            (r#"{"status":"IN_PROGRESS"}"#, Some(State::Working)),
            (r#"{"status":"NOVEL"}"#, Some(State::Waiting)),
            (r#"{"status":null}"#, None),
            (r#"{"status":[]}"#, None),
            ("[]", None),
        ];
        for (body, state) in table {
            assert_eq!(State::of(&serde_json::from_str(body).unwrap()), state, "{body}");
        }
    }
}
