import { Worker } from "node:worker_threads";

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

/** Questions to a worker thread and their answers, by number. The worker starts with the first question, or when warmed. */
export class WorkerClient<Ask extends object> {
  private worker: Worker | null = null;
  private next = 0;
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();

  /** @param lost hears that the thread has failed; the next question starts a fresh one, which knows nothing */
  constructor(
    private readonly url: URL,
    private readonly lost: () => void = () => undefined,
  ) {}

  warm(): void {
    this.worker ??= this.start();
  }

  ask<Result>(question: Ask): Promise<Result> {
    this.warm();
    const id = ++this.next;
    this.worker!.postMessage({ id, question });
    return new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject })) as Promise<Result>;
  }

  private start(): Worker {
    const worker = new Worker(this.url);
    worker.unref();
    worker.on("message", ({ id, value, failure }: Answer) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (failure === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(failure));
    });
    worker.on("error", (error: Error) => {
      process.stderr.write(`${this.url.pathname} failed: ${error.stack ?? error.message}\n`);
      this.worker = null;
      this.lost();
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
    return worker;
  }
}
