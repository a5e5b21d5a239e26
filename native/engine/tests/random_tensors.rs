//! Random tensors: their distributions' moments, seeds, and what is refused.

use nibble_engine::Engine;
use nibble_engine::ops::random::{tensor_random_orthogonal, tensor_random_truncated_normal, tensor_random_uniform};

use crate::helpers::{LABEL, assert_close, read};

const N: usize = 200_000;

fn moments(values: &[f32]) -> (f64, f64) {
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance)
}

#[test]
fn uniform_numbers_fill_their_range_evenly() {
    let e = Engine::default();
    let x = read(&e, tensor_random_uniform(&e, &[N], [-1.0, 3.0], 5.0, LABEL).unwrap());
    assert!(x.iter().all(|x| (-1.0..3.0).contains(x)));
    let (mean, variance) = moments(&x);
    // Five standard errors of either.
    assert!((mean - 1.0).abs() < 5.0 * (16.0 / 12.0 / N as f64).sqrt(), "{mean}");
    assert!((variance - 16.0 / 12.0).abs() < 5.0 * (256.0f64 / 180.0 / N as f64).sqrt(), "{variance}");
    for eighth in 0..8 {
        let low = -1.0 + eighth as f32 / 2.0;
        let inside = x.iter().filter(|&&x| (low..low + 0.5).contains(&x)).count() as f64;
        assert!((inside - N as f64 / 8.0).abs() < 5.0 * (N as f64 * 7.0 / 64.0).sqrt(), "{inside}");
    }
}

#[test]
fn truncated_normal_numbers_have_its_moments() {
    let e = Engine::default();
    let x = read(&e, tensor_random_truncated_normal(&e, &[N], 0.5, 2.0, 6.0, LABEL).unwrap());
    assert!(x.iter().all(|x| x.abs() <= 1.0));
    let (mean, variance) = moments(&x);
    // Of a normal cut at ±2: 1 − 2·2·φ(2) / (2·Φ(2) − 1) = 0.773741.
    let expected = 0.773_741_3 * 0.25;
    assert!(mean.abs() < 5.0 * (expected / N as f64).sqrt(), "{mean}");
    assert!((variance - expected).abs() < 5.0 * expected * (2.0 / N as f64).sqrt(), "{variance}");
}

#[test]
fn orthogonal_matrices_are() {
    let e = Engine::default();
    for [rows, columns] in [[0, 3], [1, 1], [7, 7], [9, 30], [30, 9]] {
        let q = read(&e, tensor_random_orthogonal(&e, &[rows, columns], 2.0, 7.0, LABEL).unwrap());
        let small = rows.min(columns);
        let at = |i: usize, j: usize| if rows >= columns { q[j * columns + i] } else { q[i * columns + j] };
        let dot = |a: usize, b: usize| (0..rows.max(columns)).map(|j| at(a, j) * at(b, j)).sum::<f32>();
        let gram: Vec<f32> = (0..small * small).map(|at| dot(at / small, at % small)).collect();
        let expected: Vec<f64> =
            (0..small * small).map(|at| if at / small == at % small { 4.0 } else { 0.0 }).collect();
        assert_close("q·qᵀ", &gram, &expected, 1e-6);
    }
}

#[test]
fn the_seed_decides_and_bad_numbers_are_refused() {
    let e = Engine::default();
    let all = |seed: f64| {
        [
            tensor_random_uniform(&e, &[5, 3], [0.0, 1.0], seed, LABEL),
            tensor_random_truncated_normal(&e, &[5, 3], 1.0, 2.0, seed, LABEL),
            tensor_random_orthogonal(&e, &[5, 3], 1.0, seed, LABEL),
        ]
    };
    for (a, (b, c)) in all(1.0).into_iter().zip(all(1.0).into_iter().zip(all(2.0))) {
        let [a, b, c] = [a, b, c].map(|handle| read(&e, handle.unwrap()));
        assert!(a == b && a != c);
    }
    let refused = all(0.5).into_iter().chain([
        tensor_random_uniform(&e, &[2], [1.0, 0.0], 1.0, LABEL),
        tensor_random_uniform(&e, &[2], [0.0, f64::NAN], 1.0, LABEL),
        tensor_random_truncated_normal(&e, &[2], -1.0, 2.0, 1.0, LABEL),
        tensor_random_truncated_normal(&e, &[2], 1.0, f64::NAN, 1.0, LABEL),
        tensor_random_orthogonal(&e, &[2, 2], f64::INFINITY, 1.0, LABEL),
    ]);
    for result in refused {
        assert_eq!(result.unwrap_err().code(), "OptionError");
    }
    assert_eq!(tensor_random_orthogonal(&e, &[2], 1.0, 1.0, LABEL).unwrap_err().code(), "ShapeError");
}
