//! What is refused at the door, with which code and words; nothing is allocated before.

use nibble_engine::format::Format;
use nibble_engine::ops::attention::{AttentionOptions, attention_forward};
use nibble_engine::ops::cross_entropy::{CrossEntropyOptions, linear_cross_entropy};
use nibble_engine::ops::matmul::{MatmulOptions, matmul};
use nibble_engine::ops::rope::{RopeOptions, rope};
use nibble_engine::ops::{data, elementwise, embedding, norm};
use nibble_engine::{Category, DType, Device, Engine};

use crate::helpers::{ids, tensor};

#[test]
fn wrong_shapes_types_and_options_are_told_apart() {
    let e = Engine::default();
    let x = tensor(&e, &[2, 6], &[1.0; 12]);
    let y = tensor(&e, &[6, 2], &[1.0; 12]);
    let v = tensor(&e, &[6], &[1.0; 6]);
    let n = ids(&e, &[0, 5]);
    let attention = AttentionOptions::new(1, 2, 2);
    let positions = RopeOptions::new(2, 1, 1e4);
    let (live, tensors) = (e.ledger().stats()[0].1.live, e.live_tensors());
    let refused = [
        (elementwise::add(&e, x, y), "ShapeError", "[add] b has shape [6, 2]. Expected [2, 6], as a."),
        (elementwise::add(&e, y, n), "DTypeError", "b is i32"),
        (elementwise::add(&e, x, n), "ShapeError", "[add] b has shape [2]. Expected [6], because a is [2, 6]."),
        (matmul(&e, x, x, MatmulOptions::default()), "ShapeError", "Expected [6, n], because a is [2, 6]."),
        (matmul(&e, v, x, MatmulOptions::default()), "ShapeError", "at least 2 dimensions"),
        (embedding::embedding_forward(&e, n, x), "OptionError", "ids is 5 at position 1. Expected 0 … 2 − 1."),
        (embedding::embedding_forward(&e, v, x), "DTypeError", "ids is f32"),
        (rope(&e, x, RopeOptions { heads: 4, ..positions }), "ShapeError", "[..batch·2, 4·half·2]"),
        (
            rope(&e, x, RopeOptions { length: 0, ..positions }),
            "OptionError",
            "length is 0. Expected a whole number of at least 1",
        ),
        (rope(&e, x, RopeOptions { theta: 0.0, ..positions }), "OptionError", "theta is 0"),
        (
            norm::rms_norm_forward(&e, x, y, 1e-5).map(|r| r.0),
            "ShapeError",
            "weight has shape [6, 2]. Expected [6], because x is [2, 6].",
        ),
        (
            attention_forward(&e, x, x, x, AttentionOptions { heads: 3, ..attention }).map(|r| r.0),
            "OptionError",
            "heads a multiple of kvHeads",
        ),
        (attention_forward(&e, x, y, y, attention).map(|r| r.0), "ShapeError", "k has shape [6, 2]"),
        (data::tensor_reshape(&e, x, &[5]), "ShapeError", "12 elements"),
        (data::slice_rows(&e, x, 1, 3), "OptionError", "0 ≤ start ≤ end ≤ 2"),
        (data::concat_rows(&e, &[x, y]), "ShapeError", "xs has shape [6, 2]"),
        (data::concat_rows(&e, &[]), "OptionError", "at least one tensor"),
        (data::transpose(&e, v), "ShapeError", "Expected [a, b]."),
        (
            data::tensor_from_bytes(&e, &[0; 3], DType::F32, &[1], (Category::Cache, "x")),
            "FormatError",
            "Expected 4 bytes",
        ),
        (data::tensor_to_device(&e, x, Device::Gpu(99)), "UnsupportedError", "gpu:99"),
    ];
    for (result, code, part) in refused {
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "\"{error}\" lacks \"{part}\"");
    }
    let targets = linear_cross_entropy(&e, x, x, n, CrossEntropyOptions::default()).unwrap_err();
    assert!(targets.to_string().contains("targets is 5 at position 1. Expected 0 … 2 − 1, or -100"), "{targets}");
    assert_eq!((e.ledger().stats()[0].1.live, e.live_tensors()), (live, tensors));
}

#[test]
fn what_is_written_must_not_be_read_meanwhile() {
    let e = Engine::default();
    let x = tensor(&e, &[2, 2], &[1.0; 4]);
    let view = data::tensor_reshape(&e, x, &[4, 1]).unwrap();
    let view = data::tensor_reshape(&e, view, &[2, 2]).unwrap();
    let into = MatmulOptions { into: Some(view), ..MatmulOptions::default() };
    assert_eq!(matmul(&e, x, x, into).unwrap_err().code(), "OptionError");
    assert_eq!(embedding::embedding_backward(&e, ids(&e, &[0, 1]), x, view).unwrap_err().code(), "OptionError");
}

#[test]
fn names_of_types_categories_and_devices_are_listed() {
    let message = DType::parse("op", "f64").unwrap_err().to_string();
    assert_eq!(message, "[op] dtype is \"f64\". Expected one of \"f32\", \"f16\", \"bf16\", \"i32\", \"i8\", \"u8\".");
    for category in Category::ALL {
        assert_eq!(Category::parse("op", category.name()).unwrap(), category);
    }
    for (device, name) in [(Device::Cpu, "cpu"), (Device::Gpu(0), "gpu"), (Device::Gpu(3), "gpu:3")] {
        assert_eq!((Device::parse("op", name).unwrap(), device.name().as_str()), (device, name));
    }
    assert_eq!(Device::parse("op", "cuda").unwrap_err().code(), "OptionError");
    assert_eq!(Format::parse("op", "int7").unwrap_err().code(), "OptionError");
}
