use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use edge::{Problem, ProblemCode, ProblemResponse, Wording};
use primitives::Currency;
use rates::Rates;

/// The currency that prices shall also be shown in: `?currency=VND`.
pub(crate) struct DisplayCurrency(pub(crate) Option<Currency>);

impl<S: Sync> FromRequestParts<S> for DisplayCurrency {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<DisplayCurrency, ProblemResponse> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(parameters) = query.map_err(|_| ProblemCode::InvalidRequest)?;
        let mut asked = parameters.iter().filter(|(name, _)| name == "currency").map(|(_, code)| code);
        match (asked.next(), asked.next()) {
            (None, _) => Ok(DisplayCurrency(None)),
            (Some(code), None) => {
                let currency = Currency::of_iso(code).ok().filter(|currency| Rates::can_show(*currency));
                Ok(DisplayCurrency(Some(currency.ok_or_else(unfit)?)))
            }
            (Some(_), Some(_)) => Err(unfit().into()),
        }
    }
}

fn unfit() -> Problem {
    let why = Wording::new(
        "name one currency that prices can be shown in, such as VND",
        "hãy chọn một loại tiền có thể hiển thị giá, ví dụ VND",
    );
    Problem::new(ProblemCode::InvalidInput).pointer("?currency", why)
}
