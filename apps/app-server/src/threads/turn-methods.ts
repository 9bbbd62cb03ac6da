import { RpcError } from "@hawser/json-rpc";
import { z } from "zod";
import { type AppMethod, appMethod } from "../connections/app-method.ts";
import { runTurn, type TurnServices } from "./run-turn.ts";
import type { ThreadRegistry } from "./thread-registry.ts";
import { Turn } from "./turn.ts";
import { textOf, turnInput, type UserMessage } from "./turn-input.ts";
import { uuidV7 } from "./uuid-v7.ts";

export interface TurnMethodsOptions extends TurnServices {
  readonly threads: ThreadRegistry;
  /** Learns of every turn that runs, to wait for it at the end. */
  readonly onRunning: (work: Promise<void>) => void;
}

/** `turn/*`: starting, steering and stopping the work of a thread. Any connection may; the turn is the sender's. */
export function turnMethods(options: TurnMethodsOptions): readonly AppMethod[] {
  const { threads, onRunning } = options;
  return [
    appMethod("turn/start", startParams, (params, { connection, afterReply }) => {
      const thread = threads.get(params.threadId);
      const message = messageOf(params);
      const running = thread.activeTurn;
      if (running !== undefined) {
        running.steer(message);
        return { turn: running.view("notLoaded") };
      }
      const turn = new Turn(message);
      const context = { thread, turn, identity: connection.identity };
      thread.begin(turn, textOf(params.input));
      afterReply(() => onRunning(runTurn(options, context)));
      return { turn: turn.view("notLoaded") };
    }),
    appMethod("turn/steer", steerParams, (params) => {
      const running = activeTurn(threads, params.threadId, params.expectedTurnId, "steer");
      running.steer(messageOf(params));
      return { turnId: running.id };
    }),
    appMethod("turn/interrupt", interruptParams, ({ threadId, turnId }, { afterReply }) => {
      const running = activeTurn(threads, threadId, turnId, "interrupt");
      afterReply(() => running.interrupt());
      return {};
    }),
  ];
}

const clientUserMessageId = z.string().nullish();
const startParams = z.looseObject({ threadId: z.string(), input: turnInput, clientUserMessageId });
const steerParams = z.looseObject({
  threadId: z.string(),
  expectedTurnId: z.string().nullish(),
  input: turnInput,
  clientUserMessageId,
});
const interruptParams = z.looseObject({ threadId: z.string(), turnId: z.string() });

function messageOf(params: z.output<typeof startParams> | z.output<typeof steerParams>): UserMessage {
  return { id: uuidV7(), clientId: params.clientUserMessageId ?? null, input: params.input };
}

function activeTurn(
  threads: ThreadRegistry,
  threadId: string,
  expected: string | null | undefined,
  what: "steer" | "interrupt",
): Turn {
  const running = threads.get(threadId).activeTurn;
  if (running === undefined) throw new RpcError(-32600, `no active turn to ${what}`);
  if (expected != null && running.id !== expected) {
    throw new RpcError(-32600, `expected active turn id ${expected.slice(0, 80)} but found ${running.id}`);
  }
  return running;
}
