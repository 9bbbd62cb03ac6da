import type { AccountTokenBook } from "./account-tokens.ts";
import { type Exchange, sendJson } from "./loopback-server.ts";

/** Answers for the account's workspace and its rate limits, to whoever has a valid bearer. */
export function answerBackend({ seen, response }: Exchange, book: AccountTokenBook): void {
  const bearer = /^bearer +(\S+)$/i.exec(seen.headers["authorization"] ?? "")?.[1] ?? "";
  if (!book.isAccepted(bearer)) {
    sendJson(response, 401, { error: { code: "token_expired" } });
    return;
  }
  const { accountId, planType } = book.profile;
  if (seen.path.endsWith("/accounts/check")) {
    const account = { account_id: accountId, plan_type: planType, name: "Local workspace" };
    sendJson(response, 200, { accounts: { [accountId]: { account } }, account_ordering: [accountId] });
    return;
  }
  const rateLimit = {
    allowed: true,
    limit_reached: false,
    primary_window: limitWindow(5 * 3600, 3),
    secondary_window: limitWindow(7 * 24 * 3600, 1),
  };
  sendJson(response, 200, { plan_type: planType, rate_limit: rateLimit });
}

function limitWindow(seconds: number, usedPercent: number): Record<string, number> {
  return {
    used_percent: usedPercent,
    limit_window_seconds: seconds,
    reset_after_seconds: seconds,
    reset_at: Math.floor(Date.now() / 1000) + seconds,
  };
}
