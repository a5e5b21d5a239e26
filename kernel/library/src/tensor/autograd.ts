import { native } from "./native.js";
import { isRecording, keep, noGrad, recorded, register, scope, type Scoped } from "./scope.js";
import { Tensor, type TapeNode } from "./tensor.js";
import { DisposedError, NumericsError, ShapeError, UnsupportedError } from "../errors.js";

export type Inputs = Readonly<Record<string, Tensor>>;
/** For each input, whether its gradient is wanted. */
export type Wanted<I extends Inputs> = { readonly [K in keyof I]: boolean };
/** A gradient per wanted input; `undefined` means zero. */
export type Gradients<I extends Inputs> = { readonly [K in keyof I]?: Tensor | undefined };
/** Gradients collected so far that an op may add to in place, returning the same tensor. */
export type Into<I extends Inputs> = { readonly [K in keyof I]?: Tensor };

export interface OpSignature {
  readonly inputs: Inputs;
  readonly options: object;
  /** What the gradient needs from the forward pass. */
  readonly saved: Readonly<Record<string, Tensor>>;
}

export interface ForwardResult<S extends OpSignature> {
  readonly output: Tensor;
  /** Only what the wanted gradients need; the tape shares their bytes. */
  readonly saved?: { readonly [K in keyof S["saved"]]?: Tensor | undefined };
  /** Made on the way and needed by nobody but the gradient: freed as soon as it is saved. */
  readonly scratch?: readonly Tensor[];
}

export interface BackwardArguments<S extends OpSignature> {
  readonly dy: Tensor;
  readonly saved: S["saved"];
  readonly options: S["options"];
  readonly wanted: Wanted<S["inputs"]>;
  readonly into: Into<S["inputs"]>;
}

/** One differentiable operation: its value and its gradient. */
export interface OpRule<S extends OpSignature> {
  readonly forward: (inputs: S["inputs"], options: S["options"], wanted: Wanted<S["inputs"]>) => ForwardResult<S>;
  readonly backward: (given: BackwardArguments<S>) => Gradients<S["inputs"]>;
}

type AnyRule = OpRule<{ inputs: Inputs; options: object; saved: Readonly<Record<string, Tensor>> }>;
/** Where a gradient goes: on to the node that made the input, or into a leaf. */
type Edge = { readonly node: Node } | { readonly leaf: Tensor };

let serial = 0;

/** One recorded call: what its gradient needs, and where the gradients go. */
class Node implements TapeNode {
  readonly serial = ++serial;
  private saved: ReadonlyMap<string, { tensor: Tensor; version: number }> | null;

  constructor(
    readonly op: string,
    readonly rule: AnyRule,
    readonly options: object,
    readonly edges: Readonly<Record<string, Edge | null>>,
    saved: Readonly<Record<string, Tensor | undefined>>,
  ) {
    const held = new Map<string, { tensor: Tensor; version: number }>();
    for (const [name, tensor] of Object.entries(saved)) {
      if (tensor !== undefined) held.set(name, { tensor: keep(tensor.alias()), version: tensor.version });
    }
    this.saved = held;
    register(this);
  }

  /** The saved tensors, checked to be what they were in the forward pass. */
  take(): Record<string, Tensor> {
    if (this.saved === null) {
      throw new DisposedError(
        "backward",
        `The tape through "${this.op}" was used up by an earlier backward or freed by its scope. Run the forward pass again, inside the same scope.`,
      );
    }
    const result: Record<string, Tensor> = {};
    for (const [name, { tensor, version }] of this.saved) {
      if (tensor.version !== version) {
        throw new NumericsError(
          "backward",
          `"${name}", saved by "${this.op}", was changed in place since. Run the forward pass again.`,
        );
      }
      result[name] = tensor;
    }
    return result;
  }

  /** Frees what was saved; twice is fine. */
  leave(): void {
    for (const { tensor } of this.saved?.values() ?? []) tensor.dispose();
    this.saved = null;
  }

  *needs(): Iterable<Scoped> {
    for (const edge of Object.values(this.edges)) if (edge !== null && "node" in edge) yield edge.node;
  }
}

/** Runs an op and, where an input wants a gradient and recording is on, hangs it on the tape. */
export function apply<S extends OpSignature>(
  op: string,
  rule: OpRule<S>,
  inputs: S["inputs"],
  options: S["options"],
): Tensor {
  const recording = isRecording();
  const wanted: Record<string, boolean> = {};
  for (const [name, tensor] of Object.entries(inputs)) wanted[name] = recording && tensor.requiresGrad;
  const { output, saved, scratch } = rule.forward(inputs, options, wanted as Wanted<S["inputs"]>);
  if (Object.values(wanted).includes(true)) record(op, rule, inputs, options, wanted, output, saved ?? {});
  for (const tensor of scratch ?? []) tensor.dispose();
  return output;
}

