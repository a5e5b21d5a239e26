//! Matrix products on every instruction set of this machine and in every precision, against float64 sums of operands
//! rounded as the precision says (so that native and emulated bf16 agree within the rounding of sums): all layouts,
//! ragged shapes, and the same bits on any number of threads. Packed weights: [`crate::packed`].

use half::{bf16, f16};
use nibble_engine::cpu::gemm::{self, Gemm, MatRef, Output};
use nibble_engine::cpu::simd::Isa;
use nibble_engine::format::Format;
use nibble_engine::{Cancel, Precision};

use crate::packed::Packed;
use crate::random::Random;

pub const CANCEL: fn() -> Cancel = || Cancel::never("test");

/// The instruction sets of this machine, each in every precision.
pub fn kinds() -> impl Iterator<Item = (Isa, Precision)> {
    Isa::available().flat_map(|isa| Precision::ALL.map(|precision| (isa, precision)))
}

/// As an operand is rounded.
pub fn rounded(precision: Precision, x: f32) -> f32 {
    match precision {
        Precision::F32 => x,
        Precision::Bf16 => bf16::from_f32(x).to_f32(),
    }
}

/// `Σ_k a·b` of rounded operands in f64, and the sum of magnitudes, which bounds the rounding.
pub fn reference(
    precision: Precision,
    [m, n, k]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
) -> Vec<[f64; 2]> {
    let mut out = Vec::new();
    for i in 0..m {
        for j in 0..n {
            let (a, b) = (|l| f64::from(rounded(precision, a(i, l))), |l| f64::from(rounded(precision, b(l, j))));
            let products = (0..k).map(|l| a(l) * b(l));
            out.push(products.fold([0.0, 0.0], |[sum, size], p| [sum + p, size + p.abs()]));
        }
    }
    out
}

pub fn assert_close(what: &str, got: &[f32], expected: &[[f64; 2]], k: usize) {
    assert_eq!(got.len(), expected.len(), "{what}");
    // Each of k additions rounds by half an ulp of a partial sum.
    let bound = (k as f64).sqrt().max(4.0) * 2.0 * f64::from(f32::EPSILON);
    for (i, (got, [sum, size])) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(*got) - sum).abs();
        assert!(error <= bound * size + 1e-30, "{what}, element {i}: {got} instead of {sum}");
    }
}

/// A matrix `[rows, columns]` stored as asked, with three unused elements after each row.
struct Stored {
    data: Vec<f32>,
    transposed: bool,
    stride: usize,
}

impl Stored {
    fn new(random: &mut Random, rows: usize, columns: usize, transposed: bool) -> Stored {
        let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
        let mut data = random.normals(rows * (columns + 3));
        data.chunks_exact_mut(columns + 3).for_each(|row| row[columns..].fill(f32::NAN));
        Stored { data, transposed, stride: columns + 3 }
    }

    fn view(&self) -> MatRef<'_> {
        MatRef { data: &self.data, transposed: self.transposed, stride: self.stride }
    }

    fn at(&self, row: usize, column: usize) -> f32 {
        if self.transposed { self.data[column * self.stride + row] } else { self.data[row * self.stride + column] }
    }
}

#[test]
fn dense_products_equal_float64_sums() {
    let mut random = Random::new(3);
    let shapes = [
        [1, 1, 1],
        [1, 5, 3],
        [2, 7, 600],
        [3, 33, 65],
        [7, 130, 9],
        [8, 66, 513],
        [9, 1, 8],
        [9, 33, 31],
        [12, 32, 384],
        [13, 65, 385],
        [25, 129, 100],
        [150, 257, 70],
        [30, 16, 800],
    ];
    for (isa, precision) in kinds() {
        let gemm = Gemm::on(isa).with(precision);
        for [m, n, k] in shapes {
            for layout in 0..4 {
                let a = Stored::new(&mut random, m, k, layout & 1 == 1);
                let b = Stored::new(&mut random, k, n, layout & 2 == 2);
                let expected = reference(precision, [m, n, k], |i, l| a.at(i, l), |l, j| b.at(l, j));
                let what = format!("{} {} {m}×{n}×{k} layout {layout}", isa.name(), precision.name());
                let mut c = vec![f32::NAN; m * n];
                gemm.matmul(m, n, k, a.view(), b.view(), 1.0, &mut c, false, &CANCEL()).unwrap();
                assert_close(&what, &c, &expected, k);
                let twice: Vec<_> = expected.iter().map(|[sum, size]| [sum * 1.5, size * 2.5]).collect();
                gemm.matmul(m, n, k, a.view(), b.view(), 0.5, &mut c, true, &CANCEL()).unwrap();
                assert_close(&format!("{what}, accumulated"), &c, &twice, k);
            }
        }
    }
}

