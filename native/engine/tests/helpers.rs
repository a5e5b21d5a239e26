//! An engine with random tensors in it, float64 copies of them, and comparisons.

use nibble_engine::ops::data;
use nibble_engine::{Category, DType, Engine, Handle};

use crate::random::Random;

pub const LABEL: (Category, &str) = (Category::Weights, "test");

/// A tensor and the same numbers in double precision.
pub struct Input {
    pub handle: Handle,
    pub values: Vec<f64>,
}

pub fn tensor(e: &Engine, shape: &[usize], values: &[f32]) -> Handle {
    data::tensor_from_bytes(e, bytemuck::cast_slice(values), DType::F32, shape, LABEL).unwrap()
}

pub fn ids(e: &Engine, values: &[i32]) -> Handle {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    data::tensor_from_bytes(e, &bytes, DType::I32, &[values.len()], LABEL).unwrap()
}

pub fn normal(e: &Engine, random: &mut Random, shape: &[usize]) -> Input {
    let values = random.normals(shape.iter().product());
    Input { handle: tensor(e, shape, &values), values: values.iter().map(|&v| f64::from(v)).collect() }
}

pub fn read(e: &Engine, handle: Handle) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(&data::tensor_read(e, handle).unwrap())
}

pub fn shape(e: &Engine, handle: Handle) -> Vec<usize> {
    data::tensor_info(e, handle).unwrap().shape
}

/// Every element within `tolerance` of its twin, measured against the largest of the twins (at least 1).
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: number of elements");
    let size = expected.iter().fold(1.0f64, |size, v| size.max(v.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*got) - expected).abs() / size;
        assert!(error <= tolerance, "{what}[{i}]: {got}, expected {expected} (off by {error:.1e} of {size:.2})");
    }
}

/// Gradient `got` against central differences of `loss` around `at`, at up to 48 positions spread over it.
#[track_caller]
pub fn assert_gradient(what: &str, got: &[f32], at: &[f64], loss: impl Fn(&[f64]) -> f64) {
    const STEP: f64 = 1e-5;
    assert_eq!(got.len(), at.len(), "{what}: number of elements");
    let stride = (at.len() / 48).max(1) | 1;
    let mut moved = at.to_vec();
    let mut pairs = Vec::new();
    for i in (0..at.len()).step_by(stride) {
        moved[i] = at[i] + STEP;
        let above = loss(&moved);
        moved[i] = at[i] - STEP;
        let below = loss(&moved);
        moved[i] = at[i];
        pairs.push((got[i], (above - below) / (2.0 * STEP)));
    }
    let (got, expected): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    assert_close(what, &got, &expected, 2e-5);
}

/// `Σ a·b`: turns outputs into a loss whose gradient by the outputs is `b`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
