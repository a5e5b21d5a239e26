//! Packed formats: bytes equal to bitsandbytes' and peft's (`test/native/golden/nf4.py` and `nf23.py` made the files), packing
//! is lossless, and integer grids keep every weight within half a step.

use nibble_engine::format::{self, Format, PackedRef, Scales, double_quant, fp4, int, normal_float};
use serde_json::Value;

use crate::golden::Golden;
use crate::random::Random;

fn format(case: &Value) -> Format {
    Format::parse("test", case["format"].as_str().unwrap()).unwrap()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn tables_equal_bitsandbytes() {
    let golden = Golden::load("nf4");
    assert_eq!(bits(&normal_float::NF4), bits(&golden.f32(&golden.about["levels"])));
    assert_eq!(bits(&fp4::LEVELS), bits(&golden.f32(&golden.about["fp4Levels"])));
    assert_eq!(bits(double_quant::dynamic_map()), bits(&golden.f32(&golden.about["dynamicMap"])));
}

#[test]
fn codes_and_scales_equal_bitsandbytes() {
    let golden = Golden::load("nf4");
    for case in golden.cases() {
        let (weights, block) = (golden.f32(&case["weights"]), case["block"].as_u64().unwrap() as usize);
        let (codes, scales) = format::quantize_blocks("test", format(case), &weights, block).unwrap();
        assert_eq!(codes, golden.u8(&case["codes"]), "codes of {}", case["name"]);
        assert_eq!(bits(&scales), bits(&golden.f32(&case["scales"])), "scales of {}", case["name"]);
    }
}

#[test]
fn nested_scale_bytes_equal_bitsandbytes() {
    let golden = Golden::load("nf4");
    for case in golden.cases() {
        let (scales, name) = (golden.f32(&case["scales"]), &case["name"]);
        let offset = case["nestedOffset"].as_f64().unwrap() as f32;
        // PyTorch's mean depends on the machine's vector length: ours may differ from it by two ulps.
        let own = format::quantize_scales_nested(&scales);
        let ulps = (i64::from(own.offset.to_bits()) - i64::from(offset.to_bits())).abs();
        assert!(ulps <= 2, "mean of {name}: {} against {offset}", own.offset);
        let nested = double_quant::quantize_around(&scales, offset);
        assert_eq!(nested.codes, golden.u8(&case["nestedCodes"]), "nested codes of {name}");
        assert_eq!(bits(&nested.scales), bits(&golden.f32(&case["nestedScales"])), "nested scales of {name}");
    }
}

#[test]
fn dequantized_weights_equal_bitsandbytes() {
    let golden = Golden::load("nf4");
    for case in golden.cases() {
        let shape: Vec<usize> =
            case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let columns = *shape.last().unwrap();
        let rows = shape.iter().product::<usize>() / columns;
        let scales = golden.f32(&case["scales"]);
        let nested_scales = golden.f32(&case["nestedScales"]);
        let nested = Scales::Nested {
            codes: golden.u8(&case["nestedCodes"]),
            scales: &nested_scales,
            offset: case["nestedOffset"].as_f64().unwrap() as f32,
        };
        for (scales, expected) in [(Scales::Plain(&scales), "dequantized"), (nested, "nestedDequantized")] {
            let group = case["block"].as_u64().unwrap() as usize;
            let codes = golden.u8(&case["codes"]);
            let weight = PackedRef { format: format(case), rows, columns, group, codes, scales, zero_points: &[] };
            weight.check("test").unwrap();
            let mut out = vec![f32::NAN; rows * columns];
            format::dequantize(&weight, &mut out);
            let expected = golden.f32(&case[expected]);
            assert!(out.iter().zip(&expected).all(|(a, b)| a == b), "{}: {:?} {:?}", case["name"], out, expected);
        }
    }
}

#[test]
fn nf2_equals_peft() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/native/golden/nf23.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let numbers = |list: &Value| -> Vec<f32> {
        list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
    };
    assert_eq!(bits(&normal_float::NF2), bits(&numbers(&golden["levels"]["nf2"])));
    assert_eq!(bits(&normal_float::NF3), bits(&numbers(&golden["levels"]["nf3"])));
    for case in golden["cases"].as_array().unwrap() {
        let (name, weights, block) =
            (&case["name"], numbers(&case["weights"]), case["block"].as_u64().unwrap() as usize);
        let (codes, scales) = format::quantize_blocks("test", Format::Nf2, &weights, block).unwrap();
        assert_eq!(codes.iter().map(|&code| f32::from(code)).collect::<Vec<_>>(), numbers(&case["codes"]), "{name}");
        assert_eq!(bits(&scales), bits(&numbers(&case["scales"])), "{name}");
        let columns = case["shape"][1].as_u64().unwrap() as usize;
        let (rows, scales) = (weights.len() / columns, Scales::Plain(&scales));
        let (format, zero_points) = (Format::Nf2, &[][..]);
        let weight = PackedRef { format, rows, columns, group: block, codes: &codes, scales, zero_points };
        let mut out = vec![f32::NAN; weights.len()];
        format::dequantize(&weight, &mut out);
        assert_eq!(out, numbers(&case["dequantized"]), "{name}");
    }
}

