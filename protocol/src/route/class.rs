//! Which numeric class a session runs in. What a class means is the stages' business.

use std::time::Duration;

use super::{Route, RouteError, RouteRequest, plan};
use crate::{directory::Candidate, id::PeerKey};

/// The cheapest route in the first of several numeric classes that has one; classes are never
/// mixed. `offers`: each class with those who serve in it, the most wanted first.
///
/// # Errors
/// [`RouteError`] of the first class that somebody serves; of the first if nobody serves any.
pub fn plan_in_one_class<C>(
    request: &RouteRequest<'_>,
    offers: impl IntoIterator<Item = (C, Vec<Candidate>)>,
    latency: impl Fn(&PeerKey, &PeerKey) -> Duration,
) -> Result<(Route, C), RouteError> {
    let mut refused: Option<(bool, RouteError)> = None;
    for (class, candidates) in offers {
        let served = !candidates.is_empty();
        match plan(request, &candidates, &latency) {
            Ok(route) => return Ok((route, class)),
            Err(error) if refused.as_ref().is_none_or(|(before, _)| served && !before) => {
                refused = Some((served, error));
            }
            Err(_) => {}
        }
    }
    Err(refused.map_or(RouteError::Empty, |(_, error)| error))
}
