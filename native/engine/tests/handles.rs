//! Handles: stale ones, garbage, views, generations.

use nibble_engine::ops::{data, elementwise};
use nibble_engine::{DType, Engine};

use crate::helpers::{LABEL, read, tensor};

#[test]
fn a_stale_handle_throws_and_its_successor_does_not() {
    let e = Engine::default();
    let first = tensor(&e, &[1], &[1.0]);
    e.dispose(first).unwrap();
    let second = tensor(&e, &[1], &[2.0]);
    assert_ne!(first, second);
    let error = data::tensor_info(&e, first).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("was disposed")), ("DisposedError", true));
    assert_eq!(read(&e, second), [2.0]);
    // Twice is fine, also when the slot is in use again; the successor stays.
    e.dispose(first).unwrap();
    e.dispose(first).unwrap();
    assert_eq!(read(&e, second), [2.0]);
}

#[test]
fn what_never_was_a_tensor_is_refused_everywhere() {
    let e = Engine::default();
    let live = tensor(&e, &[1], &[1.0]);
    let future = live + 2f64.powi(26);
    for garbage in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.5, 1e300, 2f64.powi(53), live + 1.0, future] {
        assert_eq!(data::tensor_info(&e, garbage).unwrap_err().code(), "DisposedError", "{garbage}");
        assert_eq!(e.dispose(garbage).unwrap_err().code(), "DisposedError", "{garbage}");
    }
}

#[test]
fn handles_are_integers_that_a_double_holds() {
    let e = Engine::default();
    let mut last = 0.0;
    for _ in 0..1000 {
        let handle = tensor(&e, &[0], &[]);
        assert!(handle.fract() == 0.0 && handle < 2f64.powi(53) && handle != last);
        e.dispose(handle).unwrap();
        last = handle;
    }
    assert_eq!(e.live_tensors(), 0);
}

#[test]
fn a_view_keeps_the_bytes_and_is_counted_once() {
    let e = Engine::default();
    let x = data::tensor_zeros(&e, &[4, 4], DType::F32, LABEL).unwrap();
    let view = data::tensor_reshape(&e, x, &[16]).unwrap();
    let live = || e.ledger().stats()[0].1.live;
    assert_eq!((live(), e.live_tensors()), (64, 2));
    data::tensor_write(&e, x, &[0x3f; 64]).unwrap();
    e.dispose(x).unwrap();
    assert_eq!((live(), read(&e, view)[15]), (64, f32::from_le_bytes([0x3f; 4])));
    e.dispose(view).unwrap();
    assert_eq!((live(), e.live_tensors()), (0, 0));
}

#[test]
fn a_reading_shows_the_moment_of_the_call() {
    let e = Engine::default();
    let x = tensor(&e, &[1], &[1.0]);
    let later = data::tensor_read_later(&e, x).unwrap();
    data::tensor_write(&e, x, &2f32.to_le_bytes()).unwrap();
    e.dispose(x).unwrap();
    assert_eq!(later().unwrap(), 1f32.to_le_bytes());
}

#[test]
fn an_operation_reads_a_tensor_twice_while_another_thread_waits_to_write_it() {
    let e = Engine::default();
    let x = tensor(&e, &[1], &[1.0]);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for _ in 0..20_000 {
                e.dispose(elementwise::add(&e, x, x).unwrap()).unwrap();
            }
        });
        for _ in 0..20_000 {
            elementwise::scale_in_place(&e, x, 1.0).unwrap();
        }
    });
    assert_eq!(read(&e, x), [1.0]);
}
