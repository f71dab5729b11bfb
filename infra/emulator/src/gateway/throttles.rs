use crate::template::{Route, Throttle};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How many requests are let in: each setting of the stage is one bucket, for all callers and all methods it is about.
pub(super) struct Throttles(Vec<Bucket>);

struct Bucket {
    of: Throttle,
    /// When everything that was let in so far would have come at the even rate.
    spent_until: Mutex<Instant>,
}

impl Throttles {
    pub(super) fn new(throttles: Vec<Throttle>, now: Instant) -> Throttles {
        Throttles(throttles.into_iter().map(|of| Bucket { of, spent_until: Mutex::new(now) }).collect())
    }

    pub(super) fn lets_in(&self, route: &Route, now: Instant) -> bool {
        let own = self.0.iter().find(|bucket| bucket.of.is_of(&route.method, &route.path));
        let bucket = own.or_else(|| self.0.iter().find(|bucket| bucket.of.is_of_all()));
        bucket.is_none_or(|bucket| bucket.takes(now))
    }
}

impl Bucket {
    fn takes(&self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / self.of.rate;
        let mut spent_until = self.spent_until.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*spent_until).max(now) + each;
        let has_room = next - now <= each * self.of.burst;
        if has_room {
            *spent_until = next;
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Integration;

    fn route(method: &str, path: &str) -> Route {
        let integration = Integration::Function { name: "Runs".to_owned(), timeout: Duration::ZERO };
        Route { method: method.to_owned(), path: path.to_owned(), integration }
    }

    #[test]
    fn a_method_of_its_own_is_let_in_while_the_others_share_what_is_left() {
        let throttle = |method: &str, path: &str, rate, burst| Throttle {
            method: method.to_owned(),
            path: path.to_owned(),
            rate,
            burst,
        };
        let begin = Instant::now();
        let throttles = Throttles::new(
            vec![throttle("*", "/*", 2, 3), throttle("POST", "/v1/webhooks/clerk", 1, 2)],
            begin,
        );
        let (list, show) = (route("GET", "/v1/runs"), route("GET", "/v1/runs/{id}"));
        let webhook = route("POST", "/v1/webhooks/clerk");
        let let_in = |routes: &[&Route], at_ms: u64| {
            let now = begin + Duration::from_millis(at_ms);
            routes.iter().map(|route| throttles.lets_in(route, now)).collect::<Vec<bool>>()
        };

        assert_eq!(let_in(&[&list, &show, &list, &show, &list], 0), [true, true, true, false, false]);
        assert_eq!(let_in(&[&webhook; 3], 0), [true, true, false]);
        assert_eq!(let_in(&[&show, &list], 500), [true, false], "two a second");
        assert_eq!(let_in(&[&list; 4], 60_000), [true, true, true, false], "and no more at once");
    }
}
