//! Products with packed weights on every instruction set of this machine and in every precision: forward, dX and dS equal
//! decoding first, and rounded activations their literal.

use nibble_engine::Precision;
use nibble_engine::cpu::gemm::{self, Gemm, INT8_BLOCK};
use nibble_engine::cpu::simd::Isa;
use nibble_engine::format::{self, Format, PackedRef, Scales};

use crate::gemm::{CANCEL, assert_close, kinds, reference, rounded};
use crate::random::Random;

/// A packed weight and its decoded twin.
pub struct Packed {
    format: Format,
    shape: [usize; 2],
    group: usize,
    codes: Vec<u8>,
    scales: Vec<f32>,
    zero_points: Vec<f32>,
    nested: Option<format::NestedScales>,
    weights: Vec<f32>,
}

impl Packed {
    pub fn new(random: &mut Random, format: Format, shape: [usize; 2], group: usize, nest: bool) -> Packed {
        let w = random.normals(shape[0] * shape[1]);
        let mut packed = if !format.is_integer() {
            let (codes, scales) = format::quantize_blocks("test", format, &w, group).unwrap();
            let nested = nest.then(|| format::quantize_scales_nested(&scales));
            Packed { format, shape, group, codes, scales, zero_points: vec![], nested, weights: vec![] }
        } else {
            let mut grid = format::quantize_integer("test", &w, shape, format.bits(), group, false).unwrap();
            // Zero points need not be integers.
            grid.zero_points.iter_mut().step_by(3).for_each(|zero| *zero += 0.37);
            let format::IntegerGrid { codes, scales, zero_points } = grid;
            Packed { format, shape, group, codes, scales, zero_points, nested: None, weights: vec![] }
        };
        let mut weights = vec![f32::NAN; w.len()];
        format::dequantize(&packed.view(), &mut weights);
        packed.weights = weights;
        packed
    }

    pub fn view(&self) -> PackedRef<'_> {
        let scales = match &self.nested {
            Some(nested) => Scales::Nested { codes: &nested.codes, scales: &nested.scales, offset: nested.offset },
            None => Scales::Plain(&self.scales),
        };
        let view = PackedRef {
            format: self.format,
            rows: self.shape[0],
            columns: self.shape[1],
            group: self.group,
            codes: &self.codes,
            scales,
            zero_points: &self.zero_points,
        };
        view.check("test").unwrap();
        view
    }

    /// Every format, group size and ragged shape.
    fn each(mut f: impl FnMut(&mut Random, &Packed)) {
        let mut random = Random::new(4);
        for format in Format::ALL {
            for shape in
                [[1, 1], [5, 3], [7, 65], [33, 64], [37, 130], [130, 37], [70, 1030], [4, 515], [9, 192], [9, 200]]
            {
                let groups: &[usize] = if !format.is_integer() { &[32, 64] } else { &[0, 20, 32, 64] };
                for &group in groups {
                    let packed = Packed::new(&mut random, format, shape, group, group == 32);
                    f(&mut random, &packed);
                }
            }
        }
    }

    fn name(&self, (isa, precision): (Isa, Precision), tokens: usize) -> String {
        let Packed { format, shape, group, .. } = self;
        let (isa, precision, format) = (isa.name(), precision.name(), format.name());
        format!("{isa} {precision} {format} {shape:?} group {group}, {tokens} tokens")
    }
}

const TOKENS: [usize; 8] = [0, 1, 2, 3, 5, 8, 9, 40];

#[test]
fn every_level_of_a_row_decodes_to_the_same_weight() {
    // From any first column: what packing panels reads is what `dequantize` reads.
    Packed::each(|_, packed| {
        let [rows, columns] = packed.shape;
        for isa in Isa::available() {
            // dX of unit rows is the weight itself.
            let mut unit = vec![0.0; rows * rows];
            (0..rows).for_each(|i| unit[i * rows + i] = 1.0);
            let mut dx = vec![f32::NAN; rows * columns];
            Gemm::on(isa).packed_backward_input(rows, &unit, &packed.view(), &mut dx, &CANCEL()).unwrap();
            assert_eq!(dx, packed.weights, "{}", packed.name((isa, Precision::F32), rows));
            // x of unit rows reads columns.
            for tokens in [1, 2, 4, 8].into_iter().filter(|tokens| *tokens <= columns) {
                let mut unit = vec![0.0; tokens * columns];
                (0..tokens).for_each(|i| unit[i * columns + i] = 1.0);
                let mut y = vec![f32::NAN; tokens * rows];
                Gemm::on(isa).packed_forward(tokens, &unit, &packed.view(), &mut y, &CANCEL()).unwrap();
                for (i, y) in y.iter().enumerate() {
                    let (token, row) = (i / rows, i % rows);
                    let name = packed.name((isa, Precision::F32), tokens);
                    assert_eq!(*y, packed.weights[row * columns + token], "{name}, row {row}");
                }
            }
        }
    });
}