/** Hangs an output on the tape. */
export function record<S extends OpSignature>(
  op: string,
  rule: Pick<OpRule<S>, "backward">,
  inputs: Inputs,
  options: object,
  wanted: Readonly<Record<string, boolean>>,
  output: Tensor,
  saved: Readonly<Record<string, Tensor | undefined>>,
): void {
  const edges: Record<string, Edge | null> = {};
  for (const [name, tensor] of Object.entries(inputs)) edges[name] = wanted[name] ? edgeOf(tensor) : null;
  output.node = new Node(op, rule as unknown as AnyRule, options, edges, saved);
}

function edgeOf(tensor: Tensor): Edge {
  return tensor.node === null ? { leaf: tensor } : { node: tensor.node as Node };
}

/**
 * Adds the gradient of `loss` to `grad` of every leaf with `requiresGrad` that it was made from, and frees what the tape
 * had saved on the way: a second call on the same loss throws.
 *
 * @param loss one element, unless `gradient` (same shape) gives the direction
 * @throws {ShapeError} · {UnsupportedError} if nothing behind `loss` wants a gradient · {DisposedError} if the tape is used up
 * @example
 * const loss = model.loss(batch); backward(loss); console.log(parameter.grad);
 */
export function backward(loss: Tensor, gradient?: Tensor): void {
  expectLoss("backward", loss, gradient ?? null);
  sweep(loss, gradient ?? null, takesAll);
}

/** Whether a leaf collects in this sweep. */
type Takes = (leaf: Tensor) => boolean;
const takesAll: Takes = () => true;
/** Of the sweep that is under way: a checkpoint's own sweep obeys it. */
let takes = takesAll;

/** Walks the tape behind `root` once, the latest first. `visit` sees each node's gradient before it goes on. */
function sweep(
  root: Tensor,
  gradient: Tensor | null,
  wants: Takes,
  visit?: (node: TapeNode, gradient: Tensor) => void,
): void {
  const outer = takes;
  takes = wants;
  try {
    noGrad(() =>
      scope(() => {
        const first = root.node as Node;
        const { shape, device } = root;
        const seed = gradient?.alias() ?? Tensor.full(shape, 1, { category: "gradients", owner: "backward", device });
        const pending = new Map<Node, Tensor>([[first, seed]]);
        try {
          for (const node of reachable(first)) {
            const dy = pending.get(node);
            if (dy !== undefined) {
              visit?.(node, dy);
              step(node, dy, pending);
            }
            node.leave();
            dy?.dispose();
            pending.delete(node);
          }
        } finally {
          for (const dy of pending.values()) dy.dispose();
        }
      }),
    );
  } finally {
    takes = outer;
  }
}

/**
 * The sweep of a checkpoint through what `make` computes again: `own` leaves collect, others where the sweep around lets them.
 *
 * @throws {UnsupportedError} if `make` used a result from outside that wants a gradient
 */
export function backwardThrough(make: () => Tensor, gradient: Tensor, own: ReadonlySet<Tensor>): void {
  const start = serial;
  const root = recorded(make);
  if (root.node === null) {
    // The result is one of the leaves, as it came.
    root.grad = keep(gradient.alias());
    return;
  }
  if (reachable(root.node as Node).some((node) => node.serial <= start)) {
    throw new UnsupportedError(
      "checkpoint",
      "The function used a result from outside that wants a gradient. Give it to checkpoint as an input.",
    );
  }
  const outer = takes;
  sweep(root, gradient, (leaf) => own.has(leaf) || outer(leaf));
}

/**
 * The gradients of a loss by tensors, leaves or intermediate results, without touching anyone's `grad`; the caller disposes. Like
 * `backward`, it uses up the tape. Of a function it makes another, which gives the gradients by its arguments.
 *
 * @throws {ShapeError} if the loss has more than one element · {UnsupportedError} for a tensor that the loss was not made from
 * @example
 * const [dw] = grad(model.loss(batch), [w]);
 * const [dx, dy] = grad((x, y) => sum(multiply(x, y)))(x, y);
 */
export function grad(loss: Tensor, inputs: readonly Tensor[]): Tensor[];
export function grad<A extends readonly Tensor[]>(fn: (...inputs: A) => Tensor): (...inputs: A) => Tensor[];
export function grad<A extends readonly Tensor[]>(
  first: Tensor | ((...inputs: A) => Tensor),
  inputs: readonly Tensor[] = [],
): Tensor[] | ((...inputs: A) => Tensor[]) {
  if (first instanceof Tensor) return gradientsBy(first, inputs);
  return (...given) =>
    scope(() => {
      const leaves = given.map((input) => input.alias().asLeaf());
      const loss = recorded(() => first(...(leaves as unknown as A)));
      return gradientsBy(loss, leaves);
    });
}

