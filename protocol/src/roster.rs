//! An institution's own list of its nodes. Not what they serve.
