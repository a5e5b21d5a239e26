//! Literal float64 algorithms, for the tests.