#[test]
fn packed_forward_equals_decode_then_multiply() {
    Packed::each(|random, packed| {
        let [n, k] = packed.shape;
        for tokens in TOKENS {
            let x = random.normals(tokens * k);
            let expected = Precision::ALL.map(|precision| {
                reference(precision, [tokens, n, k], |i, l| x[i * k + l], |l, j| packed.weights[j * k + l])
            });
            for (isa, precision) in kinds() {
                let mut y = vec![f32::NAN; tokens * n];
                Gemm::on(isa).with(precision).packed_forward(tokens, &x, &packed.view(), &mut y, &CANCEL()).unwrap();
                assert_close(&packed.name((isa, precision), tokens), &y, &expected[precision as usize], k);
            }
        }
    });
}

/// `x` as integers of eight bits times their blocks' scales: `scale·round(x/scale)`, `scale = max|x|/127`.
fn in_eight_bits(x: &[f32]) -> Vec<f64> {
    let block = |x: &[f32]| {
        let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let reciprocal = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let scale = f64::from(largest / 127.0);
        x.iter().map(|x| scale * f64::from((x * reciprocal).round_ties_even())).collect::<Vec<_>>()
    };
    x.chunks(INT8_BLOCK).flat_map(block).collect()
}

/// The weight with the levels of a table rounded to the fraction of the largest, 64ths to 127ths, that loses least.
fn in_whole_levels(packed: &Packed) -> Vec<f64> {
    let weights = packed.weights.iter().map(|&w| f64::from(w));
    let Some(table) = packed.format.table() else { return weights.collect() };
    let top = f64::from(table.levels.iter().fold(0.0f32, |top, &level| top.max(level)));
    let round = |level: f64, parts: i32| (level / top * f64::from(parts)).round_ties_even() / f64::from(parts) * top;
    let lost =
        |parts: i32| table.levels.map(|level| (round(f64::from(level), parts) - f64::from(level)).powi(2)).iter().sum();
    let losses: Vec<f64> = (64..=127).map(lost).collect();
    let least = losses.iter().fold(f64::INFINITY, |least, &loss| least.min(loss));
    let parts = 64 + losses.iter().rposition(|&loss| loss <= least + 1e-12).unwrap() as i32;
    let scale = |i: usize| f64::from(packed.view().scales.get(i / packed.group));
    let nearest = |level: f64| {
        let distance = |&other: &f32| (f64::from(other) - level).abs();
        table.levels.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
    };
    let whole = |(i, w): (usize, f64)| round(f64::from(nearest(w / scale(i))), parts) * scale(i);
    weights.enumerate().map(whole).collect()
}

