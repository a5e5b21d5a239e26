//! Compiled kernels, made at their first use and kept.

use std::sync::PoisonError;

use super::Failure;
use super::device::Open;

/// The kernel `main` of a WGSL source, by the name of its file.
pub(super) fn pipeline(gpu: &Open, name: &'static str, source: &str) -> Result<wgpu::ComputePipeline, Failure> {
    let kept = gpu.pipelines.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
    if let Some(pipeline) = kept {
        return Ok(pipeline);
    }
    let pipeline = gpu.guarded(|| {
        let source = wgpu::ShaderSource::Wgsl(source.into());
        let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source });
        Ok(gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        }))
    })?;
    gpu.pipelines.lock().unwrap_or_else(PoisonError::into_inner).insert(name, pipeline.clone());
    Ok(pipeline)
}

#[cfg(test)]
mod tests {
    use super::super::device::{devices, open};
    use super::super::{Failure, Memory};
    use super::pipeline;

    #[test]
    fn what_a_gpu_refuses_is_a_failure_and_the_next_call_works() {
        for number in 0..devices().len() as u32 {
            let gpu = open(number).unwrap();
            for source in ["fn main( {", "@compute @workgroup_size(1) fn other() {}"] {
                let refused = pipeline(gpu, "wrong", source).unwrap_err();
                assert!(matches!(&refused, Failure::Refused(what) if !what.is_empty()), "{refused:?}");
            }
            let bytes = [1, 2, 3, 4, 5];
            assert_eq!(Memory::upload(number, &bytes).unwrap().download(5).unwrap(), bytes);
        }
    }
}
