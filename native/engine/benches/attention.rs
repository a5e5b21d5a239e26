//! Causal attention, forward and backward: `cargo bench --bench attention [-- SECONDS]`, the fastest run of each.

#![expect(clippy::print_stdout, reason = "a benchmark prints a table")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]

use std::time::Instant;

use nibble_engine::cpu::attention::{self, Bias, Kernel, Saved, Sizes};
use nibble_engine::cpu::{pool, processor_name, simd};
use nibble_engine::{Cancel, Precision};

/// batch, heads, kv_heads, tokens, width
const SHAPES: [[usize; 5]; 4] =
    [[4, 12, 12, 128, 64], [1, 12, 12, 512, 64], [1, 12, 12, 1024, 64], [2, 8, 2, 512, 128]];

fn main() {
    let seconds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(0.5);
    println!("{}, {}, threads: {}", processor_name(), simd::isa().unwrap().name(), pool::threads());
    println!("causal attention, GF/s (4 and 10 operations for each element of a seen key)");
    for shape in SHAPES {
        Precision::ALL.into_iter().for_each(|precision| row(shape, precision, seconds));
    }
}

fn row([batch, heads, kv_heads, tokens, width]: [usize; 5], precision: Precision, seconds: f64) {
    let s = Sizes {
        batch,
        heads,
        kv_heads,
        queries: tokens,
        keys: tokens,
        width,
        scale: 1.0 / (width as f32).sqrt(),
        causal: true,
        window: None,
        soft_cap: None,
    };
    let numbers = |heads: usize, seed: usize| -> Vec<f32> {
        (0..batch * tokens * heads * width).map(|i| ((i * 7919 + seed) % 1009) as f32 / 504.0 - 1.0).collect()
    };
    let (q, k, v, dy) = (numbers(heads, 1), numbers(kv_heads, 2), numbers(kv_heads, 3), numbers(heads, 4));
    let (mut y, mut lse, mut delta) = (q.clone(), vec![0.0; batch * heads * tokens], vec![0.0; batch * heads * tokens]);
    let (mut dq, mut dk, mut dv) = (q.clone(), k.clone(), v.clone());
    let kernel = Kernel::new(precision).unwrap();
    let (cancel, bias) = (Cancel::never("bench"), Bias::default());
    let (mut forward, mut backward, start) = (f64::INFINITY, f64::INFINITY, Instant::now());
    while start.elapsed().as_secs_f64() < seconds {
        let before = Instant::now();
        attention::forward(&cancel, kernel, &s, (&q, &k, &v), &bias, &mut y, &mut lse).unwrap();
        forward = forward.min(before.elapsed().as_secs_f64());
        let before = Instant::now();
        attention::fill_delta(&cancel, &s, &dy, &y, &mut delta).unwrap();
        let saved = Saved { dy: &dy, q: &q, k: &k, v: &v, log_sum_exp: &lse, delta: &delta };
        attention::backward(&cancel, kernel, &s, saved, &bias, &mut dq, (&mut dk, &mut dv)).unwrap();
        backward = backward.min(before.elapsed().as_secs_f64());
    }
    let seen = (batch * heads * tokens * (tokens + 1) / 2 * width) as f64 * 1e-9;
    println!(
        "{batch} x {heads}/{kv_heads} T {tokens:>4} D {width:>3} {:>4}: {:>8.3} ms {:>6.1} GF/s | {:>8.3} ms {:>6.1} GF/s",
        precision.name(),
        forward * 1e3,
        4.0 * seen / forward,
        backward * 1e3,
        10.0 * seen / backward
    );
}