#[test]
fn weights_stored_in_16_bits_multiply_as_the_same_numbers_in_32() {
    let mut random = Random::new(7);
    for [m, n, k] in [[1, 33, 70], [5, 7, 513], [13, 65, 385], [30, 130, 66]] {
        for transposed in [false, true] {
            let a = Stored::new(&mut random, m, k, false);
            let b = Stored::new(&mut random, k, n, transposed);
            let halves: Vec<f16> = b.data.iter().map(|x| f16::from_f32(*x)).collect();
            let brains: Vec<bf16> = b.data.iter().map(|x| bf16::from_f32(*x)).collect();
            let widened = [
                halves.iter().map(|x| x.to_f32()).collect::<Vec<_>>(),
                brains.iter().map(|x| x.to_f32()).collect::<Vec<_>>(),
            ];
            for (isa, precision) in kinds() {
                let gemm = Gemm::on(isa).with(precision);
                let mut c = [(); 4].map(|()| vec![f32::NAN; m * n]);
                let stride = b.stride;
                let [c0, c1, c2, c3] = &mut c;
                let view = |i: usize| MatRef { data: &widened[i][..], transposed, stride };
                gemm.matmul(m, n, k, a.view(), view(0), 1.0, c0, false, &CANCEL()).unwrap();
                gemm.matmul(m, n, k, a.view(), view(1), 1.0, c1, false, &CANCEL()).unwrap();
                let (half, brain) = (MatRef { data: &halves[..], transposed, stride }, &brains[..]);
                gemm.matmul(m, n, k, a.view(), half, 1.0, c2, false, &CANCEL()).unwrap();
                let brain = MatRef { data: brain, transposed, stride };
                gemm.matmul(m, n, k, a.view(), brain, 1.0, c3, false, &CANCEL()).unwrap();
                let what = format!("{} {} {m}×{n}×{k} {transposed}", isa.name(), precision.name());
                assert!(c[0] == c[2] && c[1] == c[3], "{what}");
            }
        }
    }
}

#[test]
fn fused_bias_and_residual_have_the_bits_of_separate_sums() {
    let mut random = Random::new(8);
    for [m, n, k] in [[1, 5, 3], [3, 65, 900], [13, 33, 385], [40, 130, 800], [9, 4, 0]] {
        let (bias, residual) = (random.normals(n), random.normals(m * n));
        let start = random.normals(m * n);
        for (transposed, accumulate) in [(false, false), (true, false), (false, true)] {
            let (a, b) = (Stored::new(&mut random, m, k, false), Stored::new(&mut random, k, n, transposed));
            for (isa, precision) in kinds() {
                let gemm = Gemm::on(isa).with(precision);
                let (mut fused, mut separate) = (start.clone(), start.clone());
                let output = Output { alpha: 0.5, accumulate, bias: Some(&bias), residual: Some(&residual) };
                gemm.matmul_into([m, n, k], a.view(), b.view(), output, &mut fused, &CANCEL()).unwrap();
                gemm.matmul(m, n, k, a.view(), b.view(), 0.5, &mut separate, accumulate, &CANCEL()).unwrap();
                for (i, c) in separate.iter_mut().enumerate() {
                    *c = (*c + bias[i % n]) + residual[i];
                }
                assert_eq!(fused, separate, "{} {} {m}×{n}×{k}", isa.name(), precision.name());
            }
        }
    }
}

