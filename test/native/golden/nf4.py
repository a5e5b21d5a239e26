"""Makes nf4.json and nf4.bin: NF4 and FP4 weights as bitsandbytes (CPU path) writes them.

    python -m venv venv && venv/bin/pip install torch bitsandbytes==0.50.2 numpy
    venv/bin/python test/native/golden/nf4.py

nf4.json lists the cases; each names arrays by [type, offset, count] in nf4.bin. A case holds the weights and, for plain
and double quantization, codes, scales (nested: codes, scales, offset) and the dequantized weights.
"""
import json
import pathlib
import sys

import bitsandbytes
import bitsandbytes.functional as functional
import numpy
import torch

here = pathlib.Path(__file__).parent
blob = bytearray()


def store(array):
    array = numpy.ascontiguousarray(array.detach().numpy().reshape(-1))
    name = {"float32": "f32", "uint8": "u8"}[str(array.dtype)]
    while len(blob) % 4:
        blob.append(0)
    offset = len(blob)
    blob.extend(array.tobytes())
    return [name, offset, int(array.size)]


def case(name, weights, block, format="nf4"):
    codes, state = functional.quantize_4bit(weights, blocksize=block, quant_type=format)
    nested_codes, nested = functional.quantize_4bit(weights, blocksize=block, quant_type=format, compress_statistics=True)
    assert torch.equal(codes, nested_codes)
    return {
        "name": name,
        "format": format,
        "shape": list(weights.shape),
        "block": block,
        "weights": store(weights),
        "codes": store(codes),
        "scales": store(state.absmax),
        "dequantized": store(functional.dequantize_4bit(codes, state)),
        "nestedCodes": store(nested.absmax),
        "nestedScales": store(nested.state2.absmax),
        "nestedOffset": float(nested.offset),
        "nestedDequantized": store(functional.dequantize_4bit(nested_codes, nested)),
    }


torch.manual_seed(20261122)
normal = torch.randn(24, 128) * 0.02
heavy = torch.distributions.StudentT(3.0).sample((20, 65)) * 0.05
ragged = torch.randn(7, 37)
zeros = torch.randn(5, 64)
zeros[1] = 0
zeros[4, 40:] = 0
edges = torch.tensor(functional.get_4bit_type("nf4", device="cpu").tolist())
middles = (edges[:-1] + edges[1:]) / 2
ties = torch.cat([middles, torch.nextafter(middles, torch.tensor(2.0)), edges[-1:], torch.zeros(1), edges, -middles[:1]])
many = torch.randn(260, 32)
fp4_edges = functional.get_4bit_type("fp4", device="cpu").sort().values
fp4_middles = (fp4_edges[:-1] + fp4_edges[1:]) / 2
fp4_ties = torch.cat([fp4_edges, fp4_middles, fp4_edges[-1:]])
cases = [
    case("normal", normal, 64),
    case("heavy tails, odd rows straddle blocks", heavy, 64),
    case("last partial block, odd count", ragged, 64),
    case("a block of zeros", zeros, 64),
    case("partial block of zeros", torch.cat([torch.ones(64), torch.zeros(9)]), 64),
    case("thresholds: ties go down", ties[:32], 32),
    case("more than one block of scales", many, 32),
    case("fp4, normal", normal, 64, "fp4"),
    case("fp4, heavy tails, odd rows straddle blocks", heavy, 64, "fp4"),
    case("fp4, last partial block, odd count", ragged, 64, "fp4"),
    case("fp4, a block of zeros", zeros, 64, "fp4"),
    case("fp4, thresholds", fp4_ties, 32, "fp4"),
]
about = {
    "bitsandbytes": bitsandbytes.__version__,
    "torch": torch.__version__,
    "levels": store(functional.get_4bit_type("nf4", device="cpu")),
    "fp4Levels": store(functional.get_4bit_type("fp4", device="cpu")),
    "dynamicMap": store(functional.create_dynamic_map()),
    "cases": cases,
}
(here / "nf4.json").write_text(json.dumps(about, indent=1) + "\n")
(here / "nf4.bin").write_bytes(blob)
print(f"{len(cases)} cases, {len(blob)} bytes", file=sys.stderr)
