use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use edge::{Problem, ProblemCode, ProblemResponse};
use primitives::Currency;

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
                Currency::of_iso(code).map(|code| DisplayCurrency(Some(code))).map_err(|_| unfit().into())
            }
            (Some(_), Some(_)) => Err(unfit().into()),
        }
    }
}

fn unfit() -> Problem {
    Problem::new(ProblemCode::InvalidInput).pointer("?currency", "name one currency, such as VND")
}
