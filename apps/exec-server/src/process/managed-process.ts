import { type OutputChunk, OutputLog } from "./output-log.ts";
import type { RunningChild } from "./running-child.ts";

/** Sends a notification to whoever is attached now; resolves when there is room for more. Never rejects. */
export type Emit = (method: string, params: unknown) => Promise<void>;

/** What `process/read` answers. */
export interface ProcessState {
  readonly chunks: readonly { seq: number; stream: string; chunk: string }[];
  readonly nextSeq: number;
  readonly exited: boolean;
  readonly exitCode: number | null;
  readonly closed: boolean;
  readonly failure: null;
  readonly sandboxDenied: false;
}

const RETAINED_BYTES = 1024 * 1024;
const MAX_PIECE_BYTES = 8_192;
/** How long an exit waits for output already written, so that it usually comes behind it. */
const EXIT_GRACE_MS = 20;
const REMEMBERED_WRITES = 1_024;

/**
 * One process of a session. Output, exit and close share one sequence from 1 without gaps, in the order they are
 * sent. A client that reads slowly slows the process down; nobody attached does not.
 */
export class ManagedProcess {
  /** Resolves when it has exited and nobody holds its output any more. Never rejects. */
  readonly closed: Promise<void>;
  readonly #exited: Promise<void>;
  readonly #id: string;
  readonly #child: RunningChild;
  readonly #emit: Emit;
  readonly #log = new OutputLog(RETAINED_BYTES);
  readonly #writes = new Set<string>();
  #nextSeq = 1;
  #exit: { code: number; seq: number } | undefined;
  #isClosed = false;
  #waiting: (() => void)[] = [];

  constructor(options: { processId: string; child: RunningChild; emit: Emit; begin: Promise<void> }) {
    this.#id = options.processId;
    this.#child = options.child;
    this.#emit = options.emit;
    this.#exited = this.#child.exitCode.then(() => {});
    this.closed = this.#follow(options.begin);
  }

  /** What happened after `afterSeq`; waits for it up to `waitMs`. */
  async read(options: {
    afterSeq: number;
    maxBytes: number;
    waitMs: number;
    signal: AbortSignal;
  }): Promise<ProcessState> {
    const { afterSeq, maxBytes, waitMs, signal } = options;
    if (waitMs > 0 && !this.#hasNews(afterSeq)) await this.#newsAfter(afterSeq, waitMs, signal);
    const { chunks, isTruncated } = this.#log.after(afterSeq, maxBytes);
    return {
      chunks: chunks.map(({ seq, stream, bytes }) => ({ seq, stream, chunk: bytes.toString("base64") })),
      nextSeq: isTruncated ? (chunks.at(-1)?.seq ?? 0) + 1 : this.#nextSeq,
      exited: this.#exit !== undefined,
      exitCode: this.#exit?.code ?? null,
      closed: this.#isClosed,
      failure: null,
      sandboxDenied: false,
    };
  }

  /** Writes to its input, once per `writeId`. */
  async write(bytes: Buffer, writeId: string | undefined): Promise<"accepted" | "stdinClosed"> {
    if (this.#child.write === undefined || this.#exit !== undefined) return "stdinClosed";
    if (writeId !== undefined) {
      if (this.#writes.has(writeId)) return "accepted";
      this.#writes.add(writeId);
      for (const oldest of this.#writes) {
        if (this.#writes.size <= REMEMBERED_WRITES) break;
        this.#writes.delete(oldest);
      }
    }
    // A child that does not read must not hold the reply for ever; its end settles it too.
    await Promise.race([this.#child.write(bytes), this.#exited]);
    return "accepted";
  }

  /** Sends a signal to the whole group. Returns whether the process was still running. */
  signal(signal: NodeJS.Signals): boolean {
    const wasRunning = this.#exit === undefined;
    // Once closed nobody of the group is known to be left, and its number may belong to somebody else.
    if (!this.#isClosed) signalGroup(this.#child.pid, signal);
    return wasRunning;
  }

  async #follow(begin: Promise<void>): Promise<void> {
    await begin;
    const output = Promise.all(this.#child.outputs.map(([stream, bytes]) => this.#pump(stream, bytes)));
    const code = await this.#child.exitCode;
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, EXIT_GRACE_MS);
    await Promise.race([output, grace.promise]);
    clearTimeout(timer);
    const exitSeq = this.#nextSeq++;
    this.#exit = { code, seq: exitSeq };
    void this.#tell("process/exited", { seq: exitSeq, exitCode: code, sandboxDenied: false });
    await output;
    this.#isClosed = true;
    void this.#tell("process/closed", { seq: this.#nextSeq++ });
  }

  async #pump(stream: OutputChunk["stream"], source: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const bytes of source) {
        for (let start = 0; start < bytes.byteLength; start += MAX_PIECE_BYTES) {
          const piece = bytes.subarray(start, start + MAX_PIECE_BYTES);
          const seq = this.#nextSeq++;
          this.#log.append({ seq, stream, bytes: piece });
          await this.#tell("process/output", { seq, stream, chunk: piece.toString("base64") });
        }
      }
    } catch {
      // A stream that breaks is one that ended: the process's exit says the rest.
    }
  }

  /** The sequence number is taken and the notification queued in one step, so the wire has them in order. */
  #tell(method: string, params: object): Promise<void> {
    const room = this.#emit(method, { processId: this.#id, ...params });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
    return room;
  }

  #hasNews(afterSeq: number): boolean {
    return (
      this.#isClosed ||
      (this.#exit !== undefined && this.#exit.seq > afterSeq) ||
      this.#log.after(afterSeq, 0).chunks.length > 0
    );
  }

  async #newsAfter(afterSeq: number, waitMs: number, signal: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, waitMs);
    signal.addEventListener("abort", late.resolve as () => void, { once: true });
    let isLate = false;
    void late.promise.then(() => {
      isLate = true;
    });
    while (!isLate && !this.#hasNews(afterSeq)) {
      const news = Promise.withResolvers<void>();
      this.#waiting.push(news.resolve);
      await Promise.race([news.promise, late.promise]);
      this.#waiting = this.#waiting.filter((wake) => wake !== news.resolve);
    }
    clearTimeout(timer);
    signal.removeEventListener("abort", late.resolve as () => void);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // Nobody is left in the group: what the signal was for has happened.
  }
}
