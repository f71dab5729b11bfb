use crate::failure::FailureClass;
use crate::lenient;
use crate::words::Words;
use primitives::CostCents;
use serde_json::Value;

/// A prediction as Replicate shows it.
#[derive(Debug)]
pub(super) struct Prediction {
    pub(super) state: State,
    /// Its machine has begun: it costs.
    pub(super) has_started: bool,
    /// Seconds of the machine, as they were written.
    pub(super) predict_time: Option<String>,
    /// The addresses of its output.
    pub(super) files: Vec<String>,
    /// Replicate has deleted what it brought.
    pub(super) is_removed: bool,
    /// Its error means this.
    pub(super) told_class: Option<FailureClass>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Processing,
    Succeeded,
    Failed,
    /// By us, or at its deadline while it ran.
    Canceled,
    /// Its deadline came before its start: free.
    Aborted,
}

impl Prediction {
    /// `None`: there is no state that we know. One that is new to us is looked at again, until our patience ends.
    pub(super) fn of(document: &Value, text: &str) -> Option<Prediction> {
        let state = State::named(lenient::text(&document["status"])?)?;
        let has_started = match state {
            State::Starting | State::Aborted => false,
            State::Processing | State::Succeeded | State::Failed => true,
            State::Canceled => lenient::text(&document["started_at"]).is_some(),
        };
        Some(Prediction {
            state,
            has_started,
            predict_time: seconds(&document["metrics"]["predict_time"]),
            files: files(&document["output"]),
            is_removed: lenient::has_set_flag(&document["data_removed"]),
            told_class: class_of_error(&document["error"], text),
        })
    }
}

impl State {
    fn named(name: &str) -> Option<State> {
        Some(match name.to_ascii_lowercase().as_str() {
            "starting" => State::Starting,
            "processing" => State::Processing,
            "succeeded" => State::Succeeded,
            "failed" => State::Failed,
            "canceled" | "cancelled" => State::Canceled,
            "aborted" => State::Aborted,
            _ => return None,
        })
    }
}

/// XTTS answers an address, its fork an object with one, other models lists of either.
fn files(output: &Value) -> Vec<String> {
    let listed = output.as_array().map(Vec::as_slice).unwrap_or_default();
    let address = |file: &Value| lenient::text(file).or(lenient::text(&file["path"])).map(str::to_owned);
    listed.iter().chain([output]).filter_map(address).collect()
}

/// An error is the model's: what it says of keys, balances or models is not about our account. Only what it says of the
/// content counts.
fn class_of_error(error: &Value, text: &str) -> Option<FailureClass> {
    let told = Words::of(error, text).answer_class()?;
    matches!(told, FailureClass::ContentRejected | FailureClass::BadInput).then_some(told)
}

/// A decimal without a sign or an exponent, as a number or a text.
fn seconds(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let is_decimal = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_decimal.then_some(text)
}

/// Decimal seconds times the price of one; digits beyond the sixth are below what we count.
pub(super) fn cost_of_seconds(seconds: &str, second_cost: CostCents) -> Option<CostCents> {
    const PER: u64 = 1_000_000;
    let cut = match seconds.find('.') {
        Some(dot) => seconds.get(..seconds.len().min(dot + 7))?,
        None => seconds,
    };
    // A decimal of six digits is read by the same exact parser as cents; here it counts seconds.
    let millionths = cut.parse::<CostCents>().ok()?.micro_cents();
    second_cost.scaled_half_up(millionths, PER).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_is_read_or_there_is_none() {
        let table = [
            (json!("starting"), Some(State::Starting)),
            (json!(" Processing "), Some(State::Processing)),
            (json!("succeeded"), Some(State::Succeeded)),
            (json!("failed"), Some(State::Failed)),
            (json!("canceled"), Some(State::Canceled)),
            (json!("cancelled"), Some(State::Canceled)),
            (json!("aborted"), Some(State::Aborted)),
            (json!("novel"), None),
            (json!(""), None),
            (json!(null), None),
            (json!(7), None),
        ];
        for (status, state) in table {
            let document = json!({"status": status, "metrics": null, "output": null, "error": null});
            assert_eq!(Prediction::of(&document, "").map(|prediction| prediction.state), state, "{status}");
        }
        assert!(Prediction::of(&json!([]), "").is_none());
    }

    #[test]
    fn an_output_is_found_in_every_shape() {
        let table = [
            (json!("a"), vec!["a"]),
            (json!({"path": "a", "size": 7}), vec!["a"]),
            (json!(["a", {"path": "b"}, null, 7]), vec!["a", "b"]),
            (json!({"path": null}), vec![]),
            (json!(""), vec![]),
            (json!([]), vec![]),
            (json!({"audio": "a"}), vec![]),
            (json!(null), vec![]),
        ];
        for (output, expected) in table {
            assert_eq!(files(&output), expected, "{output}");
        }
    }

    #[test]
    fn seconds_are_priced_without_floats() {
        let table = [
            (json!(3.2), Some("0.312")),
            (json!("3.2"), Some("0.312")),
            (json!(0), Some("0")),
            (json!(10), Some("0.975")),
            (json!(3.123_456_789), Some("0.304537")),
            (json!(-1), None),
            (json!("1e3"), None),
            (json!("1.2.3"), None),
            (json!(null), None),
            (json!(true), None),
        ];
        for (told, cost) in table {
            let priced = seconds(&told).and_then(|told| cost_of_seconds(&told, "0.0975".parse().unwrap()));
            assert_eq!(priced, cost.map(|cost| cost.parse().unwrap()), "{told}");
        }
    }

    #[test]
    fn an_error_of_the_model_says_nothing_about_our_account() {
        let table = [
            (json!("The input or output was flagged as sensitive. (E005)"), Some("content_rejected")),
            (json!("Text is too long"), Some("bad_input")),
            (json!("401: invalid api key while fetching the speaker"), None),
            (json!("Model not found on disk"), None),
            (json!("CUDA out of memory"), None),
            (json!({"detail": "flagged"}), Some("content_rejected")),
            (json!(null), None),
        ];
        for (error, class) in table {
            assert_eq!(class_of_error(&error, "a text").map(FailureClass::as_str), class, "{error}");
        }
        assert_eq!(class_of_error(&json!("can't read: my text is too long"), "my text is too long"), None);
    }
}
