import { type ScriptedServer, startScriptedServer } from "@hawser/test-kit";
import { RotatingAuthority } from "./rotating-authority.ts";

/** The authority behind a loopback token endpoint, which can keep answers back after they were decided. */
export interface TokenServer {
  readonly url: string;
  readonly authority: RotatingAuthority;
  readonly server: ScriptedServer;
  /** The next answers are decided, and kept until `release`; then each leaves at a moment of its own in that time. */
  keepAnswers(): { release(withinMs?: number): void };
  close(): Promise<void>;
}

export async function startTokenServer(authority = new RotatingAuthority()): Promise<TokenServer> {
  let kept: Promise<number> | undefined;
  const server = await startScriptedServer({
    handler: async (seen, exchange) => {
      const { refresh_token: refreshToken } = JSON.parse(seen.body) as { refresh_token: string };
      const answer = authority.grant(refreshToken);
      const withinMs = (await kept) ?? 0;
      if (withinMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * withinMs));
      if (answer.sent !== "yes") {
        exchange.socket.destroy();
        return undefined;
      }
      const headers: Record<string, string> = { "x-correlation": "corr-1" };
      if (answer.retryAtMs !== undefined)
        headers["retry-after"] = String(Math.round((answer.retryAtMs - Date.now()) / 1000));
      return { status: answer.status, body: answer.body, headers };
    },
  });
  return {
    url: new URL("/token", server.url).href,
    authority,
    server,
    keepAnswers() {
      const { promise, resolve } = Promise.withResolvers<number>();
      kept = promise;
      return {
        release(withinMs = 0) {
          kept = undefined;
          resolve(withinMs);
        },
      };
    },
    close: () => server.close(),
  };
}
