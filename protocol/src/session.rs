//! The session machines: home's side and a stage's side of the ring. Not their transport.
