import type { ModelConfig } from "./config.js";
import type { Tap } from "./hooks.js";
import { Attention, type Positions } from "../nn/attention.js";
import { Embedding } from "../nn/embedding.js";
import { DenseWeight, Linear, type LinearWeight } from "../nn/linear.js";
import { GatedMlp } from "../nn/mlp.js";
import { Module } from "../nn/module.js";
import { RmsNorm } from "../nn/norm.js";
import { checkpoint } from "../tensor/checkpoint.js";
import { add } from "../tensor/ops.js";
import type { Precision } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

/** What a parameter is, which decides how it starts. */
export type ParameterRole = "embedding" | "linear" | "residual" | "norm" | "bias";
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole;
}

/** Every parameter of a decoder, by the name that it has in `namedParameters`. "residual" linears write into the residual stream. */
export function* decoderShapes(config: ModelConfig): Generator<ParameterShape> {
  const { hiddenSize: d, intermediateSize: m, headDim, heads, kvHeads } = config;
  yield { name: "embed.weight", shape: [config.vocabSize, d], role: "embedding" };
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blocks.${layer}`;
    yield { name: `${block}.attentionNorm.weight`, shape: [d], role: "norm" };
    const attention = {
      q_proj: [heads * headDim, d],
      k_proj: [kvHeads * headDim, d],
      v_proj: [kvHeads * headDim, d],
      o_proj: [d, heads * headDim],
    };
    yield* linearShapes(`${block}.attention`, attention, config.attentionBias);
    yield { name: `${block}.mlpNorm.weight`, shape: [d], role: "norm" };
    yield* linearShapes(`${block}.mlp`, { gate_proj: [m, d], up_proj: [m, d], down_proj: [d, m] }, config.mlpBias);
  }
  yield { name: "finalNorm.weight", shape: [d], role: "norm" };
  if (!config.tieEmbeddings) yield { name: "head.weight", shape: [config.vocabSize, d], role: "linear" };
}

function* linearShapes(prefix: string, layers: Record<string, number[]>, bias: boolean): Generator<ParameterShape> {
  for (const [name, shape] of Object.entries(layers)) {
    yield {
      name: `${prefix}.${name}.weight`,
      shape,
      role: name === "o_proj" || name === "down_proj" ? "residual" : "linear",
    };
    if (bias) yield { name: `${prefix}.${name}.bias`, shape: [shape[0]!], role: "bias" };
  }
}

/** One forward pass: where its rows stand, and what looks at the residual stream on the way. */
export interface Pass extends Positions {
  readonly tap: Tap | null;
  /** Keep only what goes from block to block, and compute a block again for its gradient. */
  readonly recompute?: boolean;
}

/** x + attention(norm(x)), then x + mlp(norm(x)). */
export class Block extends Module {
  constructor(
    readonly attentionNorm: RmsNorm,
    readonly attention: Attention,
    readonly mlpNorm: RmsNorm,
    readonly mlp: GatedMlp,
    readonly layer: number,
  ) {
    super();
  }

  /** x [batch·length, hidden] → the same shape */
  forward(x: Tensor, pass: Pass): Tensor {
    const name = `blocks.${this.layer}`;
    return scope(() => {
      const pre = tapped(pass, `${name}.hook_resid_pre`, x);
      const attended = scope(() => this.attention.forward(this.attentionNorm.forward(pre), pass));
      const mid = tapped(pass, `${name}.hook_resid_mid`, add(pre, attended));
      const transformed = scope(() => this.mlp.forward(this.mlpNorm.forward(mid)));
      return tapped(pass, `${name}.hook_resid_post`, add(mid, transformed));
    });
  }
}

/** A decoder-only transformer: embedding, blocks, final norm, output layer. */
export class Decoder extends Module {
  readonly embed: Embedding;
  readonly blocks: readonly Block[];
  readonly finalNorm: RmsNorm;
  /** null where the embedding is the output layer. */
  readonly head: Linear | null;
  private computed: Precision = "f32";

  /**
   * @param tensors one per entry of `decoderShapes(config)`, but for those that `packed` has in another form; all belong to the decoder
   *   from here on
   */
  constructor(
    readonly config: ModelConfig,
    tensors: ReadonlyMap<string, Tensor>,
    packed: ReadonlyMap<string, LinearWeight> = new Map(),
  ) {
    super();
    const find = (name: string) => tensors.get(name)!;
    const linear = (name: string) => {
      const weight = packed.get(`${name}.weight`) ?? new DenseWeight(find(`${name}.weight`));
      return new Linear(weight, tensors.get(`${name}.bias`) ?? null);
    };
    const norm = (name: string) => new RmsNorm(find(`${name}.weight`), config.normEpsilon);
    this.embed = new Embedding(find("embed.weight"));
    this.blocks = Array.from({ length: config.layers }, (_, layer) => {
      const [at, mlp] = [`blocks.${layer}.attention`, `blocks.${layer}.mlp`];
      const [q, k, v, o] = [
        linear(`${at}.q_proj`),
        linear(`${at}.k_proj`),
        linear(`${at}.v_proj`),
        linear(`${at}.o_proj`),
      ];
      return new Block(
        norm(`blocks.${layer}.attentionNorm`),
        new Attention(q, k, v, o, layer, config),
        norm(`blocks.${layer}.mlpNorm`),
        new GatedMlp(linear(`${mlp}.gate_proj`), linear(`${mlp}.up_proj`), linear(`${mlp}.down_proj`)),
        layer,
      );
    });
    this.finalNorm = norm("finalNorm");
    this.head = config.tieEmbeddings ? null : linear("head");
  }

  /** What the products of its layers, and of the output layer, round their operands to. */
  get precision(): Precision {
    return this.computed;
  }
  set precision(precision: Precision) {
    this.computed = precision;
    for (const [, module] of this.namedModules()) {
      if (module instanceof Linear || module instanceof Attention) module.precision = precision;
    }
  }

  /** ids i32 [batch·length] → normalized residual stream [batch·length, hidden], what the output layer reads */
  forward(ids: Tensor, pass: Pass): Tensor {
    return scope(() => {
      let x = tapped(pass, "hook_embed", this.embed.forward(ids));
      for (const block of this.blocks) {
        const next = pass.recompute ? checkpoint((x) => block.forward(x, pass), x) : block.forward(x, pass);
        x.dispose();
        x = next;
      }
      return tapped(pass, "ln_final.hook_normalized", this.finalNorm.forward(x));
    });
  }

  /** The output layer's weight [vocab, hidden]. A packed one is decoded for the occasion, which the scope around frees. */
  outputWeight(): Tensor {
    if (this.head === null) return this.embed.weight;
    return this.head.weight instanceof DenseWeight ? this.head.weight.tensor : this.head.weight.dequantize();
  }

  /** The linear layers of the blocks by dotted name: what quantizers and tuners work on. The output layer is not among them. */
  *linears(): Generator<[string, Linear]> {
    for (const [name, module] of this.namedModules())
      if (module instanceof Linear && module !== this.head) yield [name, module];
  }
}

function tapped(pass: Pass, name: string, x: Tensor): Tensor {
  return pass.tap === null ? x : pass.tap(name, x, pass);
}
