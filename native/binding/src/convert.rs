//! JavaScript's numbers and strings as the engine's types, checked.

use nibble_engine::{Category, Error, Result};

/// The largest integer that JavaScript holds exactly.
const MOST: f64 = 9_007_199_254_740_991.0;

/// A number that counts something.
pub(crate) fn count(op: &'static str, name: &'static str, value: f64) -> Result<usize> {
    if (0.0..=MOST).contains(&value) && value.fract() == 0.0 {
        Ok(value as usize)
    } else {
        Err(Error::option(op, name, value, "a whole number that is not negative"))
    }
}

/// A count that may be left out.
pub(crate) fn count_or(op: &'static str, name: &'static str, value: Option<f64>, or: usize) -> Result<usize> {
    value.map_or(Ok(or), |value| count(op, name, value))
}

/// Dimensions.
pub(crate) fn shape(op: &'static str, shape: &[f64]) -> Result<Vec<usize>> {
    shape.iter().map(|&n| count(op, "shape", n)).collect()
}

/// A category and an owner.
pub(crate) fn label<'a>(op: &'static str, category: &str, owner: &'a str) -> Result<(Category, &'a str)> {
    if owner.is_empty() {
        return Err(Error::option(op, "owner", "empty", "a name that the memory panel can show"));
    }
    Ok((Category::parse(op, category)?, owner))
}
