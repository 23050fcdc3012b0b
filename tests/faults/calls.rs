//! Calls that go wrong: too large, not JSON, a function that raises, exits, loops or answers rubbish.
