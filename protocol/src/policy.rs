//! A predicate over institutions and jurisdictions. Not the search for a route.
