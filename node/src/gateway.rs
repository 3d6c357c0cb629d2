//! Where prompts come in: who may ask, and the stream of the answer. Not the answer itself.

pub mod client;
