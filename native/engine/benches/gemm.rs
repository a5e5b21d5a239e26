//! Products with packed weights beside the dense product of the same shape: `cargo bench --bench gemm`.
//!
//! Contenders take turns in one process and each is judged by its fastest run, so ratios hold on a busy machine where
//! figures do not. `NIBBLE_LAB_THREADS` and `NIBBLE_LAB_ISA` choose threads and instruction set.

#![expect(clippy::print_stdout, reason = "a benchmark prints a table")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]

use std::time::Instant;

use nibble_engine::Cancel;
use nibble_engine::cpu::gemm::{self, MatRef};
use nibble_engine::cpu::{pool, processor_name, simd};
use nibble_engine::format::{self, Format, IntegerGrid, PackedRef, Scales};

/// Seconds for each row of the table.
const SECONDS: f64 = 1.0;

fn main() {
    let isa = simd::isa().unwrap().name();
    println!("{}, {isa}, threads: {}; GF/s, and ratios to the dense product", processor_name(), pool::threads());
    println!(
        "{:>5} {:>5}  {:>6}  {:>7} {:>7} {:>7} | forward, dX, dS ÷ dense",
        "M", "N = K", "format", "x·wᵀ", "dy·w", "dyᵀ·x"
    );
    for size in [768, 2048] {
        let numbers: Vec<f32> = (0..size * size).map(|i| ((i * 7919 % 1009) as f32 - 504.0) / 400.0).collect();
        for format in [Format::Nf4, Format::Int4, Format::Int2] {
            let packed = Packed::new(format, &numbers, size);
            for m in [1, 8, 32, 128, 512] {
                row(m, size, &numbers, &packed);
            }
        }
    }
}

struct Packed {
    format: Format,
    size: usize,
    grid: IntegerGrid,
}

impl Packed {
    fn new(format: Format, numbers: &[f32], size: usize) -> Packed {
        let grid = if format == Format::Nf4 {
            let (codes, scales) = format::quantize_nf4("bench", numbers, 64).unwrap();
            IntegerGrid { codes, scales, zero_points: vec![] }
        } else {
            format::quantize_integer("bench", numbers, [size, size], format.bits(), 64, false).unwrap()
        };
        Packed { format, size, grid }
    }

    fn view(&self) -> PackedRef<'_> {
        PackedRef {
            format: self.format,
            rows: self.size,
            columns: self.size,
            group: 64,
            codes: &self.grid.codes,
            scales: Scales::Plain(&self.grid.scales),
            zero_points: &self.grid.zero_points,
        }
    }
}

fn row(m: usize, size: usize, w: &[f32], packed: &Packed) {
    let (cancel, x, view) = (Cancel::never("bench"), &w[..m * size], packed.view());
    let (mut y, mut dw, mut ds) = (vec![0.0; m * size], vec![0.0; size * size], vec![0.0; size * size.div_ceil(64)]);
    let plain = |data| MatRef { data, transposed: false, stride: size };
    let turned = |data| MatRef { data, transposed: true, stride: size };
    let mut best = [f64::INFINITY; 6];
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < SECONDS {
        for (which, best) in best.iter_mut().enumerate() {
            let before = Instant::now();
            match which {
                0 => gemm::matmul(m, size, size, plain(x), turned(w), 1.0, &mut y, false, &cancel),
                1 => gemm::packed_forward(m, x, &view, &mut y, &cancel),
                2 => gemm::matmul(m, size, size, plain(x), plain(w), 1.0, &mut y, false, &cancel),
                3 => gemm::packed_backward_input(m, x, &view, &mut y, &cancel),
                4 => gemm::matmul(size, size, m, turned(x), plain(x), 1.0, &mut dw, false, &cancel),
                _ if view.format.is_integer() => gemm::packed_backward_scales(m, x, x, &view, &mut ds, &cancel),
                _ => continue,
            }
            .unwrap();
            *best = best.min(before.elapsed().as_secs_f64());
        }
    }
    let speed = best.map(|seconds| 2e-9 * (m * size * size) as f64 / seconds);
    let [nt, forward, nn, input, tn, scales] = speed;
    let name = view.format.name();
    let ds = if view.format.is_integer() { format!("{:.2}", scales / tn) } else { "-".into() };
    println!(
        "{m:>5} {size:>5}  {name:>6}  {nt:>7.1} {nn:>7.1} {tn:>7.1} | {:.2}  {:.2}  {ds}",
        forward / nt,
        input / nn
    );
}
