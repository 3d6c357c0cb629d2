//! The sampler `gumbel-1`: which token follows, as a function of logits, seed and position.
