//! Encoding of receipts and bundles.
