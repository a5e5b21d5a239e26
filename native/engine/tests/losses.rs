//! Cross-entropy, AdamW, norms of gradients.

use nibble_engine::cpu::adamw::AdamW;
use nibble_engine::ops::cross_entropy::{CrossEntropyOptions, linear_cross_entropy};
use nibble_engine::ops::optimizer::{adamw_step, global_norm};
use nibble_engine::{Engine, reference};

use crate::helpers::{assert_close, assert_gradient, ids, normal, read, tensor};
use crate::random::Random;

#[test]
fn cross_entropy_and_its_gradients_agree() {
    let (e, mut random) = (Engine::default(), Random::new(30));
    for (tokens, width, vocabulary) in [(0, 3, 5), (1, 1, 1), (7, 5, 11), (33, 16, 65), (20, 8, 3000)] {
        let x = normal(&e, &mut random, &[tokens, width]);
        let weight = normal(&e, &mut random, &[vocabulary, width]);
        let numbers: Vec<i32> = (0..tokens)
            .map(|i| if i % 5 == 3 { -100 } else { (random.next_u64() % vocabulary as u64) as i32 })
            .collect();
        let targets: Vec<_> = numbers.iter().map(|&id| usize::try_from(id).ok()).collect();
        let options = CrossEntropyOptions {
            want_input: true,
            want_weight: true,
            want_token_losses: true,
            gradient_scale: 0.25,
            ..CrossEntropyOptions::default()
        };
        let result = linear_cross_entropy(&e, x.handle, weight.handle, ids(&e, &numbers), options).unwrap();
        let twin = |x: &[f64], w: &[f64]| reference::cross_entropy::linear_cross_entropy(x, w, width, &targets);
        let losses = twin(&x.values, &weight.values);
        assert_close("tokenLosses", &read(&e, result.token_losses.unwrap()), &losses, 2e-6);
        assert!((result.loss - losses.iter().sum::<f64>()).abs() < 1e-4 * (1.0 + result.loss.abs()));
        assert_eq!(result.tokens, targets.iter().flatten().count());
        let loss = |x: &[f64], w: &[f64]| 0.25 * twin(x, w).iter().sum::<f64>();
        assert_gradient("dx", &read(&e, result.input.unwrap()), &x.values, |x| loss(x, &weight.values));
        assert_gradient("dweight", &read(&e, result.weight.unwrap()), &weight.values, |w| loss(&x.values, w));
    }
}

#[test]
fn chunks_of_tokens_do_not_show() {
    // 40,000 words let 52 tokens into a chunk: 120 tokens are three.
    let (e, mut random) = (Engine::default(), Random::new(31));
    let (tokens, width, vocabulary) = (120, 2, 40_000);
    let x = normal(&e, &mut random, &[tokens, width]);
    let weight = normal(&e, &mut random, &[vocabulary, width]);
    let numbers: Vec<i32> = (0..tokens as i32).map(|i| i * 331).collect();
    let options = CrossEntropyOptions { want_token_losses: true, ..CrossEntropyOptions::default() };
    e.ledger().reset_peak();
    let before = e.ledger().stats()[0].1.live;
    let result = linear_cross_entropy(&e, x.handle, weight.handle, ids(&e, &numbers), options).unwrap();
    let targets: Vec<_> = numbers.iter().map(|&id| Some(id as usize)).collect();
    let twin = reference::cross_entropy::linear_cross_entropy(&x.values, &weight.values, width, &targets);
    assert_close("tokenLosses", &read(&e, result.token_losses.unwrap()), &twin, 2e-6);
    let used = e.ledger().stats()[0].1.peak - before;
    assert!(used < (tokens * vocabulary * 4) as u64 / 2, "{used} bytes: the logits exist whole");
}

#[test]
fn adamw_agrees_over_many_steps() {
    let (e, mut random) = (Engine::default(), Random::new(32));
    for n in [0, 1, 17, 4096, 4097, 10_000] {
        let p = normal(&e, &mut random, &[n]);
        let (m, v) = (tensor(&e, &[n], &vec![0.0; n]), tensor(&e, &[n], &vec![0.0; n]));
        let (mut twin, mut first, mut second) = (p.values.clone(), vec![0.0; n], vec![0.0; n]);
        for step in 1..=5 {
            let g = normal(&e, &mut random, &[n]);
            let options = AdamW {
                learning_rate: 1e-2,
                beta1: 0.9,
                beta2: 0.95,
                epsilon: 1e-8,
                weight_decay: 0.1,
                step: f64::from(step),
                gradient_scale: 0.5,
            };
            adamw_step(&e, &[p.handle], &[g.handle], &[m], &[v], options).unwrap();
            reference::adamw::adamw(&mut twin, &g.values, &mut first, &mut second, &options);
        }
        assert_close("p", &read(&e, p.handle), &twin, 1e-6);
        assert_close("m", &read(&e, m), &first, 1e-6);
        assert_close("v", &read(&e, v), &second, 1e-6);
    }
}

#[test]
fn a_bad_list_changes_nothing() {
    let e = Engine::default();
    let make = |n: usize| tensor(&e, &[n], &vec![1.0; n]);
    let (p, g, m, v) = ([make(2), make(3)], [make(2), make(4)], [make(2), make(3)], [make(2), make(3)]);
    let options = AdamW {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.9,
        epsilon: 1e-8,
        weight_decay: 0.0,
        step: 1.0,
        gradient_scale: 1.0,
    };
    assert_eq!(adamw_step(&e, &p, &g, &m, &v, options).unwrap_err().code(), "ShapeError");
    assert_eq!(read(&e, p[0]), [1.0, 1.0]);
    assert_eq!(adamw_step(&e, &p[..1], &p[..1], &m[..1], &v[..1], options).unwrap_err().code(), "OptionError");
}

#[test]
fn the_norm_spans_all_tensors() {
    let e = Engine::default();
    let norm = global_norm(&e, &[tensor(&e, &[1], &[3.0]), tensor(&e, &[2], &[0.0, 4.0])]).unwrap();
    assert_eq!(norm, 5.0);
    assert_eq!(global_norm(&e, &[]).unwrap(), 0.0);
}

#[test]
fn a_parameter_given_twice_is_refused() {
    let e = Engine::default();
    let make = || tensor(&e, &[2], &[1.0; 2]);
    let (p, g, m, v) = (make(), make(), make(), make());
    let view = nibble_engine::ops::data::tensor_reshape(&e, p, &[2]).unwrap();
    let options = AdamW {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.9,
        epsilon: 1e-8,
        weight_decay: 0.0,
        step: 1.0,
        gradient_scale: 1.0,
    };
    for (parameters, gradients, first) in [([p, view], [g, g], [m, make()]), ([p, make()], [p, g], [m, make()])] {
        let error = adamw_step(&e, &parameters, &gradients, &first, &[v, make()], options).unwrap_err();
        assert_eq!(error.code(), "OptionError", "{error}");
    }
    adamw_step(&e, &[p, make()], &[g, g], &[m, make()], &[v, make()], options).unwrap();
}
