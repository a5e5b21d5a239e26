//! Attention and the cache of keys and values.

use nibble_engine::cpu::attention::{self, Bias, Kernel, Saved, Sizes};
use nibble_engine::cpu::simd::Isa;
use nibble_engine::ops::attention::{AttentionOptions, AttentionSaved, attention_backward, attention_forward};
use nibble_engine::ops::cache::{cache_read, cache_write};
use nibble_engine::ops::data;
use nibble_engine::{Cancel, DType, Engine, Precision, reference};

use crate::helpers::{LABEL, assert_close, assert_gradient, dot, ids, normal, read, tensor};
use crate::random::Random;

/// batch, heads, kv_heads, queries, keys, width: alone, odd, grouped, around panels of 8, 32 and 64, continued from a cache.
const SHAPES: [[usize; 6]; 11] = [
    [1, 1, 1, 1, 1, 1],
    [2, 4, 2, 5, 5, 6],
    [1, 3, 1, 17, 17, 8],
    [2, 2, 2, 63, 63, 4],
    [1, 2, 1, 64, 64, 16],
    [1, 2, 2, 65, 65, 5],
    [1, 2, 1, 130, 130, 32],
    [1, 1, 1, 33, 33, 40],
    [2, 4, 2, 1, 70, 8],
    [1, 2, 1, 3, 67, 16],
    [1, 2, 1, 9, 100, 7],
];

/// A seventh of the keys hidden, but for the first.
fn key_mask(s: &Sizes) -> Vec<u8> {
    (0..s.batch * s.keys).map(|i| u8::from(i % s.keys == 0 || i % 7 != 3)).collect()
}

/// What a shape is tried with: plain, a window, no order, everything at once.
fn variants([batch, heads, kv_heads, queries, keys, width]: [usize; 6]) -> Vec<(Sizes, [bool; 3])> {
    let scale = (0.7 / (width as f64).sqrt()) as f32;
    let plain =
        Sizes { batch, heads, kv_heads, queries, keys, width, scale, causal: true, window: None, soft_cap: None };
    let any = Sizes { causal: false, ..plain };
    vec![
        (plain, [false; 3]),
        (Sizes { window: Some(1 + keys / 3), ..plain }, [false; 3]),
        (any, [true, false, false]),
        (Sizes { window: Some(9), ..any }, [false, true, false]),
        (Sizes { window: Some(20), soft_cap: Some(1.5), ..plain }, [true, true, true]),
    ]
}

#[test]
fn attention_and_its_gradients_agree() {
    let (e, mut random) = (Engine::default(), Random::new(20));
    for (s, [masked, padded, leaning]) in SHAPES.into_iter().flat_map(variants) {
        let Sizes { batch, heads, kv_heads, queries, keys, width, .. } = s;
        let q = normal(&e, &mut random, &[batch * queries, heads * width]);
        let k = normal(&e, &mut random, &[batch * keys, kv_heads * width]);
        let v = normal(&e, &mut random, &[batch * keys, kv_heads * width]);
        let dy = normal(&e, &mut random, &[batch * queries, heads * width]);
        let mask = key_mask(&s);
        let lengths: Vec<i32> = (0..batch).map(|b| (keys - (keys - 1).min(3 * b)) as i32).collect();
        let slopes: Vec<f32> = (1..=heads).map(|h| 0.5f32.powi(h as i32)).collect();
        let bias = Bias {
            key_mask: masked.then_some(&mask),
            lengths: padded.then_some(&lengths),
            slopes: leaning.then_some(&slopes),
        };
        let options = AttentionOptions {
            scale: Some(f64::from(s.scale)),
            causal: s.causal,
            window: s.window,
            soft_cap: s.soft_cap.map(f64::from),
            key_mask: masked.then(|| data::tensor_from_bytes(&e, &mask, DType::U8, &[batch, keys], LABEL).unwrap()),
            lengths: padded.then(|| ids(&e, &lengths)),
            slopes: leaning.then(|| tensor(&e, &[heads], &slopes)),
            ..AttentionOptions::new(batch, heads, kv_heads)
        };

        let (y, lse) = attention_forward(&e, q.handle, k.handle, v.handle, options).unwrap();
        let twin = |q: &[f64], k: &[f64], v: &[f64]| reference::attention::attention(&s, &bias, q, k, v);
        let (twin_y, twin_lse) = twin(&q.values, &k.values, &v.values);
        let what = format!("{s:?} {masked} {padded} {leaning}");
        assert_close(&format!("y of {what}"), &read(&e, y), &twin_y, 2e-6);
        assert_close(&format!("logSumExp of {what}"), &read(&e, lse), &twin_lse, 2e-6);

        let saved = AttentionSaved { q: q.handle, k: k.handle, v: v.handle, y, log_sum_exp: lse };
        let [dq, dk, dv] = attention_backward(&e, dy.handle, saved, options).unwrap();
        let loss = |q: &[f64], k: &[f64], v: &[f64]| dot(&twin(q, k, v).0, &dy.values);
        assert_gradient(&format!("dq of {what}"), &read(&e, dq), &q.values, |q| loss(q, &k.values, &v.values));
        assert_gradient(&format!("dk of {what}"), &read(&e, dk), &k.values, |k| loss(&q.values, k, &v.values));
        assert_gradient(&format!("dv of {what}"), &read(&e, dv), &v.values, |v| loss(&q.values, &k.values, v));
    }
}

