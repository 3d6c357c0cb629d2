//! Salted commitments to what only the holder may see. Not signatures.
