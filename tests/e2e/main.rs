//! Real nodes with real sockets on loopback: what only the whole system can show.

mod answers;
mod faults;
mod strangers;
mod swarm;
