//! The ordered stages of a session, and how they are chosen. Not their opening.
