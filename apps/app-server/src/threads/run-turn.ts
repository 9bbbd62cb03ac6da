import type { ClientIdentity, IdentityScope } from "@hawser/client-identity";
import type { ConnectionRegistry } from "../connections/connection-registry.ts";
import type { ModelClient } from "../model/model-client.ts";
import { userModelItem } from "../model/model-item.ts";
import { type TurnError, turnErrorFrom } from "../model/turn-error.ts";
import { answerOnce } from "./answer-once.ts";
import { runToolCalls } from "./run-tool-calls.ts";
import type { Thread, ThreadStatus } from "./thread.ts";
import { userMessageItem } from "./thread-item.ts";
import type { Turn } from "./turn.ts";
import type { UserMessage } from "./turn-input.ts";
import type { TurnTools } from "./turn-tools.ts";

export interface TurnServices {
  readonly model: ModelClient;
  readonly tools: TurnTools;
  readonly connections: ConnectionRegistry;
  readonly scope: IdentityScope;
  /** Model requests one turn may make. @defaultValue 64 */
  readonly maxModelRequests?: number | undefined;
}

/** What a turn needs to know while it runs. */
export interface TurnContext {
  readonly thread: Thread;
  readonly turn: Turn;
  /** Of the connection that sent `turn/start`, whoever's thread it is. */
  readonly identity: ClientIdentity;
}

/** Runs a turn that its thread already calls active, to its end. Never rejects. */
export async function runTurn(services: TurnServices, context: TurnContext): Promise<void> {
  const { thread, turn, identity } = context;
  turn.start();
  changeStatus(services, thread, { type: "active", activeFlags: [] });
  thread.publish("turn/started", { threadId: thread.id, turn: turn.view("notLoaded") });
  let failure: TurnError | undefined;
  try {
    // A message may still arrive between the last answer and here: then the turn goes on.
    do await services.scope.run(identity, () => converse(services, context));
    while (turn.hasWaiting && !turn.signal.aborted);
  } catch (error) {
    failure = turnErrorFrom(error);
  }
  finish(services, context, failure);
}

/** Sends what is waiting to the model until it wants neither a tool nor is told more. */
async function converse(services: TurnServices, context: TurnContext): Promise<void> {
  const { maxModelRequests = 64 } = services;
  for (let request = 0; request < maxModelRequests; request += 1) {
    for (const message of context.turn.takeWaiting()) say(context, message);
    if (request === 0) await toolsReady(services.tools, context.turn.signal);
    const tools = services.tools.available();
    const calls = await answerOnce(services, context, tools);
    if (calls.length > 0) await runToolCalls(context, tools, calls);
    else if (!context.turn.hasWaiting) return;
  }
  throw new Error("the model asked for too many requests in one turn");
}

/** The first answer may already need a tool whose server is just starting. */
async function toolsReady(tools: TurnTools, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: interrupted, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  await Promise.race([tools.ready(), interrupted]);
  signal.removeEventListener("abort", onAbort);
}

/** In one step, so that no message and no new turn can slip between its parts. */
function finish(services: TurnServices, context: TurnContext, failure: TurnError | undefined): void {
  const { thread, turn } = context;
  // Accepted and not yet sent: kept for the next turn's model request.
  for (const message of turn.takeWaiting()) say(context, message);
  if (turn.signal.aborted) turn.end("interrupted");
  else if (failure !== undefined) turn.end("failed", failure);
  else turn.end("completed");
  thread.finish(turn);
  const failed = turn.status === "failed";
  changeStatus(services, thread, failed ? { type: "systemError" } : { type: "idle" });
  if (failed) {
    thread.publish("error", { error: failure, willRetry: false, threadId: thread.id, turnId: turn.id });
  }
  thread.publish("turn/completed", { threadId: thread.id, turn: turn.view("summary") });
}

function say({ thread, turn }: TurnContext, message: UserMessage): void {
  const item = userMessageItem(message);
  const event = { item, threadId: thread.id, turnId: turn.id };
  turn.record(item);
  thread.history.push(userModelItem(message.input));
  thread.publish("item/started", event);
  thread.publish("item/completed", event);
}

function changeStatus({ connections }: TurnServices, thread: Thread, status: ThreadStatus): void {
  thread.setStatus(status);
  connections.broadcast("thread/status/changed", { threadId: thread.id, status });
}
