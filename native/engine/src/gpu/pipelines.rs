//! Compiled kernels, made at their first use and kept.

use std::sync::PoisonError;

use super::device::Open;
use super::{Failure, Source};

/// The kernel of this name in a file.
pub(super) fn pipeline(gpu: &Open, source: &Source, entry: &'static str) -> Result<wgpu::ComputePipeline, Failure> {
    let key = (source.file, entry);
    let kept = gpu.pipelines.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if let Some(pipeline) = kept {
        return Ok(pipeline);
    }
    let pipeline = gpu.guarded(|| {
        let text = wgpu::ShaderSource::Wgsl(source.text.into());
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(source.file), source: text };
        let module = gpu.device.create_shader_module(descriptor);
        Ok(gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            // Kernels write all of the workgroup memory that they read.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        }))
    })?;
    gpu.pipelines.lock().unwrap_or_else(PoisonError::into_inner).insert(key, pipeline.clone());
    Ok(pipeline)
}

#[cfg(test)]
mod tests {
    use super::super::device::{devices, open};
    use super::super::{Failure, Memory, Source};
    use super::pipeline;

    #[test]
    fn what_a_gpu_refuses_is_a_failure_and_the_next_call_works() {
        for number in 0..devices().len() as u32 {
            let gpu = open(number).unwrap();
            for text in ["fn main( {", "@compute @workgroup_size(1) fn other() {}"] {
                let refused = pipeline(gpu, &Source { file: "wrong", text }, "main").unwrap_err();
                assert!(matches!(&refused, Failure::Refused(what) if !what.is_empty()), "{refused:?}");
            }
            let bytes = [1, 2, 3, 4, 5];
            assert_eq!(Memory::upload(number, &bytes).unwrap().download(5).unwrap(), bytes);
        }
    }
}
