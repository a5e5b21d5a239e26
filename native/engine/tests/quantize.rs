//! What chooses codes: the door, the flag, the factor of the inverse, threads. Algorithms against their float64 twins: test/library/quantization.

use nibble_engine::cpu::quantize::grid::{Grid, Search, Symmetry};
use nibble_engine::cpu::quantize::{Layout, blocks, rtn};
use nibble_engine::format::{self, Format, int};
use nibble_engine::ops::matmul::{MatmulOptions, matmul};
use nibble_engine::ops::quantize::{
    GptqOptions, GridOptions, HqqOptions, MagrOptions, clip_weights, gptq_factor, quantize_gptq, quantize_hqq,
    quantize_integer, reduce_magnitude, scale_columns,
};
use nibble_engine::{Cancel, Engine, Handle};

use crate::helpers::{assert_close, ids, normal, read, tensor};
use crate::random::Random;

const GRID: GridOptions = GridOptions { bits: 3, group: 0, symmetry: Symmetry::Asymmetric, search: Search::MinMax };
const GPTQ: GptqOptions = GptqOptions { grid: GRID, static_groups: false, block: 16 };
const MAGR: MagrOptions = MagrOptions { group: 0, alpha: 0.1, iterations: 3 };
const HQQ: HqqOptions = HqqOptions { group: 0, bits: 3, p: 0.7, iterations: 3 };

fn gram_of(e: &Engine, x: Handle) -> Handle {
    matmul(e, x, x, MatmulOptions { transpose_a: true, ..MatmulOptions::default() }).unwrap()
}

