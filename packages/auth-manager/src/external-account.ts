import { randomUUID } from "node:crypto";
import { AccountHandle } from "./account-handle.ts";
import { AuthManagerError } from "./errors.ts";
import { readJwtClaims } from "./jwt-claims.ts";

/** Credentials that somebody else keeps fresh. They live in memory only. */
export interface ExternalTokens {
  /** A JWT. */
  readonly accessToken: string;
  readonly accountId: string;
  /** @defaultValue what the access token says, else `"unknown"` */
  readonly planType?: string | null | undefined;
}

/**
 * Brings the successor of a rejected token. Called once however many requests were rejected; given up after 10 s.
 * What it throws is not shown to anybody.
 */
export type ExternalRefresher = (ask: {
  readonly reason: "unauthorized";
  readonly previousAccountId: string;
  readonly signal: AbortSignal;
}) => Promise<ExternalTokens>;

const refreshTimeoutMs = 10_000;

interface ExternalState {
  readonly handle: AccountHandle;
  readonly planType: string;
  readonly email: string | undefined;
}

/** The tokens of one outside owner, replaced whole. */
export class ExternalAccount {
  readonly #refresher: ExternalRefresher;
  readonly #lineage = randomUUID();
  #current: ExternalState;
  #flight: Promise<AccountHandle> | undefined;

  /** Throws `ERR_AUTH_MANAGER_EXTERNAL_INVALID`. */
  constructor(tokens: ExternalTokens, refresher: ExternalRefresher) {
    this.#refresher = refresher;
    this.#current = this.#read(tokens, 0);
  }

  get handle(): AccountHandle {
    return this.#current.handle;
  }

  get planType(): string {
    return this.#current.planType;
  }

  get email(): string | undefined {
    return this.#current.email;
  }

  /** Another handle than `rejected`: the current one when that is newer, else what the owner brings. */
  recover(rejected: AccountHandle): Promise<AccountHandle> {
    const current = this.#current.handle;
    const isCurrent = rejected.lineage === current.lineage && rejected.generation === current.generation;
    if (!isCurrent) return Promise.resolve(current);
    this.#flight ??= this.#refresh().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async settle(): Promise<void> {
    await this.#flight?.catch(() => undefined);
  }

  async #refresh(): Promise<AccountHandle> {
    const before = this.#current.handle;
    const signal = AbortSignal.timeout(refreshTimeoutMs);
    const timedOut = Promise.withResolvers<never>();
    const onAbort = () => timedOut.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    let tokens: ExternalTokens;
    try {
      const ask = { reason: "unauthorized", previousAccountId: before.accountId ?? "", signal } as const;
      tokens = await Promise.race([this.#refresher(ask), timedOut.promise]);
    } catch {
      // The owner's error is a stranger's text and may quote a token.
      throw failed(signal.aborted ? "did not answer in 10 s" : "answered with an error");
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    const next = this.#read(tokens, before.generation + 1);
    if (next.handle.accountId !== before.accountId) {
      throw new AuthManagerError(
        "ERR_AUTH_MANAGER_WRONG_ACCOUNT",
        "The owner of the credentials answered for another account.",
        { retry: "after" },
      );
    }
    if (next.handle.accessToken === before.accessToken) throw failed("gave the rejected token again");
    this.#current = next;
    return next.handle;
  }

  #read(tokens: ExternalTokens, generation: number): ExternalState {
    const { accessToken, accountId, planType } = tokens;
    const claims = typeof accessToken === "string" ? readJwtClaims(accessToken) : undefined;
    if (claims === undefined || typeof accountId !== "string" || !/^[\x21-\x7e]{1,256}$/.test(accountId)) {
      throw new AuthManagerError(
        "ERR_AUTH_MANAGER_EXTERNAL_INVALID",
        "The access token handed in is not a JWT, or its account id is not usable.",
      );
    }
    const handle = new AccountHandle(
      {
        method: "chatgptAuthTokens",
        accessToken,
        accountId,
        userId: claims.userId,
        lineage: this.#lineage,
        generation,
      },
      { kind: "external", generation },
    );
    return { handle, planType: planType ?? claims.planType ?? "unknown", email: claims.email };
  }
}

function failed(what: string): AuthManagerError {
  return new AuthManagerError("ERR_AUTH_MANAGER_EXTERNAL_REFRESH", `The owner of the credentials ${what}.`, {
    retry: "after",
  });
}