#[test]
fn e2m1_rounds_to_nearest_ties_to_even() {
    // A first 6 makes the scale 1.
    let cases: [(f32, u8); 18] = [
        (6.0, 7),
        (0.0, 0),
        (-0.0, 0),
        (0.25, 0),
        (0.26, 1),
        (0.75, 2),
        (1.25, 2),
        (1.75, 4),
        (2.5, 4),
        (2.6, 5),
        (3.5, 6),
        (5.0, 6),
        (5.1, 7),
        (-0.25, 0),
        (-0.3, 9),
        (-0.75, 10),
        (-5.0, 14),
        (-5.5, 15),
    ];
    let mut w: Vec<f32> = cases.iter().map(|(w, _)| *w).collect();
    w.resize(32, 0.0);
    let (codes, scales) = format::quantize_blocks("test", Format::E2m1, &w, 32).unwrap();
    let unpacked: Vec<u8> = codes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
    assert_eq!(scales, [1.0]);
    for (&(w, code), got) in cases.iter().zip(unpacked) {
        assert_eq!(got, code, "{w}");
    }
}

#[test]
fn every_level_of_a_table_is_its_own_nearest() {
    for format in Format::ALL {
        let Some(table) = format.table() else { continue };
        let mut w = table.levels.to_vec();
        w.extend(table.levels.map(|level| level * 0.5));
        let w: Vec<f32> = w.iter().map(|level| level * 0.75).collect();
        let (codes, scales) = format::quantize_blocks("test", format, &w, 32).unwrap();
        let mut back = vec![f32::NAN; 32];
        let (scales, zero_points) = (Scales::Plain(&scales), &[][..]);
        let weight = PackedRef { format, rows: 1, columns: 32, group: 32, codes: &codes, scales, zero_points };
        format::dequantize(&weight, &mut back);
        for (w, back) in w.iter().zip(&back).take(16) {
            assert!((w - back).abs() <= w.abs() * 2e-7, "{}: {w} became {back}", format.name());
        }
    }
}

#[test]
fn packing_integers_loses_nothing() {
    let mut random = Random::new(1);
    for width in int::WIDTHS {
        for columns in [0, 1, 2, 3, 7, 8, 9, 31, 64, 65, 129, 520, 1037] {
            let shape = [3, columns];
            let q: Vec<u8> = (0..3 * columns).map(|_| (random.next_u64() % (1 << width)) as u8).collect();
            let codes = format::pack_integers("test", &q, shape, width).unwrap();
            assert_eq!(codes.len(), 3 * (columns * width).div_ceil(8));
            assert_eq!(format::unpack_integers("test", &codes, shape, width).unwrap(), q, "{width} bits, {columns}");
        }
    }
}

