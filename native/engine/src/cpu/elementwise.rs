//! Element by element, and a vector with every row.

use crate::cancel::Cancel;
use crate::cpu::pool;
use crate::error::Result;

/// `y = f(x)`.
pub fn map(cancel: &Cancel, x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |first, y| {
            for (y, &x) in y.iter_mut().zip(&x[first..]) {
                *y = f(x);
            }
        },
    )
}

/// `y = f(a, b)`.
pub fn zip(cancel: &Cancel, a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |first, y| {
            for ((y, &a), &b) in y.iter_mut().zip(&a[first..]).zip(&b[first..]) {
                *y = f(a, b);
            }
        },
    )
}

/// `y = f(y, b)`.
pub fn update(cancel: &Cancel, y: &mut [f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |first, y| {
            for (y, &b) in y.iter_mut().zip(&b[first..]) {
                *y = f(*y, b);
            }
        },
    )
}

/// `y *= factor`.
pub fn scale_in_place(cancel: &Cancel, y: &mut [f32], factor: f32) -> Result<()> {
    map_in_place(cancel, y, |y| factor * y)
}

/// `y = f(y)`.
pub fn map_in_place(cancel: &Cancel, y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) -> Result<()> {
    pool::rows(
        cancel,
        y,
        1,
        #[inline(always)]
        |_, y| y.iter_mut().for_each(|y| *y = f(*y)),
    )
}

/// `y[m, n] = f(a[m, n], b[n])`.
pub fn zip_rows(
    cancel: &Cancel,
    a: &[f32],
    b: &[f32],
    y: &mut [f32],
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<()> {
    let n = b.len().max(1);
    pool::rows(
        cancel,
        y,
        n,
        #[inline(always)]
        |first, y| {
            for (y, a) in y.chunks_exact_mut(n).zip(a[first * n..].chunks_exact(n)) {
                for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                    *y = f(a, b);
                }
            }
        },
    )
}
