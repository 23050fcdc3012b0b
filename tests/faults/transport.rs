//! Slow, silent, oversized and malformed HTTP: closed or refused, and nobody else notices.
