import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { COMM_TARGET, SCHEMA, TOPICS, type Message, type Open, type Topic } from "@nibble-lab/messages";
import type { FromExecutor } from "../executor/messages.js";
import type { Content } from "../jupyter/protocol.js";
import type { Bridge, Push } from "./bridge.js";
import { MemoryBridge } from "./memory.js";
import { PcaBridge } from "./pca.js";
import { TrainingBridge } from "./training.js";

type Send = (message: FromExecutor, buffers?: readonly Uint8Array[]) => void;

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

/** Open panels by comm, and the bridges that feed them. Lives in the supervisor thread, so that it works while a cell computes. */
export class Panels {
  private readonly session = randomUUID();
  private readonly topicsOf = new Map<string, ReadonlySet<Topic>>();
  private readonly running = new Map<number, number>();
  private readonly bridges: Readonly<Record<Topic, Bridge>> = {
    memory: new MemoryBridge(this.pushTo("memory"), () => [...this.running.values()].at(-1) ?? null),
    training: new TrainingBridge(this.pushTo("training")),
    pca: new PcaBridge(this.pushTo("pca")),
  };

  constructor(private readonly send: Send) {}

  /** False where the target is not ours. */
  open(target: string, comm: string, data: Content): boolean {
    if (target !== COMM_TARGET) return false;
    const { schemas, topics } = data as Partial<Open>;
    if (!Array.isArray(schemas) || !schemas.includes(SCHEMA)) {
      const offered = Array.isArray(schemas) ? schemas.join(", ") : "none";
      this.push(comm, {
        kind: "refusal",
        message: `This panel speaks protocol ${offered}; the kernel (${version}) speaks ${SCHEMA}. Install the extension and the kernel of one release.`,
      });
      this.send({ kind: "comm_close", id: comm, data: {} });
      return true;
    }
    const wanted = new Set(TOPICS.filter((topic) => Array.isArray(topics) && topics.includes(topic)));
    this.topicsOf.set(comm, wanted);
    this.push(comm, { kind: "hello", schema: SCHEMA, kernelVersion: version, session: this.session });
    for (const topic of wanted) this.bridges[topic].welcome((message, buffers) => this.push(comm, message, buffers));
    this.countListeners();
    return true;
  }

  close(comm: string): void {
    if (this.topicsOf.delete(comm)) this.countListeners();
  }

  cellStarted(run: number, count: number): void {
    this.running.set(run, count);
  }

  cellEnded(run: number): void {
    this.running.delete(run);
  }

  event(name: string, data: Content, buffers: readonly Uint8Array[]): void {
    for (const topic of TOPICS) this.bridges[topic].event?.(name, data, buffers);
  }

  private countListeners(): void {
    for (const topic of TOPICS) {
      this.bridges[topic].listeners([...this.topicsOf.values()].filter((topics) => topics.has(topic)).length);
    }
  }

  private pushTo(topic: Topic): Push {
    return (message, buffers) => {
      for (const [comm, topics] of this.topicsOf) if (topics.has(topic)) this.push(comm, message, buffers);
    };
  }

  private push(comm: string, message: Message, buffers: readonly Uint8Array[] = []): void {
    this.send({ kind: "comm_msg", id: comm, data: message as unknown as Content }, buffers);
  }
}
