//! Elementwise operations, matrix multiply, rows, casts.

use nibble_engine::ops::activation::{self, Activation};
use nibble_engine::ops::data::{self, Label};
use nibble_engine::ops::matmul::{MatmulOptions, matmul};
use nibble_engine::ops::{elementwise as ops, embedding, reduce, softmax};
use nibble_engine::reference;
use nibble_engine::{Category, DType, Engine};

use crate::helpers::{LABEL, assert_close, assert_gradient, dot, ids, normal, read, shape, tensor};
use crate::random::Random;

/// 0, 1, odd, and around the sizes of tasks and vectors.
const LENGTHS: [usize; 8] = [0, 1, 7, 15, 16, 17, 16384, 16385];

#[test]
fn arithmetic_is_exact_float32_arithmetic() {
    let (e, mut random) = (Engine::default(), Random::new(1));
    for n in LENGTHS {
        let (a, b) = (random.normals(n), random.normals(n));
        let (x, y) = (tensor(&e, &[n], &a), tensor(&e, &[n], &b));
        let each = |f: fn(f32, f32) -> f32| a.iter().zip(&b).map(|(&a, &b)| f(a, b)).collect::<Vec<_>>();
        assert_eq!(read(&e, ops::add(&e, x, y).unwrap()), each(|a, b| a + b));
        assert_eq!(read(&e, ops::multiply(&e, x, y).unwrap()), each(|a, b| a * b));
        assert_eq!(read(&e, ops::scale(&e, x, 0.3).unwrap()), each(|a, _| 0.3 * a));
        ops::add_in_place(&e, x, y, -2.0).unwrap();
        assert_eq!(read(&e, x), each(|a, b| a + -2.0 * b));
        ops::scale_in_place(&e, y, 0.5).unwrap();
        assert_eq!(read(&e, y), each(|_, b| b * 0.5));
    }
}

#[test]
fn a_tensor_may_be_added_to_itself() {
    let e = Engine::default();
    let x = tensor(&e, &[3], &[1.0, -2.0, 3.0]);
    let view = data::tensor_reshape(&e, x, &[3]).unwrap();
    ops::add_in_place(&e, x, view, 2.0).unwrap();
    assert_eq!(read(&e, x), [3.0, -6.0, 9.0]);
}

#[test]
fn sums_and_bias_agree_with_double_precision() {
    let (e, mut random) = (Engine::default(), Random::new(2));
    for (m, n) in [(0, 3), (1, 1), (5, 0), (127, 3), (128, 16), (129, 17), (300, 65)] {
        let (x, bias) = (normal(&e, &mut random, &[m, n]), normal(&e, &mut random, &[n]));
        let y = ops::add(&e, x.handle, bias.handle).unwrap();
        let expected: Vec<f64> = x.values.iter().enumerate().map(|(i, v)| v + bias.values[i % n]).collect();
        assert_close("addBias", &read(&e, y), &expected, 1e-6);
        let expected = if n == 0 { vec![] } else { reference::elementwise::sum_rows(&x.values, n) };
        assert_close("sumRows", &read(&e, reduce::sum_rows(&e, x.handle).unwrap()), &expected, 1e-6);
        let total: f64 = x.values.iter().sum();
        assert!((reduce::sum(&e, x.handle).unwrap() - total).abs() < 1e-9);
    }
}

#[test]
fn softmax_agrees_and_stands_large_numbers() {
    let (e, mut random) = (Engine::default(), Random::new(3));
    for (m, n) in [(0, 4), (1, 1), (3, 7), (65, 33), (2, 4099)] {
        let x = normal(&e, &mut random, &[m, n]);
        let expected = reference::elementwise::softmax(&x.values, n);
        assert_close("softmax", &read(&e, softmax::softmax_forward(&e, x.handle).unwrap()), &expected, 1e-6);
    }
    let x = tensor(&e, &[1, 3], &[1e30, 1e30, f32::NEG_INFINITY]);
    assert_eq!(read(&e, softmax::softmax_forward(&e, x).unwrap()), [0.5, 0.5, 0.0]);
}

#[test]
fn swiglu_stands_large_gates() {
    let e = Engine::default();
    let gate = tensor(&e, &[4], &[-1e4, -100.0, 100.0, 1e4]);
    let up = tensor(&e, &[4], &[1.0; 4]);
    let y = read(&e, activation::gated_forward(&e, gate, up, Activation::Silu).unwrap());
    assert!(y[0].abs() < 1e-30 && y[1].abs() < 1e-30, "{y:?}");
    assert_eq!(y[2..], [100.0, 1e4]);
    let (dgate, dup) = activation::gated_backward(&e, up, gate, up, Activation::Silu).unwrap();
    assert!(read(&e, dgate).iter().chain(&read(&e, dup)).all(|v| v.is_finite()));
}

#[test]
fn matmul_agrees_in_every_layout() {
    let (e, mut random) = (Engine::default(), Random::new(5));
    for [m, n, k] in [[1, 1, 1], [3, 5, 7], [17, 1, 33], [1, 40, 64], [65, 33, 129], [0, 4, 3], [4, 0, 3], [4, 3, 0]] {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            let a = normal(&e, &mut random, &if ta { [k, m] } else { [m, k] });
            let b = normal(&e, &mut random, &if tb { [n, k] } else { [k, n] });
            let options = MatmulOptions { transpose_a: ta, transpose_b: tb, alpha: -0.5, ..MatmulOptions::default() };
            let c = matmul(&e, a.handle, b.handle, options).unwrap();
            assert_eq!(shape(&e, c), [m, n]);
            let product = reference::matmul::matmul([m, n, k], (&a.values, ta), (&b.values, tb));
            let once: Vec<f64> = product.iter().map(|v| -0.5 * v).collect();
            assert_close("matmul", &read(&e, c), &once, 2e-6);
            let again = matmul(&e, a.handle, b.handle, MatmulOptions { into: Some(c), ..options }).unwrap();
            assert_eq!(again, c);
            assert_close("matmul into", &read(&e, c), &product.iter().map(|v| -v).collect::<Vec<_>>(), 2e-6);
        }
    }
}

