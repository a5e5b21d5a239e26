//! Kernels are written once and run on Vulkan, Metal and Direct3D: each is translated here as `wgpu` does it there.

#![expect(clippy::panic, reason = "a test stops at the first kernel that does not translate")]

use std::collections::BTreeSet;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Module, back, front, valid::ModuleInfo};

use super::*;

/// All of them.
const SOURCES: [&Source; 20] = [
    &activation::SOURCE,
    &adamw::SOURCE,
    &adamw8bit::SOURCE,
    &attention::FORWARD,
    &attention::BACKWARD,
    &cast::SOURCE,
    &copy::SOURCE,
    &cross_entropy::SOURCE,
    &double_quant::SOURCE,
    &dropout::SOURCE,
    &elementwise::SOURCE,
    &lion::SOURCE,
    &matmul::SOURCE,
    &norm::SOURCE,
    &packed::SOURCE,
    &packed::SCALES,
    &reduce::SOURCE,
    &rope::SOURCE,
    &sgd::SOURCE,
    &softmax::SOURCE,
];
/// Files that are joined with others.
const PARTS: [&str; 4] = ["shared.wgsl", "tile.wgsl", "attention_scores.wgsl", "packed_weight.wgsl"];

fn checked(source: &Source) -> (Module, ModuleInfo) {
    let module = front::wgsl::parse_str(source.text)
        .unwrap_or_else(|error| panic!("{}: {}", source.file, error.emit_to_string(source.text)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::default())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {}", source.file, error.emit_to_string(source.text)));
    (module, info)
}

#[test]
fn every_file_of_this_folder_is_known_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<_> = names.filter(|name| name.ends_with(".wgsl")).collect();
    let known: BTreeSet<_> = SOURCES.iter().map(|source| source.file).chain(PARTS).map(str::to_owned).collect();
    assert_eq!(found, known);
}

#[test]
fn kernels_take_256_invocations_and_little_of_the_workgroups_memory() {
    for source in SOURCES {
        let (module, _) = checked(source);
        assert!(!module.entry_points.is_empty(), "{}", source.file);
        for entry in &module.entry_points {
            assert_eq!(entry.workgroup_size, [256, 1, 1], "{}: {}", source.file, entry.name);
        }
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared = module.global_variables.iter().filter(|(_, it)| it.space == naga::AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, it)| layouter[it.ty].size).sum();
        assert!(bytes <= 16_384, "{}: {bytes} bytes, of 16384 on the weakest device", source.file);
    }
}

#[test]
fn kernels_translate_to_metal() {
    for source in SOURCES {
        let (module, info) = checked(source);
        let options = back::msl::Options { lang_version: (2, 0), ..back::msl::Options::default() };
        let (text, translated) =
            back::msl::write_string(&module, &info, &options, &back::msl::PipelineOptions::default()).unwrap();
        for (entry, name) in module.entry_points.iter().zip(translated.entry_point_names) {
            let name = name.unwrap_or_else(|error| panic!("{}: {}: {error}", source.file, entry.name));
            assert!(text.contains(&format!("kernel void {name}(")), "{}: {}", source.file, entry.name);
        }
    }
}

#[test]
fn kernels_translate_to_direct3d() {
    for source in SOURCES {
        let (module, info) = checked(source);
        let (options, pipeline) = (back::hlsl::Options::default(), back::hlsl::PipelineOptions::default());
        let mut text = String::new();
        let translated = back::hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None).unwrap();
        for (entry, name) in module.entry_points.iter().zip(translated.entry_point_names) {
            let name = name.unwrap_or_else(|error| panic!("{}: {}: {error}", source.file, entry.name));
            assert!(text.contains(&format!("void {name}(")), "{}: {}", source.file, entry.name);
        }
    }
}
