import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, it } from "vitest";
import type { CredentialStore } from "../src/index.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, type SessionOptions } from "./support/memory-setting.ts";
import { type Ending, expectPlantedNowhere, PLANTED, plantLogin, TOKENS, TOLD } from "./support/planted.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** A refresh of a planted login. */
async function refresh(options?: Partial<SessionOptions>): Promise<unknown> {
  await plantLogin(setting);
  return setting.session(options).ensureFresh({ signal: new AbortController().signal });
}

/** A refresh of a planted login that the server answers like this. */
function answered(status: number, body: string): Promise<unknown> {
  setting.tokens.authority.mischief.push({ status, body });
  return refresh();
}

/** A refresh that could not be saved, and another over it. */
async function twice(options: Partial<SessionOptions>): Promise<unknown> {
  await plantLogin(setting);
  // Time stands still: nothing is saved in the background.
  const mine = setting.session({ ...options, clock: virtualClock() });
  return mine.recover(await mine.ensureFresh());
}

/** What a refresh ends in, with the credential and the answer at hand, and what brings it there. */
const ENDS: Readonly<Record<string, Ending & { readonly when: () => Promise<unknown> }>> = {
  "what could not be saved before, for a reason of the store's own": {
    code: "ERR_OAUTH_STORE_NOT_WRITABLE",
    reason: "unknown",
    when() {
      let isSealed = false;
      const store: CredentialStore = {
        ...setting.store,
        update: async (...given) => {
          if (isSealed) throw new Error(TOLD);
          return setting.store.update(...given);
        },
      };
      const faultPoint = (name: string) => {
        isSealed ||= name === "sealed";
      };
      return twice({ store, faultPoint });
    },
  },
  "what could not be saved before, in a file": {
    code: "ERR_OAUTH_STORE_NOT_WRITABLE",
    reason: "ERR_OAUTH_STORE_UNSAFE_FILE",
    when() {
      let unblock = async () => {};
      const faultPoint = async (name: string) => {
        if (name === "sealed") unblock = await blockStore(setting.path);
      };
      return twice({ faultPoint }).finally(() => unblock());
    },
  },
  "a store that was too slow": {
    code: "ERR_OAUTH_STORE_TRANSIENT",
    reason: "slow-store",
    when() {
      const clock = virtualClock();
      const faultPoint = (name: string) => (name === "claimed" ? clock.advance(45_000) : undefined);
      return refresh({ clock, faultPoint });
    },
  },
  "a store that moves each time it is judged": {
    code: "ERR_OAUTH_STORE_TRANSIENT",
    reason: "store-moves",
    when() {
      let round = 0;
      const faultPoint = async (name: string) => {
        if (name !== "claimed") return;
        round += 1;
        await setting.save({ ...credentialOf(TOKENS), scopes: [`round-${round}`] });
      };
      return refresh({ faultPoint });
    },
  },
  "a server that is broken": {
    code: "ERR_OAUTH_STORE_TRANSIENT",
    reason: "http-500",
    when: () => answered(500, PLANTED),
  },
  "an answer that is no JSON": {
    code: "ERR_OAUTH_STORE_TRANSIENT",
    reason: "unreadable",
    when: () => answered(200, `{"access_token":"${PLANTED}`),
  },
  "an answer without tokens": {
    code: "ERR_OAUTH_STORE_TRANSIENT",
    reason: "no-tokens",
    when: () => answered(200, JSON.stringify({ [PLANTED]: PLANTED })),
  },
  "an answer of another type": {
    code: "ERR_OAUTH_STORE_TRANSIENT",
    reason: "token-type",
    when: () =>
      answered(
        200,
        JSON.stringify({ access_token: PLANTED, refresh_token: TOKENS.refreshToken, token_type: PLANTED }),
      ),
  },
};

describe("a secret that a refresh has at hand when it fails", () => {
  it.each(Object.entries(ENDS))(
    "is not in the error: %s",
    proves("oauth-store/no-secret-shown"),
    (_, { when, ...ending }) => expectPlantedNowhere(when, ending, setting.events),
  );
});
