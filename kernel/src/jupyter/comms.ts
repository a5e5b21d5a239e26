import type { Content, Header } from "./protocol.js";

interface OpenComm {
  readonly target: string;
  /** What opened it: messages that nobody asked for belong to that, and not to a cell. */
  readonly parent: Header | null;
}

/** Which comms are open; their state lives in the executor, and ends with it. */
export class CommRegistry {
  private readonly open = new Map<string, OpenComm>();

  opened(id: string, target: string, parent: Header | null): void {
    this.open.set(id, { target, parent });
  }

  closed(id: string): void {
    this.open.delete(id);
  }

  parentOf(id: string): Header | null {
    return this.open.get(id)?.parent ?? null;
  }

  /** Content of `comm_info_reply`; an empty target means all. */
  info(target: string): Content {
    const rows = [...this.open].filter(([, comm]) => target === "" || comm.target === target);
    return { status: "ok", comms: Object.fromEntries(rows.map(([id, comm]) => [id, { target_name: comm.target }])) };
  }

  /** Forgets all of them and says which there were. */
  takeAll(): { id: string; parent: Header | null }[] {
    const all = [...this.open].map(([id, { parent }]) => ({ id, parent }));
    this.open.clear();
    return all;
  }
}
