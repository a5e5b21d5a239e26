//! Principal components.

use nibble_engine::Engine;
use nibble_engine::ops::pca::{pca_fit, pca_project};

use crate::helpers::{normal, read, tensor};
use crate::random::Random;

/// Variance of `x[n, d]` along `direction`, with divisor n − 1.
fn variance_along(x: &[f64], d: usize, direction: &[f64]) -> f64 {
    let scores: Vec<f64> = x.chunks(d).map(|row| row.iter().zip(direction).map(|(a, b)| a * b).sum()).collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (scores.len() - 1) as f64
}

#[test]
fn components_are_orthonormal_and_carry_their_variances() {
    let (e, mut random) = (Engine::default(), Random::new(50));
    // More rows than columns, and the other way round.
    for (n, d, k) in [(2, 1, 1), (50, 7, 7), (200, 40, 5), (6, 30, 6), (20, 64, 4)] {
        let mut x = random.normals(n * d);
        for (i, v) in x.iter_mut().enumerate() {
            *v = *v * (1.0 + (i % d) as f32) + 3.0;
        }
        let handle = tensor(&e, &[n, d], &x);
        let values: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let pca = pca_fit(&e, handle, k).unwrap();
        let components = read(&e, pca.components);
        let variances = read(&e, pca.variances);
        assert!(variances.windows(2).all(|pair| pair[0] >= pair[1]));
        for i in 0..k {
            let row: Vec<f64> = components[i * d..][..d].iter().map(|&v| f64::from(v)).collect();
            let along = variance_along(&values, d, &row);
            assert!((along - f64::from(variances[i])).abs() < 1e-4 * (1.0 + along), "{n}×{d}: component {i}");
            for j in 0..=i {
                let overlap: f64 = row.iter().zip(&components[j * d..]).map(|(a, &b)| a * f64::from(b)).sum();
                assert!((overlap - f64::from(u8::from(i == j))).abs() < 1e-5, "{n}×{d}: {i}, {j}: {overlap}");
            }
            let largest = row.iter().fold(0.0f64, |best, v| if v.abs() > best.abs() { *v } else { best });
            assert!(largest > 0.0);
        }
        if k == n.min(d) {
            let sum: f64 = variances.iter().map(|&v| f64::from(v)).sum();
            assert!((sum - pca.total_variance).abs() < 1e-4 * pca.total_variance);
        }
        // No direction carries more than the first.
        for _ in 0..20 {
            let direction = random.normals(d);
            let size = direction.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let unit: Vec<f64> = direction.iter().map(|&v| f64::from(v) / size).collect();
            assert!(variance_along(&values, d, &unit) <= f64::from(variances[0]) * 1.0001);
        }
    }
}

#[test]
fn projections_are_centred_scores() {
    let (e, mut random) = (Engine::default(), Random::new(51));
    let x = normal(&e, &mut random, &[30, 5]);
    let pca = pca_fit(&e, x.handle, 2).unwrap();
    let scores = read(&e, pca_project(&e, x.handle, pca.mean, pca.components).unwrap());
    let variances = read(&e, pca.variances);
    for k in 0..2 {
        let column: Vec<f64> = scores.chunks(2).map(|row| f64::from(row[k])).collect();
        let mean = column.iter().sum::<f64>() / 30.0;
        let variance = column.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / 29.0;
        assert!(mean.abs() < 1e-5 && (variance - f64::from(variances[k])).abs() < 1e-4);
    }
}

#[test]
fn rows_without_variance_still_give_directions() {
    let e = Engine::default();
    let pca = pca_fit(&e, tensor(&e, &[3, 4], &[2.0; 12]), 2).unwrap();
    assert_eq!(read(&e, pca.variances), [0.0, 0.0]);
    assert_eq!(read(&e, pca.components).iter().map(|v| v * v).sum::<f32>(), 2.0);
    let error = pca_fit(&e, tensor(&e, &[2, 2], &[0.0, f32::NAN, 1.0, 2.0]), 1).unwrap_err();
    assert_eq!(error.code(), "NumericsError");
    assert!(error.to_string().contains("row 0, column 1"), "{error}");
}
