//! Results are the same bits for 1, 2 and 4 threads.

use nibble_engine::cpu::adamw::AdamW;
use nibble_engine::cpu::quantize::grid::{Search, Symmetry};
use nibble_engine::format::Format;
use nibble_engine::ops::attention::{AttentionOptions, AttentionSaved, attention_backward, attention_forward};
use nibble_engine::ops::cross_entropy::{CrossEntropyOptions, linear_cross_entropy};
use nibble_engine::ops::matmul::{MatmulOptions, matmul};
use nibble_engine::ops::quantize::{self, GptqOptions, GridOptions, HqqOptions, MagrOptions};
use nibble_engine::ops::{data, linear, norm, optimizer, reduce, softmax};
use nibble_engine::{Engine, Precision};

use crate::helpers::{LABEL, ids, normal, read, tensor};
use crate::random::Random;

const GRID: GridOptions = GridOptions { bits: 4, group: 32, symmetry: Symmetry::Asymmetric, search: Search::Mse };

/// Everything whose grid could depend on threads, one after the other.
fn results() -> Vec<Vec<f32>> {
    let (e, mut random) = (Engine::default(), Random::new(80));
    let (tokens, width, vocabulary) = (192, 96, 301);
    let x = normal(&e, &mut random, &[tokens, width]).handle;
    let w = normal(&e, &mut random, &[vocabulary, width]).handle;
    let gain = normal(&e, &mut random, &[width]).handle;
    let targets = ids(&e, &(0..tokens as i32).collect::<Vec<_>>());
    let mut kept = vec![data::tensor_random_normal(&e, &[100_000], 1.0, 3.0, LABEL).unwrap()];
    kept.push(matmul(&e, x, w, MatmulOptions { transpose_b: true, ..MatmulOptions::default() }).unwrap());
    kept.push(reduce::sum_rows(&e, kept[1]).unwrap());
    kept.push(softmax::softmax_forward(&e, kept[1]).unwrap());
    let (y, rstd) = norm::rms_norm_forward(&e, x, gain, 1e-5).unwrap();
    let (dx, dgain) = norm::rms_norm_backward(&e, y, x, gain, rstd, true).unwrap();
    kept.extend([y, rstd, dx, dgain.unwrap()]);
    let options = AttentionOptions::new(2, 4, 2);
    let narrow = normal(&e, &mut random, &[tokens, width / 2]).handle;
    let (y, log_sum_exp) = attention_forward(&e, x, narrow, narrow, options).unwrap();
    let saved = AttentionSaved { q: x, k: narrow, v: narrow, y, log_sum_exp };
    kept.extend(attention_backward(&e, x, saved, options).unwrap());
    let options = AttentionOptions { precision: Precision::Bf16, ..options };
    let (y, log_sum_exp) = attention_forward(&e, x, narrow, narrow, options).unwrap();
    kept.push(y);
    kept.extend(attention_backward(&e, x, AttentionSaved { y, log_sum_exp, ..saved }, options).unwrap());
    let all = CrossEntropyOptions { want_input: true, want_weight: true, ..CrossEntropyOptions::default() };
    let loss = linear_cross_entropy(&e, x, w, targets, all).unwrap();
    kept.extend([loss.input.unwrap(), loss.weight.unwrap()]);
    let codes = quantize::quantize_integer(&e, w, GRID).unwrap();
    let packed = linear::PackedWeight {
        format: Format::Int4,
        rows: vocabulary,
        columns: width,
        group: 32,
        codes: codes.codes,
        scales: codes.scales,
        zero_points: Some(codes.zero_points),
        nested_scales: None,
        nested_offset: 0.0,
    };
    let gram = matmul(&e, x, x, MatmulOptions { transpose_a: true, ..MatmulOptions::default() }).unwrap();
    let factor = quantize::gptq_factor(&e, gram, 0.01, false).unwrap();
    let settings = GptqOptions { grid: GRID, static_groups: false, block: 64 };
    let gptq = quantize::quantize_gptq(&e, w, gram, factor.upper, factor.order, settings).unwrap();
    let hqq = HqqOptions { bits: 2, group: 0, p: 0.7, iterations: 5 };
    let hqq = quantize::quantize_hqq(&e, w, hqq).unwrap();
    let magr = MagrOptions { group: 0, alpha: 0.1, iterations: 4 };
    kept.push(quantize::reduce_magnitude(&e, w, gram, magr).unwrap());
    kept.push(quantize::clip_weights(&e, w, gram, GRID).unwrap());
    kept.extend([codes.scales, gptq.scales, hqq.zero_points]);
    let gptq =
        linear::PackedWeight { codes: gptq.codes, scales: gptq.scales, zero_points: Some(gptq.zero_points), ..packed };
    kept.push(linear::dequantize(&e, &gptq).unwrap());
    let y = linear::packed_linear_forward(&e, x, &packed, Precision::F32).unwrap();
    kept.push(linear::packed_linear_backward_input(&e, y, &packed, Precision::F32).unwrap());
    kept.push(linear::packed_linear_backward_scales(&e, y, x, &packed, Precision::F32).unwrap());
    let zeros = || tensor(&e, &[vocabulary, width], &vec![0.0; vocabulary * width]);
    let step = AdamW {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        step: 1.0,
        gradient_scale: 1.0,
    };
    optimizer::adamw_step(&e, &[w], &[loss.weight.unwrap()], &[zeros()], &[zeros()], step).unwrap();
    kept.push(w);
    let mut all: Vec<_> = kept.iter().map(|&handle| read(&e, handle)).collect();
    let sums = [reduce::sum(&e, kept[0]).unwrap(), optimizer::global_norm(&e, &kept).unwrap(), loss.loss];
    all.push(sums.iter().flat_map(|v| [*v as f32, (v - f64::from(*v as f32)) as f32]).collect());
    all
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let [one, two, four] = [1, 2, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(results)
    });
    let bits = |all: &[Vec<f32>]| all.iter().map(|v| v.iter().map(|x| x.to_bits()).collect()).collect::<Vec<Vec<_>>>();
    assert_eq!(one.len(), four.len());
    for (i, (a, b)) in bits(&one).iter().zip(bits(&two)).enumerate() {
        assert!(*a == b, "result {i} differs between 1 and 2 threads");
    }
    for (i, (a, b)) in bits(&one).iter().zip(bits(&four)).enumerate() {
        assert!(*a == b, "result {i} differs between 1 and 4 threads");
    }
}
