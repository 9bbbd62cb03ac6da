import { createInterface } from "node:readline";

/** What a script started by `spawnChild` talks through. */
export interface ChildPort {
  /** Sends one JSON value to the parent; it arrives in `child.messages`. */
  send(value: unknown): void;
  /** The next value the parent sent. */
  receive(): Promise<unknown>;
  /**
   * Tells the parent that this point is reached and waits for its word: at once when the point is not armed, and for
   * `release` (or SIGKILL) when it is.
   */
  faultPoint(name: string): Promise<void>;
  /** Lets the process end; without it the open pipe keeps the child alive. */
  close(): void;
}

/**
 * The child's end of `spawnChild`: one JSON object per line, on stdin and stdout. Call it once per process. When the
 * parent goes away the child exits with status 70, so that no orphan survives a killed test run.
 */
export function connectParent(): ChildPort {
  const inbox: unknown[] = [];
  const receivers: ((value: unknown) => void)[] = [];
  const points = new Map<number, () => void>();
  let asked = 0;
  let closed = false;

  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", (line) => {
    const { value, passed } = JSON.parse(line) as { value?: unknown; passed?: number };
    if (passed !== undefined) {
      points.get(passed)?.();
      points.delete(passed);
      return;
    }
    const receiver = receivers.shift();
    if (receiver) receiver(value);
    else inbox.push(value);
  });
  lines.on("close", () => {
    if (!closed) process.exit(70);
  });

  return {
    send: (value) => writeLine({ value }),
    receive() {
      if (inbox.length > 0) return Promise.resolve(inbox.shift());
      return new Promise((resolve) => receivers.push(resolve));
    },
    faultPoint(name) {
      asked += 1;
      const ask = asked;
      return new Promise((resolve) => {
        points.set(ask, resolve);
        writeLine({ faultPoint: name, ask });
      });
    },
    close() {
      closed = true;
      lines.close();
      process.stdin.destroy();
    },
  };
}

function writeLine(message: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ hawserChild: 1, ...message })}\n`);
}
