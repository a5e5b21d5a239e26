//! The account of memory: categories add up, the peak's composition adds up, the limit names owners.

use nibble_engine::memory::{EVENTS_KEPT, Ledger};
use nibble_engine::ops::{attention, data, elementwise};
use nibble_engine::{Category, DType, Device, Engine};
use std::sync::Arc;

use crate::helpers::{normal, tensor};
use crate::random::Random;

fn assert_adds_up(e: &Engine) {
    for (_, stats) in e.ledger().stats() {
        assert_eq!(stats.live_by_category.iter().sum::<u64>(), stats.live);
        assert_eq!(stats.at_peak_by_category.iter().sum::<u64>(), stats.peak);
        for (own, at_peak) in stats.peak_by_category.iter().zip(&stats.at_peak_by_category) {
            assert!(own >= at_peak);
        }
    }
    let owners: u64 = e.ledger().owners(usize::MAX).iter().map(|held| held.bytes).sum();
    assert_eq!(owners, e.ledger().stats().iter().map(|(_, stats)| stats.live).sum::<u64>());
}

#[test]
fn categories_and_the_peak_add_up_while_operations_run() {
    let (e, mut random) = (Engine::default(), Random::new(60));
    let options = attention::AttentionOptions::new(1, 2, 1);
    let mut results = Vec::new();
    for n in [3, 20, 9] {
        let (q, k) = (normal(&e, &mut random, &[n, 8]), normal(&e, &mut random, &[n, 4]));
        let (y, lse) = attention::attention_forward(&e, q.handle, k.handle, k.handle, options).unwrap();
        results.extend([q.handle, k.handle, y, lse, elementwise::add(&e, y, y).unwrap()]);
        assert_adds_up(&e);
    }
    let stats = e.ledger().stats()[0].1;
    assert_eq!(stats.live_by_category[Category::Workspace as usize], 0, "workspace is given back");
    assert!(stats.at_peak_by_category[Category::Workspace as usize] > 0, "workspace was charged");
    data::tensor_relabel(&e, results[0], (Category::Optimizer, "moved")).unwrap();
    assert_eq!(e.ledger().stats()[0].1.live_by_category[Category::Optimizer as usize], 3 * 8 * 4);
    assert_adds_up(&e);
    for handle in results {
        e.dispose(handle).unwrap();
    }
    assert_adds_up(&e);
    assert_eq!(e.ledger().stats()[0].1.live, 0);
    assert!(e.ledger().owners(9).is_empty());
    let peak = e.ledger().stats()[0].1.peak;
    e.ledger().reset_peak();
    assert!(peak > 0 && e.ledger().stats()[0].1.peak == 0);
}

#[test]
fn the_limit_names_the_largest_owners_and_takes_nothing() {
    let e = Engine::default();
    data::tensor_zeros(&e, &[1000], DType::U8, (Category::Weights, "model")).unwrap();
    data::tensor_zeros(&e, &[10], DType::U8, (Category::Cache, "cache")).unwrap();
    e.ledger().set_limit(1500);
    let error = data::tensor_zeros(&e, &[600], DType::U8, (Category::Activations, "big")).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), "OutOfMemoryError");
    for part in
        ["600 bytes of activations", "1010 bytes are in use of 1500 allowed", "model (weights, 1000 bytes), cache"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(e.ledger().stats()[0].1.live, 1010);
    data::tensor_zeros(&e, &[490], DType::U8, (Category::Activations, "fits")).unwrap();
    e.ledger().set_limit(0);
    data::tensor_zeros(&e, &[600], DType::U8, (Category::Activations, "big")).unwrap();
}

#[test]
fn an_operation_that_hits_the_limit_leaves_nothing() {
    let e = Engine::default();
    let x = tensor(&e, &[100, 8], &[1.0; 800]);
    let (live, tensors) = (e.ledger().stats()[0].1.live, e.live_tensors());
    let options = attention::AttentionOptions::new(1, 2, 2);
    for extra in (0..20_000).step_by(1700) {
        e.ledger().set_limit(live + extra);
        if let Ok((y, lse)) = attention::attention_forward(&e, x, x, x, options) {
            e.dispose(y).unwrap();
            e.dispose(lse).unwrap();
        }
        assert_eq!((e.ledger().stats()[0].1.live, e.live_tensors()), (live, tensors));
    }
}

#[test]
fn absurd_shapes_are_errors() {
    let e = Engine::default();
    for shape in [&[usize::MAX, 2][..], &[1 << 39, 4], &[0, usize::MAX, usize::MAX], &[1; 9]] {
        assert_eq!(
            data::tensor_zeros(&e, shape, DType::F32, (Category::Weights, "x")).unwrap_err().code(),
            "ShapeError"
        );
    }
    let huge = data::tensor_zeros(&e, &[1 << 39], DType::F32, (Category::Weights, "x")).unwrap_err();
    assert_eq!(huge.code(), "OutOfMemoryError");
    assert_eq!(e.ledger().stats()[0].1.live, 0);
}

#[test]
fn events_are_numbered_and_bounded() {
    let ledger = Arc::new(Ledger::default());
    for i in 0..EVENTS_KEPT {
        ledger.charge("test", Device::Cpu, Category::Cache, &format!("owner {}", i % 3), 5).unwrap();
    }
    let events = ledger.events(0);
    assert_eq!(events.len(), EVENTS_KEPT);
    assert_eq!(events[0].sequence, EVENTS_KEPT as u64);
    assert!(
        events.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence && pair[0].time_ms <= pair[1].time_ms)
    );
    let last = events[EVENTS_KEPT - 1].clone();
    assert_eq!(ledger.events(last.sequence), std::slice::from_ref(&last));
    assert!(ledger.events(last.sequence + 1).is_empty());
    assert!(!last.allocate && last.bytes == 5);
}
