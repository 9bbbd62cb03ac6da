import type { LocalUpstream } from "@hawser/local-upstream";
import { expect } from "vitest";
import type { AppClient } from "./app-client.ts";

/** What a front end does, in one call each. */

export async function logInWithKey(client: AppClient): Promise<void> {
  await client.request("account/login/start", { type: "apiKey", apiKey: "sk-local" });
  await client.notified("account/updated");
}

export async function logInWithBrowser(client: AppClient, upstream: LocalUpstream): Promise<void> {
  const login = await client.request<{ authUrl: string; loginId: string }>("account/login/start", {
    type: "chatgpt",
  });
  expect((await upstream.account.approve(login.authUrl)).status).toBeLessThan(400);
  await client.notified("account/login/completed", ({ loginId }) => loginId === login.loginId);
}

export async function logInWithDevice(client: AppClient, upstream: LocalUpstream): Promise<void> {
  const login = await client.request<{ userCode: string; loginId: string }>("account/login/start", {
    type: "chatgptDeviceCode",
  });
  upstream.account.approveDevice(login.userCode);
  await client.notified("account/login/completed", ({ loginId }) => loginId === login.loginId);
}

export async function logInToServer(client: AppClient, upstream: LocalUpstream): Promise<void> {
  const login = await client.request<{ authorizationUrl: string; loginId: string }>("mcpServer/oauth/login", {
    name: "secure",
  });
  const completed = client.notified(
    "mcpServer/oauthLogin/completed",
    ({ loginId }) => loginId === login.loginId,
  );
  expect((await upstream.mcp.approve(login.authorizationUrl)).status).toBeLessThan(400);
  expect((await completed).params).toMatchObject({ name: "secure", success: true, error: null });
}

export async function startThread(client: AppClient): Promise<string> {
  return (await client.request<{ thread: { id: string } }>("thread/start", {})).thread.id;
}

export interface EndedTurn {
  readonly id: string;
  readonly status: string;
  readonly items: unknown[];
  readonly error: unknown;
}

/** Starts a turn and resolves with how it ended, as `listener` was told. */
export async function takeTurn(
  client: AppClient,
  threadId: string,
  words = "hello",
  listener = client,
): Promise<EndedTurn> {
  const input = [{ type: "text", text: words }];
  const { turn } = await client.request<{ turn: { id: string } }>("turn/start", { threadId, input });
  const isThis = (params: Record<string, unknown>): boolean => (params["turn"] as EndedTurn).id === turn.id;
  return (await listener.notified("turn/completed", isThis)).params["turn"] as EndedTurn;
}
