import { createDeltaGate, type HeldDeltas } from "./delta-gate.ts";
import { createFaultSwitch, type Fault, type FaultOptions } from "./faults.ts";
import { applyFault, type Exchange, sendJson, startLoopbackServer } from "./loopback-server.ts";
import { defaultStep, type ModelStep } from "./model-script.ts";
import { streamStep } from "./model-stream.ts";
import type { SeenLog } from "./seen-log.ts";

/** A model behind the Responses API. */
export interface ModelUpstream {
  /** `http://127.0.0.1:PORT/v1`: POST /responses streams, GET /models lists. */
  readonly baseUrl: URL;
  /**
   * What the next requests are answered with, in order. When nothing is left, the model streams "Hello from the local
   * model." in four deltas; asked to "use the tool" and offered one, it calls it and then says its result.
   */
  script(...steps: readonly ModelStep[]): void;
  /** From now on each delta waits until it is let through. */
  holdDeltas(): HeldDeltas;
  /** Accepted as bearers, beside the account's access tokens. Starts with `sk-local`. */
  readonly apiKeys: Set<string>;
  /** Hits requests before their authorization is looked at. */
  failRequests(fault: Fault | undefined, options?: FaultOptions): void;
}

export interface StartedModelUpstream {
  readonly model: ModelUpstream;
  close(): Promise<void>;
}

export interface ModelUpstreamOptions {
  log: SeenLog;
  isAccountTokenAccepted: (accessToken: string) => boolean;
}

export async function startModelUpstream(options: ModelUpstreamOptions): Promise<StartedModelUpstream> {
  const { log, isAccountTokenAccepted } = options;
  const apiKeys = new LabelledKeys((key) => log.labels.issue("key", key));
  apiKeys.add("sk-local");
  const gate = createDeltaGate();
  const faults = createFaultSwitch();
  const steps: ModelStep[] = [];

  const handle = async (exchange: Exchange) => {
    const { seen, response } = exchange;
    if (applyFault(exchange, faults.take()) === "handled") return;
    const bearer = /^bearer +(\S+)$/i.exec(seen.headers["authorization"] ?? "")?.[1] ?? "";
    if (!apiKeys.has(bearer) && !isAccountTokenAccepted(bearer)) {
      const error = { message: "The bearer is unknown or no longer valid.", code: "token_invalid" };
      return sendJson(response, 401, { error });
    }
    if (seen.method === "GET" && seen.path === "/v1/models") return sendJson(response, 200, models);
    if (seen.method !== "POST" || seen.path !== "/v1/responses") {
      return sendJson(response, 404, { error: { message: "Not found.", code: "not_found" } });
    }
    const body = seen.bodyJson as { stream?: unknown } | undefined;
    if (body?.stream !== true) {
      const error = {
        message: "This model only streams: send a JSON object with stream: true.",
        code: "invalid_request",
      };
      return sendJson(response, 400, { error });
    }
    await streamStep(response, steps.shift() ?? defaultStep(body), gate);
  };

  const server = await startLoopbackServer({ name: "model", log, handle });
  return {
    model: {
      baseUrl: new URL("/v1", server.origin),
      script: (...more) => void steps.push(...more),
      holdDeltas: () => gate.hold(),
      apiKeys,
      failRequests: (fault, faultOptions) => faults.set(fault, faultOptions),
    },
    async close() {
      gate.open();
      await server.close();
    },
  };
}

const models = {
  object: "list",
  data: [{ id: "local-model", object: "model", created: 0, owned_by: "local-upstream" }],
};

/** A key that is accepted must also be recognised by the log, to be shown as its label. */
class LabelledKeys extends Set<string> {
  readonly #label: (key: string) => void;

  constructor(label: (key: string) => void) {
    super();
    this.#label = label;
  }

  override add(key: string): this {
    this.#label(key);
    return super.add(key);
  }
}
