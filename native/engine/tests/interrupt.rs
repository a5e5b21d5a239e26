//! The interrupt flag stops operations and leaves nothing behind.

use std::time::Duration;

use nibble_engine::Engine;
use nibble_engine::ops::cross_entropy::{CrossEntropyOptions, linear_cross_entropy};
use nibble_engine::ops::matmul::{MatmulOptions, matmul};
use nibble_engine::ops::{activation, attention, elementwise, norm, softmax};

use crate::helpers::{ids, normal, tensor};
use crate::random::Random;

#[test]
fn every_operation_stops_at_once_while_the_flag_is_up() {
    let (e, mut random) = (Engine::default(), Random::new(70));
    let x = normal(&e, &mut random, &[64, 32]).handle;
    let weight = normal(&e, &mut random, &[32]).handle;
    let targets = ids(&e, &[1; 64]);
    let options = attention::AttentionOptions::new(1, 2, 2);
    let (live, tensors) = (e.ledger().stats()[0].1.live, e.live_tensors());
    e.interrupt();
    assert!(e.is_interrupted());
    let both = MatmulOptions { transpose_b: true, ..MatmulOptions::default() };
    let results = [
        elementwise::add(&e, x, x).map(drop),
        softmax::softmax_forward(&e, x).map(drop),
        activation::gated_forward(&e, x, x, activation::Activation::Silu).map(drop),
        matmul(&e, x, x, both).map(drop),
        norm::rms_norm_forward(&e, x, weight, 1e-5).map(drop),
        attention::attention_forward(&e, x, x, x, options).map(drop),
        linear_cross_entropy(&e, x, x, targets, CrossEntropyOptions::default()).map(drop),
    ];
    for result in results {
        assert_eq!(result.unwrap_err().code(), "InterruptedError");
    }
    assert_eq!((e.ledger().stats()[0].1.live, e.live_tensors()), (live, tensors));
    e.clear_interrupt();
    elementwise::add(&e, x, x).unwrap();
}

#[test]
fn a_running_operation_is_stopped_from_another_thread() {
    let e = Engine::default();
    let n = 1 << 10;
    let x = tensor(&e, &[n, n], &vec![1.0; n * n]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            e.interrupt();
        });
        // Multiplies until it is stopped: without the flag this never ends.
        let error = loop {
            match matmul(&e, x, x, MatmulOptions::default()) {
                Ok(handle) => e.dispose(handle).unwrap(),
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), "InterruptedError");
    });
    assert_eq!(e.live_tensors(), 1);
    assert_eq!(e.ledger().stats()[0].1.live, (n * n * 4) as u64);
}
