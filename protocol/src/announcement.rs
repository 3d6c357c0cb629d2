//! What a node serves now, signed and short-lived. Not who may serve.
