import type { KeyringProvider } from "../../src/index.ts";

/** A keyring in memory that can be told to be slow, to fail, and to lie. */
export interface ScriptedKeyring extends KeyringProvider {
  /** `service account` to secret. */
  readonly secrets: Map<string, string>;
  /** Every call as it began: `get account`. */
  readonly calls: string[];
  /** Calls that have begun and not ended. */
  readonly under: number;
  readonly mostUnder: number;
  /** The next call of that kind waits until the returned function is called; what it does, it does then. */
  stick(kind: "get" | "set" | "remove"): () => void;
  /** From now on every call fails like this; undefined ends it. */
  failWith(error: Error | undefined): void;
  /** From now on a set is answered well and kept from nobody. */
  forgetWrites(): void;
}

export function scriptedKeyring(): ScriptedKeyring {
  const secrets = new Map<string, string>();
  const calls: string[] = [];
  const stuck: { kind: string; until: Promise<void> }[] = [];
  let failure: Error | undefined;
  let forgetful = false;
  let under = 0;
  let mostUnder = 0;

  async function call<T>(kind: string, account: string, work: () => T): Promise<T> {
    calls.push(`${kind} ${account}`);
    under += 1;
    mostUnder = Math.max(mostUnder, under);
    try {
      const at = stuck.findIndex((one) => one.kind === kind);
      if (at >= 0) await stuck.splice(at, 1)[0]?.until;
      else await new Promise((resolve) => setImmediate(resolve));
      if (failure) throw failure;
      return work();
    } finally {
      under -= 1;
    }
  }

  return {
    secrets,
    calls,
    get under() {
      return under;
    },
    get mostUnder() {
      return mostUnder;
    },
    stick(kind) {
      const { promise, resolve } = Promise.withResolvers<void>();
      stuck.push({ kind, until: promise });
      return resolve;
    },
    failWith(error) {
      failure = error;
    },
    forgetWrites() {
      forgetful = true;
    },
    entry: (service, account) => ({
      get: () => call("get", account, () => secrets.get(`${service} ${account}`)),
      set: (secret) =>
        call("set", account, () => {
          if (!forgetful) secrets.set(`${service} ${account}`, secret);
        }),
      remove: () => call("remove", account, () => secrets.delete(`${service} ${account}`)),
    }),
  };
}

/** What the library says when there is no session bus. */
export const noBus: Error = new Error(
  "Platform failure: DBus error: Using X11 for dbus-daemon autolaunch was disabled at compile time, set your DBUS_SESSION_BUS_ADDRESS instead",
);
export const dismissed: Error = new Error(
  "Couldn't access platform storage: Secret Service: unlock prompt was dismissed",
);
