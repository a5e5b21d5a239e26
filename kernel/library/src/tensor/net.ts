import { setFlagsFromString } from "node:v8";
import { createContext, runInContext, runInNewContext } from "node:vm";

/** What one object holds, until the object lets go or is collected. */
export interface Claim<H> {
  readonly held: H;
  readonly owner: WeakRef<object>;
  readonly bytes: number;
}

/** What an abandoned object costs beside its bytes: the objects on both sides, in round numbers. */
const OBJECT_BYTES = 1024;
/** Growth since the last look that is worth a garbage collection, at least. */
const SMALLEST_GROWTH = 64 * 2 ** 20;

/**
 * Frees what objects held that nobody reaches any more. JavaScript tells of collected objects between tasks only, which a
 * loop without awaits never reaches; so when what is held has grown by half, and by 64 MiB, the net has the garbage collected
 * and looks itself.
 */
export class Net<H> {
  /** Objects whose claims the net freed. */
  collected = 0;
  private readonly claims = new Set<Claim<H>>();
  private readonly registry = new FinalizationRegistry<Claim<H>>((claim) => this.collect(claim));
  private bytes = 0;
  private limit = SMALLEST_GROWTH;
  private collector: (() => void) | null = null;

  constructor(private readonly free: (held: H) => void) {}

  /** Notes that `owner` holds something of native memory. */
  claim(owner: object, held: H, bytes: number): Claim<H> {
    const claim = { held, owner: new WeakRef(owner), bytes: bytes + OBJECT_BYTES };
    this.claims.add(claim);
    this.registry.register(owner, claim, claim);
    this.bytes += claim.bytes;
    if (this.bytes > this.limit) this.look();
    return claim;
  }

  /** The owner lets go by itself. */
  settle(claim: Claim<H>): void {
    if (!this.claims.delete(claim)) return;
    this.registry.unregister(claim);
    this.bytes -= claim.bytes;
    this.free(claim.held);
  }

  private collect(claim: Claim<H>): void {
    if (!this.claims.has(claim)) return;
    this.collected++;
    this.settle(claim);
  }

  private look(): void {
    this.collector ??= makeCollector();
    this.collector();
    for (const claim of this.claims) if (claim.owner.deref() === undefined) this.collect(claim);
    this.limit = this.bytes + Math.max(SMALLEST_GROWTH, this.bytes / 2);
  }
}

/** Runs a full garbage collection, of which weak references show the result at once. */
function makeCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // Objects that a WeakRef was made for are kept until the running task ends, or until a checkpoint of microtasks: this
  // context has a queue of its own, always empty, so that a checkpoint runs nobody's code.
  const context = createContext({}, { microtaskMode: "afterEvaluate" });
  return () => {
    runInContext("0", context);
    collect();
  };
}
