import { type HeaderList, headerValue } from "@hawser/transport";

interface RateLimitWindow {
  readonly usedPercent: number;
  readonly windowDurationMins: number | null;
  /** Seconds since the epoch. */
  readonly resetsAt: number | null;
}

export interface RateLimits {
  readonly limitId: string;
  readonly limitName: string | null;
  readonly primary: RateLimitWindow | null;
  readonly secondary: RateLimitWindow | null;
  readonly credits: null;
  readonly planType: null;
}

/** What a model response's head says of the account's limits; windows it does not name are null. */
export function readRateLimits(headers: HeaderList): RateLimits {
  return {
    limitId: "codex",
    limitName: headerValue(headers, "x-codex-limit-name") ?? null,
    primary: window(headers, "primary"),
    secondary: window(headers, "secondary"),
    credits: null,
    planType: null,
  };
}

function window(headers: HeaderList, name: "primary" | "secondary"): RateLimitWindow | null {
  const read = (what: string): number | null => {
    const text = headerValue(headers, `x-codex-${name}-${what}`);
    return text === undefined || !Number.isFinite(Number(text)) ? null : Number(text);
  };
  const usedPercent = read("used-percent");
  if (usedPercent === null) return null;
  return { usedPercent, windowDurationMins: read("window-minutes"), resetsAt: read("reset-at") };
}
