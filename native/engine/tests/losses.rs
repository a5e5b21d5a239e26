//! Cross-entropy.

use nibble_engine::ops::cross_entropy::{CrossEntropyOptions, linear_cross_entropy};
use nibble_engine::{Engine, reference};

use crate::helpers::{assert_close, assert_gradient, ids, normal, read};
use crate::random::Random;

#[test]
fn cross_entropy_and_its_gradients_agree() {
    let (e, mut random) = (Engine::default(), Random::new(30));
    for (tokens, width, vocabulary, smoothing) in
        [(0, 3, 5, 0.0), (1, 1, 1, 0.3), (7, 5, 11, 0.1), (33, 16, 65, 0.0), (20, 8, 3000, 1.0)]
    {
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
            label_smoothing: smoothing,
            ..CrossEntropyOptions::default()
        };
        let result = linear_cross_entropy(&e, x.handle, weight.handle, ids(&e, &numbers), options).unwrap();
        let twin =
            |x: &[f64], w: &[f64]| reference::cross_entropy::linear_cross_entropy(x, w, width, &targets, smoothing);
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
    let twin = reference::cross_entropy::linear_cross_entropy(&x.values, &weight.values, width, &targets, 0.0);
    assert_close("tokenLosses", &read(&e, result.token_losses.unwrap()), &twin, 2e-6);
    let used = e.ledger().stats()[0].1.peak - before;
    assert!(used < (tokens * vocabulary * 4) as u64 / 2, "{used} bytes: the logits exist whole");
}
