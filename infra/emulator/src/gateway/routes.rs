use crate::template::Route;
use std::collections::BTreeMap;

/// The API's resources. A path belongs to one of them, the one with the longest literal beginning; only then its methods
/// are looked at.
pub(super) struct Routes(Vec<Route>);

/// A route with what stood in the path's places.
pub(super) struct Found<'a> {
    pub(super) route: &'a Route,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Routes {
    pub(super) fn new(routes: Vec<Route>) -> Routes {
        Routes(routes)
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Option<Found<'_>> {
        let fitting = self.0.iter().filter_map(|route| Some((route, fit(&route.path, path)?)));
        let fitting: Vec<_> = fitting.collect();
        let resource =
            fitting.iter().map(|(route, _)| &route.path).max_by_key(|path| literalness(path))?.clone();
        let of_resource = fitting.into_iter().filter(|(route, _)| route.path == resource);
        let mut fitting = of_resource.filter(|(route, _)| route.method == method || route.method == "ANY");
        let (route, parameters) = fitting.next()?;
        Some(Found { route, parameters })
    }
}

/// Segment by segment: whether it is written out.
fn literalness(path: &str) -> Vec<bool> {
    path.split('/').map(|segment| !segment.starts_with('{')).collect()
}

fn fit(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut parameters = BTreeMap::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) => match wanted
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            {
                Some(name) if !given.is_empty() => drop(parameters.insert(name.to_owned(), decoded(given))),
                None if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn decoded(segment: &str) -> String {
    // A form's decoder with its one addition, the plus, made safe.
    let pair = format!("x={}", segment.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Integration;
    use std::time::Duration;

    #[test]
    fn a_written_out_path_comes_before_a_place_holder_whatever_the_method() {
        let route = |method: &str, path: &str| Route {
            method: method.to_owned(),
            path: path.to_owned(),
            integration: Integration::Function { name: format!("{method} {path}"), timeout: Duration::ZERO },
        };
        let routes = Routes::new(vec![
            route("GET", "/v1/top-ups/{id}"),
            route("POST", "/v1/top-ups/claims"),
            route("GET", "/v1/top-ups/{id}/qr.svg"),
            route("ANY", "/v1/any"),
        ]);
        let found = |method: &str, path: &str| {
            let found = routes.find(method, path)?;
            let Integration::Function { name, .. } = &found.route.integration else { return None };
            Some((name.clone(), found.parameters.get("id").cloned()))
        };
        let some = |function: &str, id: Option<&str>| Some((function.to_owned(), id.map(str::to_owned)));
        assert_eq!(found("GET", "/v1/top-ups/a%20b+c"), some("GET /v1/top-ups/{id}", Some("a b+c")));
        assert_eq!(found("POST", "/v1/top-ups/claims"), some("POST /v1/top-ups/claims", None));
        assert_eq!(found("GET", "/v1/top-ups/claims"), None, "the resource `claims` has no GET");
        assert_eq!(found("GET", "/v1/top-ups/x/qr.svg"), some("GET /v1/top-ups/{id}/qr.svg", Some("x")));
        assert_eq!(found("PATCH", "/v1/any"), some("ANY /v1/any", None));
        for path in ["/v1/top-ups", "/v1/top-ups/", "/v1/top-ups/x/y", "/V1/any"] {
            assert_eq!(found("GET", path), None, "{path}");
        }
    }
}
