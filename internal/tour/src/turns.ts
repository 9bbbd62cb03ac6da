import type { RpcClient } from "./rpc-client.ts";

/** A new thread; resolves with its id. */
export async function startThread(client: RpcClient): Promise<string> {
  const { thread } = await client.call<{ thread: { id: string } }>("thread/start", {});
  return thread.id;
}

export interface FinishedTurn {
  readonly turnId: string;
  readonly status: string;
  readonly deltas: readonly string[];
  readonly error: string | undefined;
}

/** Starts a turn and resolves when it is completed. */
export async function takeTurn(client: RpcClient, threadId: string, text: string): Promise<FinishedTurn> {
  const since = client.notifications.length;
  const { turn } = await client.call<{ turn: { id: string } }>("turn/start", {
    threadId,
    input: [{ type: "text", text }],
  });
  const completed = await client.notified(
    "turn/completed",
    (params) => (params["turn"] as { id: string }).id === turn.id,
    since,
  );
  const finished = completed.params["turn"] as { status: string; error?: { message: string } | null };
  const deltas = client.notifications
    .slice(since)
    .filter(({ method, params }) => method === "item/agentMessage/delta" && params["turnId"] === turn.id)
    .map(({ params }) => String(params["delta"]));
  return { turnId: turn.id, status: finished.status, deltas, error: finished.error?.message };
}