/// Results and gradients of random inputs that are numbers of bf16, and those of the reference.
fn both_ways(kernel: Kernel, s: &Sizes, random: &mut Random) -> [(Vec<f32>, Vec<f64>); 4] {
    let (of_queries, of_keys) = (s.batch * s.queries * s.heads * s.width, s.batch * s.keys * s.kv_heads * s.width);
    let inputs = [of_queries, of_keys, of_keys, of_queries]
        .map(|count| -> Vec<f32> { random.normals(count).iter().map(|&x| half::bf16::from_f32(x).to_f32()).collect() });
    let [q, k, v, dy] = &inputs;
    let (cancel, bias) = (Cancel::never("test"), Bias::default());
    let (mut y, mut lse) = (vec![f32::NAN; q.len()], vec![f32::NAN; s.batch * s.heads * s.queries]);
    attention::forward(&cancel, kernel, s, (q, k, v), &bias, &mut y, &mut lse).unwrap();
    let mut delta = lse.clone();
    attention::fill_delta(&cancel, s, dy, &y, &mut delta).unwrap();
    let saved = Saved { dy, q, k, v, log_sum_exp: &lse, delta: &delta };
    let (mut dq, mut dk, mut dv) = (q.clone(), k.clone(), v.clone());
    attention::backward(&cancel, kernel, s, saved, &bias, &mut dq, (&mut dk, &mut dv)).unwrap();

    let exact = [q, k, v, dy].map(|x| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    let loss = |at: &[Vec<f64>]| dot(&reference::attention::attention(s, &bias, &at[0], &at[1], &at[2]).0, &exact[3]);
    let slope = |input: usize| {
        let mut moved = exact.to_vec();
        let mut at = |i: usize, step: f64| {
            moved[input][i] = exact[input][i] + step;
            let loss = loss(&moved);
            moved[input][i] = exact[input][i];
            loss
        };
        (0..exact[input].len()).map(|i| (at(i, 1e-5) - at(i, -1e-5)) / 2e-5).collect::<Vec<_>>()
    };
    let twin = reference::attention::attention(s, &bias, &exact[0], &exact[1], &exact[2]).0;
    [(y, twin), (dq, slope(0)), (dk, slope(1)), (dv, slope(2))]
}

#[test]
fn every_instruction_set_agrees_in_both_precisions() {
    let mut random = Random::new(22);
    for [batch, heads, kv_heads, queries, keys, width] in
        [[1, 1, 1, 1, 1, 1], [1, 2, 1, 3, 10, 7], [2, 2, 1, 17, 17, 5], [1, 1, 1, 9, 70, 3], [1, 2, 2, 37, 37, 9]]
    {
        for causal in [true, false] {
            let (window, soft_cap, scale) = (None, None, 0.7 / (width as f32).sqrt());
            let s = Sizes { batch, heads, kv_heads, queries, keys, width, scale, causal, window, soft_cap };
            for (isa, precision) in Isa::available().flat_map(|isa| Precision::ALL.map(|precision| (isa, precision))) {
                // Probabilities, their gradients, and sums of their products are off by bf16's 2^-9.
                let tolerance = if precision == Precision::F32 { 2e-6 } else { 1e-2 };
                let results = both_ways(Kernel::on(isa, precision), &s, &mut random);
                for ((got, expected), name) in results.iter().zip(["y", "dq", "dk", "dv"]) {
                    let what = format!("{name} of {s:?}, {} {}", isa.name(), precision.name());
                    assert_close(&what, got, expected, tolerance);
                }
            }
        }
    }
}

#[test]
fn attention_stands_large_scores() {
    let e = Engine::default();
    for rows in [2, 6] {
        let q = tensor(&e, &[rows, 1], &vec![1e4; rows]);
        let keys: Vec<f32> = (0..rows).map(|i| if i == 0 { 1e4 } else { -1e4 }).collect();
        let values: Vec<f32> = (0..rows).map(|i| 3.0 + i as f32).collect();
        let (k, v) = (tensor(&e, &[rows, 1], &keys), tensor(&e, &[rows, 1], &values));
        let (y, _) = attention_forward(&e, q, k, v, AttentionOptions::new(1, 1, 1)).unwrap();
        assert_eq!(read(&e, y), vec![3.0; rows]);
    }
}

#[test]
fn a_query_that_sees_nothing_gets_zero_and_gives_no_gradient() {
    let e = Engine::default();
    for rows in [2, 40] {
        let (mut random, shape) = (Random::new(21), [rows, 8]);
        let (q, k, v) =
            (normal(&e, &mut random, &shape), normal(&e, &mut random, &shape), normal(&e, &mut random, &shape));
        let hidden = data::tensor_zeros(&e, &[1, rows], DType::U8, LABEL).unwrap();
        let options = AttentionOptions { key_mask: Some(hidden), ..AttentionOptions::new(1, 2, 2) };
        let (y, lse) = attention_forward(&e, q.handle, k.handle, v.handle, options).unwrap();
        assert_eq!(read(&e, y), vec![0.0; rows * 8]);
        let saved = AttentionSaved { q: q.handle, k: k.handle, v: v.handle, y, log_sum_exp: lse };
        for gradient in attention_backward(&e, q.handle, saved, options).unwrap() {
            assert_eq!(read(&e, gradient), vec![0.0; rows * 8]);
        }
    }
}

#[test]
fn no_rows_give_no_rows() {
    let e = Engine::default();
    let none = || tensor(&e, &[0, 4], &[]);
    let options = AttentionOptions::new(1, 2, 2);
    let (q, k, v) = (none(), none(), none());
    let (y, log_sum_exp) = attention_forward(&e, q, k, v, options).unwrap();
    let saved = AttentionSaved { q, k, v, y, log_sum_exp };
    for gradient in attention_backward(&e, none(), saved, options).unwrap() {
        assert!(read(&e, gradient).is_empty());
    }
}

#[test]
fn the_cache_returns_what_was_written() {
    let e = Engine::default();
    let cache = data::tensor_zeros(&e, &[2, 4, 2], DType::F32, LABEL).unwrap();
    cache_write(&e, cache, tensor(&e, &[4, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), 0).unwrap();
    cache_write(&e, cache, tensor(&e, &[2, 2], &[9.0, 10.0, 11.0, 12.0]), 2).unwrap();
    let expected = [1.0, 2.0, 3.0, 4.0, 9.0, 10.0, 5.0, 6.0, 7.0, 8.0, 11.0, 12.0];
    assert_eq!(read(&e, cache_read(&e, cache, 3).unwrap()), expected);
    let code = cache_write(&e, cache, tensor(&e, &[4, 2], &[0.0; 8]), 3).unwrap_err().code();
    assert_eq!(code, "OptionError");
}