#[test]
fn three_bit_codes_are_one_stream() {
    // 1, 2, …, 7, 0 from the lowest bit: 0o01234567 read as a number, little-endian.
    let codes = format::pack_integers("test", &[7, 6, 5, 4, 3, 2, 1, 0], [1, 8], 3).unwrap();
    assert_eq!(codes, &0o0123_4567u32.to_le_bytes()[..3]);
    assert_eq!(format::pack_integers("test", &[1, 2, 3], [1, 3], 4).unwrap(), [0x21, 0x03]);
}

#[test]
fn codes_that_do_not_fit_are_refused() {
    assert_eq!(format::pack_integers("test", &[3, 4], [1, 2], 2).unwrap_err().code(), "OptionError");
    assert_eq!(format::pack_integers("test", &[0], [1, 1], 7).unwrap_err().code(), "OptionError");
    assert_eq!(format::quantize_blocks("test", Format::Nf4, &[0.0; 64], 48).unwrap_err().code(), "OptionError");
    assert_eq!(format::unpack_integers("test", &[0; 3], [1, 4], 4).unwrap_err().code(), "ShapeError");
    for bad in [f32::NAN, f32::INFINITY] {
        assert_eq!(format::quantize_blocks("test", Format::Nf4, &[bad; 64], 64).unwrap_err().code(), "NumericsError");
        let error = format::quantize_integer("test", &[1.0, bad], [1, 2], 4, 0, false).unwrap_err();
        assert_eq!(error.code(), "NumericsError");
    }
}

#[test]
fn integer_weights_stay_within_half_a_step() {
    let mut random = Random::new(2);
    for bits in int::WIDTHS {
        for (columns, group) in [(1, 0), (64, 0), (65, 32), (100, 7), (520, 128)] {
            for symmetric in [false, true] {
                let shape = [5, columns];
                let w: Vec<f32> = (0..5 * columns).map(|_| random.normal() + 0.3).collect();
                let grid = format::quantize_integer("test", &w, shape, bits, group, symmetric).unwrap();
                let back = weights(&grid, shape, bits, group);
                let groups = int::groups(columns, group);
                let size = if group == 0 { columns } else { group };
                for (i, (w, back)) in w.iter().zip(&back).enumerate() {
                    let scale = grid.scales[i / columns * groups + i % columns / size];
                    let allowed = scale * 0.5 * 1.001;
                    assert!((w - back).abs() <= allowed, "{bits} bits, {symmetric}: {w} became {back}, step {scale}");
                }
                assert!(grid.zero_points.iter().all(|z| z.fract() == 0.0));
            }
        }
    }
}

#[test]
fn groups_of_one_value_are_exact() {
    for value in [0.0f32, 0.1, -0.3, 7.25, 1e-30] {
        for bits in int::WIDTHS {
            for symmetric in [false, true] {
                let grid = format::quantize_integer("test", &[value; 6], [2, 3], bits, 0, symmetric).unwrap();
                assert_eq!(weights(&grid, [2, 3], bits, 0), [value; 6]);
            }
        }
    }
}

#[test]
fn ties_go_to_even() {
    // Steps of 1 from 0 to 3.
    let grid = format::quantize_integer("test", &[0.0, 0.5, 1.5, 2.5, 3.0], [1, 5], 2, 0, false).unwrap();
    assert_eq!(format::unpack_integers("test", &grid.codes, [1, 5], 2).unwrap(), [0, 0, 2, 2, 3]);
    assert_eq!((grid.scales, grid.zero_points), (vec![1.0], vec![0.0]));
}

fn weights(grid: &format::IntegerGrid, [rows, columns]: [usize; 2], bits: usize, group: usize) -> Vec<f32> {
    let format = Format::ALL.into_iter().find(|format| format.is_integer() && format.bits() == bits).unwrap();
    let scales = Scales::Plain(&grid.scales);
    let weight = PackedRef { format, rows, columns, group, codes: &grid.codes, scales, zero_points: &grid.zero_points };
    weight.check("test").unwrap();
    let mut out = vec![f32::NAN; rows * columns];
    format::dequantize(&weight, &mut out);
    out
}