#[test]
fn empty_products_are_empty_sums() {
    for isa in Isa::available() {
        let empty = MatRef { data: &[], transposed: false, stride: 0 };
        let mut c = [7.0; 6];
        Gemm::on(isa).matmul(2, 3, 0, empty, MatRef { stride: 3, ..empty }, 1.0, &mut c, true, &CANCEL()).unwrap();
        assert_eq!(c, [7.0; 6]);
        Gemm::on(isa).matmul(2, 3, 0, empty, MatRef { stride: 3, ..empty }, 1.0, &mut c, false, &CANCEL()).unwrap();
        assert_eq!(c, [0.0; 6]);
        Gemm::on(isa)
            .matmul(0, 3, 1, empty, MatRef { data: &[1.0; 3], stride: 3, ..empty }, 1.0, &mut [], false, &CANCEL())
            .unwrap();
    }
}

#[test]
fn results_are_the_same_bits_on_any_number_of_threads() {
    let mut random = Random::new(6);
    let (tokens, n, k) = (70, 300, 410);
    let (x, dy) = (random.normals(tokens * k), random.normals(tokens * n));
    let dense = random.normals(n * k);
    let formats = [(Format::Nf4, 64), (Format::Int3, 32)];
    for ((format, group), precision) in formats.into_iter().flat_map(|f| Precision::ALL.map(|p| (f, p))) {
        let gemm = Gemm::new(precision).unwrap();
        let packed = Packed::new(&mut random, format, [n, k], group, false);
        let run = |threads: usize, tokens: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let w = packed.view();
                let (x, dy) = (&x[..tokens * k], &dy[..tokens * n]);
                let mut y = vec![0.0; tokens * n];
                let mut dx = vec![0.0; tokens * k];
                let mut dw = vec![0.0; n * k];
                let mut ds = vec![0.0; if format.is_integer() { n * w.groups() } else { 0 }];
                gemm.packed_forward(tokens, x, &w, &mut y, &CANCEL()).unwrap();
                gemm.packed_backward_input(tokens, dy, &w, &mut dx, &CANCEL()).unwrap();
                if format.is_integer() {
                    gemm.packed_backward_scales(tokens, dy, x, &w, &mut ds, &CANCEL()).unwrap();
                }
                let a = MatRef { data: dy, transposed: true, stride: n };
                let b = MatRef { data: x, transposed: false, stride: k };
                gemm.matmul(n, k, tokens, a, b, 1.0, &mut dw, false, &CANCEL()).unwrap();
                let a = MatRef { data: x, transposed: false, stride: k };
                let b = MatRef { data: &dense, transposed: true, stride: k };
                gemm.matmul(tokens, n, k, a, b, 1.0, &mut y, true, &CANCEL()).unwrap();
                [y, dx, dw, ds].concat().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            })
        };
        for tokens in [3, 70] {
            let one = run(1, tokens);
            assert!(one == run(2, tokens) && one == run(4, tokens), "{} {tokens} tokens", format.name());
        }
    }
}

#[test]
fn a_raised_flag_stops_a_product() {
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let cancel = Cancel::new("matmul", flag);
    let data = vec![1.0; 64 * 64];
    let a = MatRef { data: &data, transposed: false, stride: 64 };
    for m in [4, 64] {
        let mut c = vec![0.0; m * 64];
        let error = gemm::matmul(m, 64, 64, a, a, 1.0, &mut c, false, &cancel).unwrap_err();
        assert_eq!(error.code(), "InterruptedError");
    }
}

#[test]
fn instruction_sets_are_chosen_by_name() {
    assert_eq!(Isa::choose(Some("baseline")).unwrap(), Isa::Baseline);
    assert_eq!(Isa::choose(None).unwrap(), Isa::available().next().unwrap());
    let message = Isa::choose(Some("sse9")).unwrap_err().to_string();
    assert!(message.contains("\"sse9\"") && message.contains("baseline"), "{message}");
}
