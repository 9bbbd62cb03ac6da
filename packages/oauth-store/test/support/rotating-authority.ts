import { randomBytes } from "node:crypto";
import type { RefreshGrantAnswer } from "../../src/index.ts";
import { CANARY } from "./canary.ts";
import { secretNet } from "./secret-net.ts";

/** What the next grants are answered with instead of the truth. */
export type Mischief =
  | { readonly status: number; readonly body?: string; readonly retryAtMs?: number }
  | { readonly lose: "before" | "after" }
  | { readonly json: unknown };

/**
 * An authorization server with one-time refresh tokens: each grant rotates, and a second use of one revokes the
 * whole family. Counts everything.
 */
export class RotatingAuthority {
  /** Refresh tokens presented, in order. */
  readonly presented: string[] = [];
  /** Family of each refresh token that was issued and not used. */
  readonly live = new Map<string, string>();
  readonly used = new Map<string, string>();
  /** Every token this ever handed out. */
  readonly issued: string[] = [];
  readonly revokedFamilies = new Set<string>();
  readonly mischief: Mischief[] = [];
  expiresInS: number | undefined = 3600;
  #issued = 0;

  login(family: string = randomBytes(6).toString("hex")): { accessToken: string; refreshToken: string } {
    return this.#issue(family);
  }

  isLive(refreshToken: string | undefined): boolean {
    const family = refreshToken === undefined ? undefined : this.live.get(refreshToken);
    return family !== undefined && !this.revokedFamilies.has(family);
  }

  grant(refreshToken: string): RefreshGrantAnswer {
    this.presented.push(refreshToken);
    const trick = this.mischief.shift();
    if (trick && "lose" in trick) {
      if (trick.lose === "after") this.#redeem(refreshToken);
      return { sent: "unknown", code: "reset" };
    }
    if (trick && "status" in trick) {
      const { status, body = "", retryAtMs } = trick;
      return { sent: "yes", status, body: Buffer.from(body), retryAtMs };
    }
    if (trick) {
      const { access_token, refresh_token } = Object(trick.json) as Record<string, unknown>;
      for (const token of [access_token, refresh_token]) secretNet.spelledOut(token);
      return { sent: "yes", status: 200, body: Buffer.from(JSON.stringify(trick.json)) };
    }
    const answer = this.#redeem(refreshToken);
    return answer
      ? { sent: "yes", status: 200, body: Buffer.from(JSON.stringify(answer)), correlationId: "corr-1" }
      : { sent: "yes", status: 400, body: Buffer.from('{"error":"invalid_grant"}') };
  }

  #redeem(refreshToken: string): Record<string, unknown> | undefined {
    const family = this.live.get(refreshToken);
    const reused = this.used.get(refreshToken);
    if (reused !== undefined) this.revokedFamilies.add(reused);
    if (family === undefined || this.revokedFamilies.has(family)) return undefined;
    this.live.delete(refreshToken);
    this.used.set(refreshToken, family);
    const next = this.#issue(family);
    return {
      access_token: next.accessToken,
      refresh_token: next.refreshToken,
      token_type: "Bearer",
      ...(this.expiresInS === undefined ? {} : { expires_in: this.expiresInS }),
    };
  }

  #issue(family: string): { accessToken: string; refreshToken: string } {
    this.#issued += 1;
    const refreshToken = `rt-${CANARY}-${this.#issued}-${randomBytes(24).toString("base64url")}`;
    this.live.set(refreshToken, family);
    const accessToken = `at-${CANARY}-${this.#issued}-${randomBytes(12).toString("base64url")}`;
    this.issued.push(accessToken, refreshToken);
    return { accessToken, refreshToken };
  }
}