#[test]
fn the_factor_times_its_transpose_is_the_inverse_of_the_damped_matrix() {
    let (e, mut random) = (Engine::default(), Random::new(90));
    for n in [1, 2, 17, 40] {
        let x = normal(&e, &mut random, &[2 * n + 3, n]).handle;
        let gram = gram_of(&e, x);
        for act_order in [false, true] {
            let factor = gptq_factor(&e, gram, 0.05, act_order).unwrap();
            let (h, upper) = (read(&e, gram), read(&e, factor.upper));
            let order: Vec<usize> =
                bytemuck::pod_collect_to_vec::<_, i32>(bytemuck::cast_slice::<f32, u8>(&read(&e, factor.order)))
                    .iter()
                    .map(|&column| column as usize)
                    .collect();
            let mean = (0..n).map(|i| f64::from(h[i * n + i])).sum::<f64>() / n as f64;
            let at =
                |i: usize, j: usize| f64::from(h[order[i] * n + order[j]]) + if i == j { 0.05 * mean } else { 0.0 };
            let inverse = |i: usize, j: usize| {
                (0..n).map(|k| f64::from(upper[k * n + i]) * f64::from(upper[k * n + j])).sum::<f64>()
            };
            let product: Vec<f32> = (0..n * n)
                .map(|cell| (0..n).map(|k| inverse(cell / n, k) * at(k, cell % n)).sum::<f64>() as f32)
                .collect();
            let identity: Vec<f64> = (0..n * n).map(|cell| f64::from(u8::from(cell / n == cell % n))).collect();
            assert_close("U'U(H + λI)", &product, &identity, 1e-4);
            assert!((0..n).all(|i| (0..i).all(|j| upper[i * n + j] == 0.0)), "upper triangular");
            if act_order {
                assert!(order.windows(2).all(|pair| h[pair[0] * n + pair[0]] >= h[pair[1] * n + pair[1]]));
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_left() {
    let (e, mut random) = (Engine::default(), Random::new(91));
    let w = normal(&e, &mut random, &[4, 8]).handle;
    let x = normal(&e, &mut random, &[20, 8]).handle;
    let (gram, small) = (gram_of(&e, x), normal(&e, &mut random, &[3, 3]).handle);
    let factor = gptq_factor(&e, gram, 0.01, true).unwrap();
    let (bad, n) = (tensor(&e, &[2, 4], &[f32::NAN; 8]), ids(&e, &[0, 0, 1, 2, 3, 4, 5, 6]));
    let gptq = |order, options| quantize_gptq(&e, w, gram, factor.upper, order, options).map(|_| ());
    let groups = GptqOptions { grid: GridOptions { group: 4, ..GRID }, ..GPTQ };
    let (live, tensors) = (e.ledger().stats()[0].1.live, e.live_tensors());
    let refused = [
        (quantize_integer(&e, x, GridOptions { bits: 9, ..GRID }).map(|_| ()), "OptionError", "bits is 9"),
        (quantize_integer(&e, n, GRID).map(|_| ()), "DTypeError", "w is i32"),
        (quantize_integer(&e, bad, GRID).map(|_| ()), "NumericsError", "not a finite number"),
        (quantize_hqq(&e, w, HqqOptions { p: 0.0, ..HQQ }).map(|_| ()), "OptionError", "p is 0"),
        (quantize_hqq(&e, bad, HQQ).map(|_| ()), "NumericsError", "not a finite number"),
        (gptq_factor(&e, x, 0.01, false).map(|_| ()), "ShapeError", "gram has shape [20, 8]"),
        (gptq_factor(&e, gram, 0.0, false).map(|_| ()), "OptionError", "damping is 0"),
        (gptq(n, GPTQ), "OptionError", "order is 0 at 1. Expected each column once."),
        (gptq(factor.order, GptqOptions { block: 0, ..GPTQ }), "OptionError", "block is 0"),
        (gptq(factor.order, groups), "OptionError", "staticGroups, one group a row, or columns in order"),
        (reduce_magnitude(&e, w, small, MAGR).map(|_| ()), "ShapeError", "gram has shape [3, 3]. Expected [8, 8]."),
        (reduce_magnitude(&e, w, gram, MagrOptions { alpha: -1.0, ..MAGR }).map(|_| ()), "OptionError", "alpha is -1"),
        (clip_weights(&e, w, small, GRID).map(|_| ()), "ShapeError", "gram has shape [3, 3]"),
        (scale_columns(&e, w, gram).map(|_| ()), "ShapeError", "factors has shape [8, 8]. Expected [8]."),
    ];
    for (result, code, words) in refused {
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!((e.ledger().stats()[0].1.live, e.live_tensors()), (live, tensors));
}

#[test]
fn every_one_stops_while_the_flag_is_up() {
    let (e, mut random) = (Engine::default(), Random::new(92));
    let w = normal(&e, &mut random, &[4, 8]).handle;
    let x = normal(&e, &mut random, &[20, 8]).handle;
    let gram = gram_of(&e, x);
    let factor = gptq_factor(&e, gram, 0.01, false).unwrap();
    let (live, tensors) = (e.ledger().stats()[0].1.live, e.live_tensors());
    e.interrupt();
    let results = [
        quantize_integer(&e, w, GRID).map(|_| ()),
        quantize_hqq(&e, w, HQQ).map(|_| ()),
        gptq_factor(&e, gram, 0.01, false).map(|_| ()),
        quantize_gptq(&e, w, gram, factor.upper, factor.order, GPTQ).map(|_| ()),
        reduce_magnitude(&e, w, gram, MAGR).map(|_| ()),
        clip_weights(&e, w, gram, GRID).map(|_| ()),
    ];
    for result in results {
        assert_eq!(result.unwrap_err().code(), "InterruptedError");
    }
    assert_eq!((e.ledger().stats()[0].1.live, e.live_tensors()), (live, tensors));
}

#[test]
fn blocks_in_many_threads_have_the_bytes_of_one() {
    let mut random = Random::new(93);
    let quantize = |format, w: &[f32], block| blocks::quantize(&Cancel::never("test"), format, w, block);
    for format in Format::ALL.into_iter().filter(|format| !format.is_integer()) {
        for (block, count) in [(64, 64 * 700 + 37), (32, 31), (4096, 3 * 4096), (256, 0)] {
            let mut w = random.normals(count);
            w.iter_mut().step_by(97).for_each(|w| *w = 0.0);
            w.iter_mut().take(block).for_each(|w| *w = 0.0);
            let made = quantize(format, &w, block).unwrap();
            assert_eq!(made, format::quantize_blocks("test", format, &w, block).unwrap(), "{}", format.name());
        }
        for bad in [f32::NAN, f32::INFINITY] {
            let mut w = random.normals(1 << 16);
            w[40_000] = bad;
            assert_eq!(quantize(format, &w, 64).unwrap_err().code(), "NumericsError");
        }
    }
    assert_eq!(quantize(Format::Int4, &[0.0; 64], 64).unwrap_err().code(), "OptionError");
}

#[test]
fn grids_in_many_threads_have_the_codes_of_one() {
    let mut random = Random::new(94);
    for (rows, columns, group) in [(700, 96, 0), (300, 130, 13), (3, 5, 0), (0, 8, 0), (4, 0, 0)] {
        let w: Vec<f32> = (0..rows * columns).map(|_| random.normal() + 0.2).collect();
        for bits in int::WIDTHS {
            let grid = Grid { bits, symmetry: Symmetry::Asymmetric, search: Search::MinMax };
            let made = rtn::quantize(&Cancel::never("test"), &w, Layout { rows, columns, group }, grid).unwrap();
            let one = format::quantize_integer("test", &w, [rows, columns], bits, group, false).unwrap();
            assert_eq!((made.codes, made.scales, made.zero_points), (one.codes, one.scales, one.zero_points));
        }
    }
}
