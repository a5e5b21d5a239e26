//! Every operation with a GPU kernel against the processor's result, on every GPU of this machine: ragged shapes and
//! size 1, in memory full of NaN, twice with the same bits.

use nibble_engine::ops::{data, elementwise};
use nibble_engine::{Device, Engine, Handle, Result};

use crate::gpu::{gpus, move_to};
use crate::helpers::{assert_close, read, tensor};
use crate::random::Random;

/// Rows and columns.
const SIZES: [(usize, usize); 7] = [(1, 1), (3, 7), (5, 16), (31, 17), (33, 65), (2, 257), (0, 4)];

type Op<'a> = dyn Fn(&Engine, &[Handle]) -> Result<Vec<Handle>> + 'a;

/// Fills what the pool will give for tensors of this size with NaN.
fn poison(e: &Engine, gpu: Device, count: usize) {
    let near = tensor(e, &[count], &vec![f32::NAN; count]);
    let far: Vec<_> = (0..4).map(|_| move_to(e, near, gpu)).collect();
    far.into_iter().for_each(|far| e.dispose(far).unwrap());
}

/// The results of `op`, and its inputs after it, are the same on the processor and, twice, on each GPU.
#[track_caller]
fn agree(name: &str, tolerance: f64, shapes: &[Vec<usize>], op: &Op) {
    for gpu in gpus() {
        let (e, mut random) = (Engine::default(), Random::new(7));
        let values: Vec<_> = shapes.iter().map(|shape| random.normals(shape.iter().product())).collect();
        let run = |device: Device| {
            let near: Vec<_> = shapes.iter().zip(&values).map(|(shape, values)| tensor(&e, shape, values)).collect();
            let inputs: Vec<_> = near.iter().map(|&h| move_to(&e, h, device)).collect();
            let results = op(&e, &inputs).unwrap();
            let all: Vec<_> = results.into_iter().chain(inputs).collect();
            all.into_iter().map(|h| (data::tensor_info(&e, h).unwrap(), read(&e, h))).collect::<Vec<_>>()
        };
        let expected = run(Device::Cpu);
        expected.iter().for_each(|(_, values)| poison(&e, gpu, values.len()));
        let (got, again) = (run(gpu), run(gpu));
        for (n, ((info, got), (known, expected))) in got.iter().zip(&expected).enumerate() {
            assert_eq!((info.device, &info.shape, info.category), (gpu, &known.shape, known.category), "{name}");
            let expected: Vec<_> = expected.iter().map(|&v| f64::from(v)).collect();
            assert_close(&format!("{name} {shapes:?}, tensor {n}"), got, &expected, tolerance);
            assert!(
                got.iter().map(|v| v.to_bits()).eq(again[n].1.iter().map(|v| v.to_bits())),
                "{name}: two runs differ"
            );
        }
    }
}

#[test]
fn arithmetic() {
    type Binary = fn(&Engine, Handle, Handle) -> Result<Handle>;
    let binary: [(&str, Binary); 4] = [
        ("add", elementwise::add),
        ("subtract", elementwise::subtract),
        ("multiply", elementwise::multiply),
        ("divide", elementwise::divide),
    ];
    for (m, n) in SIZES {
        for (name, op) in binary {
            for second in [vec![m, n], vec![n]] {
                agree(name, 1e-6, &[vec![m, n], second], &|e, x| Ok(vec![op(e, x[0], x[1])?]));
            }
        }
        let one = |name, op: &dyn Fn(&Engine, Handle) -> Result<Handle>| {
            agree(name, 2e-6, &[vec![m, n]], &|e, x| Ok(vec![op(e, x[0])?]));
        };
        one("scale", &|e, x| elementwise::scale(e, x, -1.5));
        one("addScalar", &|e, x| elementwise::add_scalar(e, x, 2.25));
        one("exp", &elementwise::exp);
        one("log", &|e, x| elementwise::log(e, elementwise::exp(e, x)?));
        one("sqrt", &|e, x| elementwise::sqrt(e, elementwise::multiply(e, x, x)?));
        let in_place = |name, op: &dyn Fn(&Engine, &[Handle]) -> Result<()>| {
            agree(name, 1e-6, &[vec![m, n], vec![m, n]], &|e, x| op(e, x).map(|()| vec![]));
        };
        in_place("addInPlace", &|e, x| elementwise::add_in_place(e, x[0], x[1], 0.5));
        in_place("addInPlace to itself", &|e, x| elementwise::add_in_place(e, x[0], x[0], 0.5));
        in_place("scaleInPlace", &|e, x| elementwise::scale_in_place(e, x[0], 3.0));
        in_place("clampInPlace", &|e, x| elementwise::clamp_in_place(e, x[0], -0.5, 0.25));
    }
}

#[test]
fn many_operations_keep_their_order() {
    for gpu in gpus() {
        let e = Engine::default();
        let start = tensor(&e, &[5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
        let mut x = move_to(&e, start, gpu);
        for _ in 0..100 {
            let next = elementwise::add_scalar(&e, x, 1.0).unwrap();
            e.dispose(x).unwrap();
            x = next;
        }
        assert_eq!(read(&e, x), [101.0, 102.0, 103.0, 104.0, 105.0]);
    }
}