function gradientsBy(loss: Tensor, inputs: readonly Tensor[]): Tensor[] {
  expectLoss("grad", loss, null);
  const leaves = new Set(inputs.filter(({ node }) => node === null));
  const nodes = new Map(inputs.flatMap((input) => (input.node === null ? [] : [[input.node, input] as const])));
  const before = [...leaves].map((leaf) => [leaf, leaf.grad] as const);
  for (const [leaf] of before) leaf.grad = null;
  const found = new Map<Tensor, Tensor>();
  try {
    sweep(
      loss,
      null,
      (leaf) => leaves.has(leaf),
      (node, gradient) => {
        const input = nodes.get(node);
        if (input !== undefined)
          found.set(input, keep(Tensor.adopt(native.tensorCopy(gradient.handle, "gradients", "grad"))));
      },
    );
    for (const leaf of leaves) if (leaf.grad !== null) found.set(leaf, leaf.grad);
  } finally {
    for (const [leaf, own] of before) leaf.grad = own;
  }
  const missing = inputs.findIndex((input) => !found.has(input));
  if (missing >= 0) {
    for (const tensor of found.values()) tensor.dispose();
    throw new UnsupportedError(
      "grad",
      `The loss was not made from input ${missing}, or that one has no requiresGrad. Set it before the forward pass.`,
    );
  }
  const result = inputs.map((input) => found.get(input)!);
  for (const tensor of new Set(result)) register(tensor);
  return result;
}

function expectLoss(op: string, loss: Tensor, gradient: Tensor | null): void {
  if (gradient === null && loss.size !== 1) {
    throw new ShapeError(
      op,
      `The loss has shape [${loss.shape.join(", ")}]. Allowed: one element, or give a gradient of that shape.`,
    );
  }
  if (gradient !== null && gradient.shape.join() !== loss.shape.join()) {
    throw new ShapeError(
      op,
      `The gradient has shape [${gradient.shape.join(", ")}]. Allowed: the loss's, [${loss.shape.join(", ")}].`,
    );
  }
  if (loss.node === null) {
    throw new UnsupportedError(
      op,
      "Nothing that this value was made from has requiresGrad, or it was made inside noGrad. Set requiresGrad on a parameter first.",
    );
  }
}

/** One node: its inputs' gradients, added to what is there already. */
function step(node: Node, dy: Tensor, pending: Map<Node, Tensor>): void {
  scope(() => {
    const wanted: Record<string, boolean> = {};
    const into: Record<string, Tensor> = {};
    for (const [name, edge] of Object.entries(node.edges)) {
      wanted[name] = edge !== null && flows(edge);
      const sofar = edge !== null && "leaf" in edge ? edge.leaf.grad : null;
      if (sofar !== null && !sofar.shared) into[name] = sofar;
    }
    const gradients = node.rule.backward({ dy, saved: node.take(), options: node.options, wanted, into });
    for (const [name, edge] of Object.entries(node.edges)) {
      const gradient = gradients[name];
      if (edge !== null && flows(edge) && gradient !== undefined) accumulate(edge, gradient, pending);
    }
  });
  for (const edge of Object.values(node.edges)) if (edge !== null && "leaf" in edge) ownGradient(edge.leaf);
}

/** Whether a gradient along this edge ends up anywhere. */
function flows(edge: Edge): boolean {
  return "node" in edge || takes(edge.leaf);
}

function accumulate(edge: Edge, gradient: Tensor, pending: Map<Node, Tensor>): void {
  const sofar = "leaf" in edge ? edge.leaf.grad : pending.get(edge.node);
  if (sofar === gradient) return;
  if (sofar !== undefined && sofar !== null && !sofar.shared) {
    native.addInPlace(sofar.handle, gradient.handle, 1);
    sofar.touched();
    return;
  }
  const sum =
    sofar === undefined || sofar === null ? gradient.alias() : Tensor.adopt(native.add(sofar.handle, gradient.handle));
  sofar?.dispose();
  if ("node" in edge) pending.set(edge.node, keep(sum));
  else edge.leaf.grad = keep(sum);
}

/** Optimizers write gradients in place, so a leaf's must not share its bytes with anything. */
function ownGradient(leaf: Tensor): void {
  const gradient = leaf.grad;
  if (gradient === null) return;
  if (gradient.shared) {
    leaf.grad = keep(Tensor.adopt(native.tensorCopy(gradient.handle, "gradients", leaf.owner)));
    gradient.dispose();
  } else gradient.label("gradients", leaf.owner);
}

/** Every node behind the root, the latest first: each comes after all that used its output. */
function reachable(root: Node): Node[] {
  const seen = new Set<Node>([root]);
  for (const node of seen) for (const next of node.needs()) seen.add(next as Node);
  return [...seen].sort((a, b) => b.serial - a.serial);
}
