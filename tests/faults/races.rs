//! Many clients at once on one function: one wins, every answer is one of the right ones.
