//! The SDK of Comity: submit prompts to a node of the mesh, stream the answer, keep the proof.
//!
//! It decides nothing about the mesh: routes, policies and receipts are the node's affair, and what
//! a receipt proves is [`comity_protocol`]'s. Start at [`Client::connect`], then
//! [`Client::generate`], then [`Generation::finish`] and [`verify`](verify::verify). Dropping a
//! [`Generation`] stops the request on the node. Complete programs stand in `examples/`.

pub mod client;
pub mod credentials;
#[cfg(test)]
mod fake;
pub mod session;
mod tls;
pub mod verify;

pub use client::{ALPN, Client, ConnectError};
pub use credentials::{Credentials, CredentialsError};
pub use session::{Event, Finished, GenerateError, Generation};
pub use tls::TlsError;