#[test]
fn matmul_folds_leading_dimensions() {
    let (e, mut random) = (Engine::default(), Random::new(6));
    let (a, b) = (normal(&e, &mut random, &[2, 3, 4]), normal(&e, &mut random, &[4, 5]));
    let c = matmul(&e, a.handle, b.handle, MatmulOptions::default()).unwrap();
    assert_eq!(shape(&e, c), [2, 3, 5]);
}

#[test]
fn embedding_takes_rows_and_gives_gradients_back() {
    let (e, mut random) = (Engine::default(), Random::new(7));
    for (vocabulary, width) in [(1, 1), (9, 5), (700, 64)] {
        let weight = normal(&e, &mut random, &[vocabulary, width]);
        let numbers: Vec<i32> = (0..50).map(|_| (random.next_u64() % vocabulary as u64) as i32).collect();
        let rows = ids(&e, &numbers);
        let y = embedding::embedding_forward(&e, rows, weight.handle).unwrap();
        assert_close("embedding", &read(&e, y), &reference::embedding::embedding(&numbers, &weight.values, width), 0.0);
        let dy = normal(&e, &mut random, &[numbers.len(), width]);
        let into = tensor(&e, &[vocabulary, width], &vec![1.0; vocabulary * width]);
        embedding::embedding_backward(&e, rows, dy.handle, into).unwrap();
        let gradient: Vec<f32> = read(&e, into).iter().map(|v| v - 1.0).collect();
        let loss = |w: &[f64]| dot(&reference::embedding::embedding(&numbers, w, width), &dy.values);
        assert_gradient("dweight", &gradient, &weight.values, loss);
    }
    let none = embedding::embedding_forward(&e, ids(&e, &[]), tensor(&e, &[2, 2], &[0.0; 4])).unwrap();
    assert_eq!(shape(&e, none), [0, 2]);
}

#[test]
fn rows_are_cut_gathered_and_joined() {
    let e = Engine::default();
    let x = tensor(&e, &[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(read(&e, data::slice_rows(&e, x, 1, 3).unwrap()), [2.0, 3.0, 4.0, 5.0]);
    assert_eq!(shape(&e, data::slice_rows(&e, x, 2, 2).unwrap()), [0, 2]);
    let picked = data::gather_rows(&e, x, ids(&e, &[2, 0, 2])).unwrap();
    assert_eq!(read(&e, picked), [4.0, 5.0, 0.0, 1.0, 4.0, 5.0]);
    let joined = data::concat_rows(&e, &[x, picked]).unwrap();
    assert_eq!(shape(&e, joined), [6, 2]);
    for (a, b) in [(3, 2), (1, 40), (33, 17), (0, 5)] {
        let values: Vec<f32> = (0..a * b).map(|i| i as f32).collect();
        let turned = data::transpose(&e, tensor(&e, &[a, b], &values)).unwrap();
        assert_eq!(shape(&e, turned), [b, a]);
        let expected: Vec<f32> = (0..a * b).map(|i| values[i % a.max(1) * b + i / a.max(1)]).collect();
        assert_eq!(read(&e, turned), expected);
    }
}

#[test]
fn casts_round_ties_to_even_and_come_back() {
    let e = Engine::default();
    let label: Label = (Category::Weights, "test");
    let x = tensor(&e, &[4], &[1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -0.0, 65504.0]);
    let half = data::tensor_cast(&e, x, DType::BF16, label).unwrap();
    assert_eq!(data::tensor_info(&e, half).unwrap().bytes, 8);
    let back = read(&e, data::tensor_cast(&e, half, DType::F32, label).unwrap());
    assert_eq!(back, [1.0, 1.0 + 4.0 / 256.0, -0.0, 65536.0]);
    let half = data::tensor_cast(&e, x, DType::F16, label).unwrap();
    assert_eq!(read(&e, data::tensor_cast(&e, half, DType::F32, label).unwrap())[3], 65504.0);
    let x = tensor(&e, &[4], &[0.5, 1.5, -3.0, 300.0]);
    let bytes = data::tensor_cast(&e, x, DType::U8, LABEL).unwrap();
    assert_eq!(data::tensor_read(&e, bytes).unwrap(), [0, 2, 0, 255]);
    let bytes = data::tensor_cast(&e, x, DType::I8, LABEL).unwrap();
    assert_eq!(read(&e, data::tensor_cast(&e, bytes, DType::F32, LABEL).unwrap()), [0.0, 2.0, -3.0, 127.0]);
}

#[test]
fn random_numbers_depend_on_the_seed_alone() {
    let e = Engine::default();
    let make = |seed: f64, n: usize| read(&e, data::tensor_random_normal(&e, &[n], 2.0, seed, LABEL).unwrap());
    let (a, b) = (make(1.0, 100_001), make(1.0, 501));
    assert_eq!(a[..501], b[..]);
    assert_ne!(a[..10], make(2.0, 10)[..]);
    let mean = a.iter().map(|&v| f64::from(v)).sum::<f64>() / a.len() as f64;
    let variance = a.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / a.len() as f64;
    assert!(mean.abs() < 0.02 && (variance - 4.0).abs() < 0.06, "mean {mean}, variance {variance}");
}
