import type { RunOutcome } from "../executor/messages.js";
import type { Content, Header, Request } from "../jupyter/protocol.js";

/** Cells whose late output still finds its way home. */
const REMEMBERED = 1000;

/** A cell that was handed to the executor. */
export interface ActiveRun {
  readonly run: number;
  readonly count: number;
  readonly request: Request;
  interruptedAt: number | null;
  /** False while it is still being compiled. */
  sent: boolean;
  readonly finish: (outcome: RunOutcome) => void;
}

/** Cells under way, and the parents of everything that they print, also after their end. */
export class Runs {
  private next = 0;
  private readonly active = new Map<number, ActiveRun>();
  private readonly parents = new Map<number, Header>();

  start(request: Request, count: number): { active: ActiveRun; outcome: Promise<RunOutcome> } {
    const run = ++this.next;
    this.parents.set(run, request.header);
    if (this.parents.size > REMEMBERED) this.parents.delete(this.parents.keys().next().value!);
    let settle!: (outcome: RunOutcome) => void;
    const outcome = new Promise<RunOutcome>((resolve) => (settle = resolve));
    const finish = (value: RunOutcome) => {
      this.active.delete(run);
      settle(value);
    };
    const active: ActiveRun = { run, count, request, interruptedAt: null, sent: false, finish };
    this.active.set(run, active);
    return { active, outcome };
  }

  get(run: number): ActiveRun | undefined {
    return this.active.get(run);
  }

  all(): ActiveRun[] {
    return [...this.active.values()];
  }

  parentOf(run: number): Header | null {
    return this.parents.get(run) ?? this.latestParent;
  }

  get latest(): ActiveRun | undefined {
    return [...this.active.values()].at(-1);
  }

  get latestParent(): Header | null {
    return [...this.parents.values()].at(-1) ?? null;
  }
}

export function failure(ename: string, evalue: string, details: readonly string[] = []): RunOutcome {
  return { status: "error", ename, evalue, traceback: [`${ename}: ${evalue}`, ...details] };
}

/** `execute_reply` for an outcome. */
export function executeReply(outcome: RunOutcome, count: number): Content {
  if (outcome.status === "ok") {
    const payload =
      outcome.page === undefined ? [] : [{ source: "page", data: { "text/plain": outcome.page }, start: 0 }];
    return { status: "ok", execution_count: count, payload, user_expressions: outcome.expressions };
  }
  return { ...outcome, execution_count: count, payload: [], user_expressions: {} };
}
