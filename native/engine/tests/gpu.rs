//! The GPU seam: tensors go there and come back, operations without a kernel say that they do not run there. Runs on any
//! Vulkan, Metal or Direct3D device, software ones too; without one it says so.

use nibble_engine::device::{self, Device};
use nibble_engine::ops::{data, elementwise, reduce};
use nibble_engine::{DType, Engine, Handle};

use crate::helpers::{LABEL, tensor};

/// All GPUs, or a line that says that there are none.
pub fn gpus() -> Vec<Device> {
    let found: Vec<_> = device::devices().into_iter().skip(1).collect();
    if found.is_empty() {
        println!(
            "skipped: no Vulkan, Metal or Direct3D device (Debian: apt-get install mesa-vulkan-drivers libvulkan1)"
        );
    }
    found.into_iter().map(|gpu| gpu.device).collect()
}

pub fn move_to(e: &Engine, h: Handle, device: Device) -> Handle {
    data::tensor_to_device(e, h, device).unwrap()
}

#[test]
fn devices_are_numbered_and_software_ones_come_last() {
    let devices = device::devices();
    assert_eq!(devices[0].device, Device::Cpu);
    for (number, gpu) in (0..).zip(&devices[1..]) {
        println!("{}: {}{}", gpu.device.name(), gpu.description, if gpu.software { ", software" } else { "" });
        assert_eq!(gpu.device, Device::Gpu(number));
    }
    assert!(devices[1..].is_sorted_by_key(|gpu| gpu.software));
}

#[test]
fn bytes_survive_the_way_to_a_gpu_and_back() {
    for gpu in gpus() {
        let e = Engine::default();
        for count in [0usize, 1, 2, 3, 5, 64, 1021] {
            let bytes: Vec<u8> = (0..count).map(|i| (i * 37) as u8).collect();
            let near = data::tensor_from_bytes(&e, &bytes, DType::U8, &[count], LABEL).unwrap();
            let far = move_to(&e, near, gpu);
            let info = data::tensor_info(&e, far).unwrap();
            assert_eq!((info.device, info.bytes, info.dtype), (gpu, count, DType::U8));
            assert_eq!(data::tensor_read(&e, far).unwrap(), bytes);
            let back = move_to(&e, far, Device::Cpu);
            assert_eq!(data::tensor_info(&e, back).unwrap().device, Device::Cpu);
            assert_eq!(data::tensor_read(&e, back).unwrap(), bytes);
        }
    }
}

#[test]
fn other_operations_say_that_they_do_not_run_there() {
    for gpu in gpus() {
        let e = Engine::default();
        let a = tensor(&e, &[2], &[1.0, 2.0]);
        let far = move_to(&e, a, gpu);
        for error in [reduce::top_k(&e, far, 1).unwrap_err(), elementwise::add(&e, a, far).unwrap_err()] {
            let message = error.to_string();
            assert_eq!(error.code(), "UnsupportedError", "{message}");
            assert!(
                message.contains(&gpu.name()) && message.contains("toDevice(") && message.contains("\"cpu\""),
                "{message}"
            );
        }
        let error = reduce::top_k(&e, far, 1).unwrap_err().to_string();
        assert!(error.starts_with("[topK] x is on \"gpu"), "{error}");
    }
}

#[test]
fn an_absent_gpu_is_an_error_that_lists_those_there_are() {
    let e = Engine::default();
    let a = tensor(&e, &[1], &[1.0]);
    let error = data::tensor_to_device(&e, a, Device::Gpu(99)).unwrap_err();
    assert_eq!(error.code(), "UnsupportedError");
    assert!(error.to_string().contains("\"gpu:99\"") && error.to_string().contains("\"cpu\""), "{error}");
    assert_eq!(e.ledger().stats().len(), 1, "no account for a device that is not there");
}

#[test]
fn bytes_on_a_gpu_are_charged_to_it() {
    for gpu in gpus() {
        let e = Engine::default();
        let live =
            || e.ledger().stats().into_iter().find(|(device, _)| *device == gpu).map_or(0, |(_, stats)| stats.live);
        let a = tensor(&e, &[1000], &[0.5; 1000]);
        let far = move_to(&e, a, gpu);
        assert_eq!(live(), 4000);
        let sum = elementwise::add(&e, far, far).unwrap();
        assert_eq!(live(), 8000);
        data::tensor_reshape(&e, far, &[10, 100]).unwrap();
        assert_eq!(live(), 8000);
        e.dispose(sum).unwrap();
        assert_eq!(live(), 4000);
        e.ledger().set_limit(5000);
        assert_eq!(elementwise::add(&e, far, far).unwrap_err().code(), "OutOfMemoryError");
        assert_eq!(live(), 4000);
    }
}