#[test]
fn rounded_activations_multiply_as_their_literal() {
    let mut random = Random::new(7);
    for format in Format::ALL {
        for (shape, group) in
            [([1, 32], 32), ([70, 64], 64), ([5, 160], 32), ([65, 96], 64), ([3, 128], 0), ([9, 96], 96)]
        {
            let is_made = format.is_integer() || format::table::BLOCKS.contains(&group);
            if !is_made || !gemm::fits_int8(format, shape[1], group) {
                continue;
            }
            let packed = Packed::new(&mut random, format, shape, group, group == 32);
            let ([n, k], w) = (shape, in_whole_levels(&packed));
            for tokens in [1, 3, 8, 9, 20] {
                let mut x = random.normals(tokens * k);
                x[..32].fill(0.0);
                let rounded = in_eight_bits(&x);
                let sums = (0..tokens * n).map(|i| {
                    let products = (0..k).map(|l| rounded[i / n * k + l] * w[i % n * k + l]);
                    products.fold([0.0, 0.0], |[sum, size], p| [sum + p, size + p.abs()])
                });
                // Sums of codes and of zero points are taken apart, so more than the result's size is rounded.
                let expected: Vec<_> = sums.map(|[sum, size]| [sum, 4.0 * size]).collect();
                for isa in Isa::available() {
                    let mut y = vec![f32::NAN; tokens * n];
                    Gemm::on(isa).packed_forward_int8(tokens, &x, &packed.view(), &mut y, &CANCEL()).unwrap();
                    assert_close(&packed.name((isa, Precision::F32), tokens), &y, &expected, k);
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_stays_so_in_eight_bits() {
    let packed = Packed::new(&mut Random::new(8), Format::Int4, [3, 64], 32, false);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = vec![1.0; 2 * 64];
        x[40] = bad;
        for isa in Isa::available() {
            let mut y = vec![0.0; 2 * 3];
            Gemm::on(isa).packed_forward_int8(2, &x, &packed.view(), &mut y, &CANCEL()).unwrap();
            assert!(y[..3].iter().all(|y| y.is_nan()), "{bad}: {y:?}");
            assert!(y[3..].iter().all(|y| y.is_finite()), "{bad}: {y:?}");
        }
    }
}

#[test]
fn packed_backward_input_equals_decode_then_multiply() {
    Packed::each(|random, packed| {
        let [n, k] = packed.shape;
        for tokens in TOKENS {
            let dy = random.normals(tokens * n);
            let expected = Precision::ALL.map(|precision| {
                reference(precision, [tokens, k, n], |i, l| dy[i * n + l], |l, j| packed.weights[l * k + j])
            });
            for (isa, precision) in kinds() {
                let mut dx = vec![f32::NAN; tokens * k];
                Gemm::on(isa)
                    .with(precision)
                    .packed_backward_input(tokens, &dy, &packed.view(), &mut dx, &CANCEL())
                    .unwrap();
                assert_close(&packed.name((isa, precision), tokens), &dx, &expected[precision as usize], n);
            }
        }
    });
}

#[test]
fn scale_gradients_equal_the_reduced_weight_gradient() {
    Packed::each(|random, packed| {
        if !packed.format.is_integer() {
            return;
        }
        let [n, k] = packed.shape;
        let groups = packed.view().groups();
        let size = packed.view().group_size();
        let q = format::unpack_integers("test", &packed.codes, packed.shape, packed.format.bits()).unwrap();
        for tokens in TOKENS {
            let (dy, x) = (random.normals(tokens * n), random.normals(tokens * k));
            let expected = Precision::ALL.map(|precision| {
                let mut expected = vec![[0.0f64; 2]; n * groups];
                for (i, &q) in q.iter().enumerate() {
                    let (row, column) = (i / k, i % k);
                    let slot = row * groups + column / size;
                    let level = f64::from(q) - f64::from(packed.zero_points[slot]);
                    for t in 0..tokens {
                        let (dy, x) = (dy[t * n + row], x[t * k + column]);
                        let term = f64::from(rounded(precision, dy)) * f64::from(rounded(precision, x)) * level;
                        expected[slot][0] += term;
                        expected[slot][1] += term.abs();
                    }
                }
                expected
            });
            for (isa, precision) in kinds() {
                let mut ds = vec![f32::NAN; n * groups];
                let gemm = Gemm::on(isa).with(precision);
                gemm.packed_backward_scales(tokens, &dy, &x, &packed.view(), &mut ds, &CANCEL()).unwrap();
                let expected = &expected[precision as usize];
                assert_close(&packed.name((isa, precision), tokens), &ds, expected, tokens + size);
            }
        }
    });
}

#[test]
fn per_channel_scale_gradients_follow_from_the_output() {
    let mut random = Random::new(5);
    let packed = Packed::new(&mut random, Format::Int2, [19, 70], 0, false);
    let (tokens, n, k) = (23, 19, 70);
    let (x, dy) = (random.normals(tokens * k), random.normals(tokens * n));
    let (mut y, mut ds, mut expected) = (vec![0.0; tokens * n], vec![f32::NAN; n], vec![0.0; n]);
    gemm::packed_forward(tokens, &x, &packed.view(), &mut y, &CANCEL()).unwrap();
    gemm::packed_backward_scales_from_output(&dy, &y, &packed.scales, &mut ds);
    gemm::packed_backward_scales(tokens, &dy, &x, &packed.view(), &mut expected, &CANCEL()).unwrap();
    for (a, b) in ds.iter().zip(&expected) {
        assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{a} and {b}");
    }
}
