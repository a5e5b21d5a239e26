//! Matrix products beside the roof of the processor: `cargo bench --bench gemm [-- SECONDS]`.
//!
//! Contenders take turns in one process and each is judged by its fastest run, so ratios hold on a busy machine where
//! figures do not. `NIBBLE_LAB_THREADS` and `NIBBLE_LAB_ISA` choose threads and instruction set. `npm run bench -- gemm`
//! puts PyTorch and OpenBLAS beside them.

#![expect(clippy::print_stdout, reason = "a benchmark prints a table")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]

use std::time::Instant;

use nibble_engine::cpu::gemm::{Gemm, MatRef};
use nibble_engine::cpu::{pool, processor_name, simd};
use nibble_engine::format::{self, Format, IntegerGrid, PackedRef, Scales};
use nibble_engine::{Cancel, Precision};

const ROWS: [usize; 5] = [1, 8, 32, 128, 512];

fn main() {
    let seconds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(0.5);
    let isa = simd::isa().unwrap().name();
    println!("{}, {isa}, threads: {}", processor_name(), pool::threads());
    println!("GF/s of the dense products x·wᵀ, dy·w, dyᵀ·x; then packed ones ÷ dense: x·wᵀ, dy·w, dS");
    for size in [768, 2048] {
        let numbers: Vec<f32> = (0..size * size).map(|i| ((i * 7919 % 1009) as f32 - 504.0) / 400.0).collect();
        let packed = [Format::Nf4, Format::Int4, Format::Int2].map(|format| Packed::new(format, &numbers, size));
        for precision in Precision::ALL {
            for m in ROWS {
                row(Gemm::new(precision).unwrap(), [m, size], &numbers, &packed, seconds);
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
        let grid = if !format.is_integer() {
            let (codes, scales) = format::quantize_blocks("bench", format, numbers, 64).unwrap();
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

/// Seconds of the fastest run of each.
fn race<const N: usize>(seconds: f64, mut run: impl FnMut(usize)) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        for (which, best) in best.iter_mut().enumerate() {
            let before = Instant::now();
            run(which);
            *best = best.min(before.elapsed().as_secs_f64());
        }
    }
    best
}

fn row(gemm: Gemm, [m, size]: [usize; 2], w: &[f32], packed: &[Packed; 3], seconds: f64) {
    let (cancel, x) = (Cancel::never("bench"), &w[..m * size]);
    let (mut y, mut dw, mut ds) = (vec![0.0; m * size], vec![0.0; size * size], vec![0.0; size * size.div_ceil(64)]);
    let plain = |data| MatRef { data, transposed: false, stride: size };
    let turned = |data| MatRef { data, transposed: true, stride: size };
    let times: [f64; 11] = race(seconds, |which| {
        let view = packed[which.saturating_sub(3) % 3].view();
        match which {
            0 => gemm.matmul(m, size, size, plain(x), turned(w), 1.0, &mut y, false, &cancel),
            1 => gemm.matmul(m, size, size, plain(x), plain(w), 1.0, &mut y, false, &cancel),
            2 => gemm.matmul(size, size, m, turned(x), plain(x), 1.0, &mut dw, false, &cancel),
            3..6 => gemm.packed_forward(m, x, &view, &mut y, &cancel),
            6..9 => gemm.packed_backward_input(m, x, &view, &mut y, &cancel),
            _ => gemm.packed_backward_scales(m, x, x, &packed[which - 8].view(), &mut ds, &cancel),
        }
        .unwrap();
    });
    let [nt, nn, tn] = [times[0], times[1], times[2]].map(|time| 2e-9 * (m * size * size) as f64 / time);
    print!("M {m:>4}, N = K {size:>4}, {:>4}: {nt:>6.1} {nn:>6.1} {tn:>6.1}", gemm.precision().name());
    for (i, packed) in packed.iter().enumerate() {
        print!(" | {} {:.2} {:.2}", packed.format.name(), times[0] / times[3 + i], times[1] / times[6 + i]);
        if i > 0 {
            print!(" {:.2}", times[2] / times[8 + i]);
        }
    }
    println!();
}
