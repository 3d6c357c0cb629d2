//! What clients ask a node and what it answers. Not the transport.
