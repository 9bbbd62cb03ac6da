import { RpcError } from "@hawser/json-rpc";
import { z } from "zod";
import type { AppConfig } from "../config/app-config.ts";
import { type AppMethod, appMethod } from "../connections/app-method.ts";
import type { ConnectionRegistry } from "../connections/connection-registry.ts";
import type { Thread } from "./thread.ts";
import type { ThreadRegistry } from "./thread-registry.ts";

export interface ThreadMethodsOptions {
  readonly threads: ThreadRegistry;
  readonly connections: ConnectionRegistry;
  readonly config: AppConfig;
  /** Folder of a thread that names none. */
  readonly cwd: string;
  readonly productVersion: string;
  /** Runs after the reply to `thread/start`. */
  readonly onStarted: (thread: Thread) => void;
}

/** `thread/*`: conversations in memory. */
export function threadMethods(options: ThreadMethodsOptions): readonly AppMethod[] {
  const { threads, connections, config, cwd, productVersion, onStarted } = options;
  return [
    appMethod("thread/start", startParams, (params, { connection, afterReply }) => {
      if (params.modelProvider != null && params.modelProvider !== config.provider.id) {
        throw new RpcError(-32600, `model provider not configured: ${params.modelProvider.slice(0, 80)}`);
      }
      const thread = threads.create({
        model: params.model ?? config.model,
        modelProvider: config.provider.id,
        instructions: instructionsOf(params, config),
        cwd: params.cwd ?? cwd,
        ephemeral: params.ephemeral ?? false,
        cliVersion: productVersion,
        originator: connection.identity.originator,
      });
      thread.subscribe(connection);
      afterReply(() => {
        connections.broadcast("thread/started", { thread: thread.view("without-turns") });
        onStarted(thread);
      });
      return opened(thread, params.approvalPolicy);
    }),
    appMethod("thread/resume", threadParams, ({ threadId }, { connection }) => {
      const thread = threads.find(threadId);
      if (thread === undefined) {
        throw new RpcError(-32600, `no rollout found for thread id ${threadId.slice(0, 80)}`);
      }
      thread.subscribe(connection);
      return opened(thread, undefined);
    }),
    appMethod("thread/read", readParams, ({ threadId, includeTurns }) => {
      const thread = threads.find(threadId);
      if (thread === undefined) throw new RpcError(-32600, `thread not loaded: ${threadId.slice(0, 80)}`);
      return { thread: thread.view(includeTurns === true ? "with-turns" : "without-turns") };
    }),
    appMethod("thread/list", listParams, ({ cursor, limit }) => {
      const all = threads.list().filter((thread) => !thread.options.ephemeral);
      const { page, nextCursor } = paged(all, cursor, limit);
      const data = page.map((thread) => thread.view("without-turns"));
      return { data, readStates: {}, nextCursor, backwardsCursor: null };
    }),
    appMethod("thread/loaded/list", listParams, ({ cursor, limit }) => {
      const { page, nextCursor } = paged(threads.list(), cursor, limit);
      return { data: page.map(({ id }) => id), nextCursor };
    }),
    appMethod("thread/unsubscribe", threadParams, ({ threadId }, { connection }) => {
      const removed = threads.find(threadId)?.unsubscribe(connection) ?? false;
      return { status: removed ? "unsubscribed" : "notSubscribed" };
    }),
  ];
}

const threadParams = z.looseObject({ threadId: z.string() });
const readParams = z.looseObject({ threadId: z.string(), includeTurns: z.boolean().nullish() });
const listParams = z.looseObject({
  cursor: z
    .string()
    .regex(/^\d{1,9}$/)
    .nullish(),
  limit: z.number().int().positive().max(1_000).nullish(),
});
const startParams = z.looseObject({
  model: z.string().min(1).nullish(),
  modelProvider: z.string().nullish(),
  cwd: z.string().nullish(),
  ephemeral: z.boolean().nullish(),
  approvalPolicy: z.unknown().optional(),
  baseInstructions: z.string().nullish(),
  developerInstructions: z.string().nullish(),
});

function instructionsOf(params: z.output<typeof startParams>, config: AppConfig): string {
  const base = params.baseInstructions ?? config.instructions;
  return params.developerInstructions == null ? base : `${base}\n\n${params.developerInstructions}`;
}

function opened(thread: Thread, approvalPolicy: unknown): Record<string, unknown> {
  const { model, modelProvider, cwd } = thread.options;
  return {
    thread: thread.view("with-turns"),
    model,
    modelProvider,
    cwd,
    approvalPolicy: approvalPolicy ?? "on-request",
    approvalsReviewer: "user",
    // No command is ever run on this machine, so nothing is ever written.
    sandbox: { type: "readOnly" },
    reasoningEffort: null,
  };
}

function paged<T>(
  all: readonly T[],
  cursor: string | null | undefined,
  limit: number | null | undefined,
): { readonly page: readonly T[]; readonly nextCursor: string | null } {
  const from = Number(cursor ?? 0);
  const to = from + (limit ?? 50);
  return { page: all.slice(from, to), nextCursor: to < all.length ? String(to) : null };
}
