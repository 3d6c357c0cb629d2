//! Why work ended badly: one table of causes for streams, connections and APIs.
