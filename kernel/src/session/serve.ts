import { parentPort } from "node:worker_threads";

/** The worker's side of `WorkerClient`: each question gets one answer, in the order in which they came. */
export function serve<Ask>(answer: (question: Ask) => unknown): void {
  parentPort!.on("message", ({ id, question }: { id: number; question: Ask }) => {
    try {
      parentPort!.postMessage({ id, value: answer(question) });
    } catch (error) {
      parentPort!.postMessage({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
