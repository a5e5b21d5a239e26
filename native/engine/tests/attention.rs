//! Attention and the cache of keys and values.

use nibble_engine::cpu::attention::Sizes;
use nibble_engine::ops::attention::{AttentionOptions, AttentionSaved, attention_backward, attention_forward};
use nibble_engine::ops::cache::{cache_read, cache_write};
use nibble_engine::ops::data;
use nibble_engine::{DType, Engine, reference};

use crate::helpers::{LABEL, assert_close, assert_gradient, dot, normal, read, tensor};
use crate::random::Random;

/// batch, heads, kv_heads, queries, keys, width: alone, odd, grouped, around the blocks, continued from a cache.
const SHAPES: [[usize; 6]; 9] = [
    [1, 1, 1, 1, 1, 1],
    [2, 4, 2, 5, 5, 6],
    [1, 3, 1, 17, 17, 8],
    [2, 2, 2, 63, 63, 4],
    [1, 2, 1, 64, 64, 16],
    [1, 2, 2, 65, 65, 5],
    [1, 2, 1, 130, 130, 32],
    [2, 4, 2, 1, 70, 8],
    [1, 2, 1, 3, 67, 16],
];

#[test]
fn attention_and_its_gradients_agree() {
    let (e, mut random) = (Engine::default(), Random::new(20));
    for [batch, heads, kv_heads, queries, keys, width] in SHAPES {
        let scale = (0.7 / (width as f64).sqrt()) as f32;
        let s = Sizes { batch, heads, kv_heads, queries, keys, width, scale };
        let q = normal(&e, &mut random, &[batch * queries, heads * width]);
        let k = normal(&e, &mut random, &[batch * keys, kv_heads * width]);
        let v = normal(&e, &mut random, &[batch * keys, kv_heads * width]);
        let dy = normal(&e, &mut random, &[batch * queries, heads * width]);
        let options = AttentionOptions { batch, heads, kv_heads, scale: Some(f64::from(scale)) };

        let (y, lse) = attention_forward(&e, q.handle, k.handle, v.handle, options).unwrap();
        let (twin, twin_lse) = reference::attention::attention(&s, &q.values, &k.values, &v.values);
        assert_close("y", &read(&e, y), &twin, 2e-6);
        assert_close("logSumExp", &read(&e, lse), &twin_lse, 2e-6);

        let saved = AttentionSaved { q: q.handle, k: k.handle, v: v.handle, y, log_sum_exp: lse };
        let [dq, dk, dv] = attention_backward(&e, dy.handle, saved, options).unwrap();
        let loss = |q: &[f64], k: &[f64], v: &[f64]| dot(&reference::attention::attention(&s, q, k, v).0, &dy.values);
        assert_gradient("dq", &read(&e, dq), &q.values, |q| loss(q, &k.values, &v.values));
        assert_gradient("dk", &read(&e, dk), &k.values, |k| loss(&q.values, k, &v.values));
        assert_gradient("dv", &read(&e, dv), &v.values, |v| loss(&q.values, &k.values, v));
    }
}

#[test]
fn attention_stands_large_scores() {
    let e = Engine::default();
    let q = tensor(&e, &[2, 1], &[1e4, 1e4]);
    let k = tensor(&e, &[2, 1], &[1e4, -1e4]);
    let v = tensor(&e, &[2, 1], &[3.0, 5.0]);
    let options = AttentionOptions { batch: 1, heads: 1, kv_heads: 1, scale: None };
    let (y, _) = attention_forward(&e, q, k, v, options).unwrap();
    assert_eq!(read(&e, y), [3.0, 3.0]);
}

#[test]
fn no_rows_give_no_rows() {
    let e = Engine::default();
    let none = || tensor(&e, &[0, 4], &[]);
    let options = AttentionOptions { batch: 1, heads: 2, kv_heads: 2, scale: None };
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
