use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use edge::{Problem, ProblemCode};
use primitives::Currency;
use rates::Rates;

/// The currency that prices shall also be shown in: `?currency=VND`.
pub(crate) struct DisplayCurrency(pub(crate) Option<Currency>);

impl<S: Sync> FromRequestParts<S> for DisplayCurrency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<DisplayCurrency, Problem> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(parameters) = query.map_err(|_| Problem::new(ProblemCode::InvalidRequest))?;
        let mut asked = parameters.iter().filter(|(name, _)| name == "currency").map(|(_, code)| code);
        match (asked.next(), asked.next()) {
            (None, _) => Ok(DisplayCurrency(None)),
            (Some(code), None) => {
                let currency = code.parse().ok().filter(|currency| Rates::can_show(*currency));
                currency.map(|currency| DisplayCurrency(Some(currency))).ok_or_else(unfit)
            }
            (Some(_), Some(_)) => Err(unfit()),
        }
    }
}

fn unfit() -> Problem {
    Problem::new(ProblemCode::InvalidInput)
        .pointer("?currency", "name one currency that prices can be shown in, such as VND")
}
