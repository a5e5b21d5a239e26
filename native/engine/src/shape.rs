//! Arithmetic on shapes, checked.

use crate::error::{Error, Result};

/// The most elements that a tensor may have: JavaScript's typed arrays end at 2^33 bytes, and products stay exact.
const MOST_ELEMENTS: usize = 1 << 40;

/// Number of elements, or an error where the product is absurd.
pub fn elements(op: &'static str, shape: &[usize]) -> Result<usize> {
    if shape.len() > 8 {
        return Err(Error::shape(op, "shape", shape, "at most 8 dimensions"));
    }
    // Zeros do not excuse an overflow in the other dimensions.
    shape
        .iter()
        .try_fold(1usize, |product, &n| product.checked_mul(n.max(1)).filter(|&p| p <= MOST_ELEMENTS))
        .map(|product| if shape.contains(&0) { 0 } else { product })
        .ok_or_else(|| Error::shape(op, "shape", shape, "at most 2^40 elements"))
}

/// `[a, b, …, n]` seen as `[a·b·…, n]`. A vector is one row.
pub fn fold_rows(shape: &[usize]) -> (usize, usize) {
    match shape.split_last() {
        Some((&columns, leading)) => (leading.iter().product(), columns),
        None => (1, 1),
    }
}

/// The shape with its last dimension replaced.
pub fn with_last(shape: &[usize], last: usize) -> Vec<usize> {
    let mut result = shape.to_vec();
    match result.last_mut() {
        Some(n) => *n = last,
        None => result.push(last),
    }
    result
}
