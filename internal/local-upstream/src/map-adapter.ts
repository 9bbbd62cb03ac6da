import type { Adapter, AdapterPayload } from "oidc-provider";

/** Storage of the OAuth provider that evicts nothing before its time; the provider's own default stops at 1,000. */
export interface MapStorage {
  /** What oidc-provider is given: one adapter per model name. */
  readonly adapter: (model: string) => Adapter;
  /** Deletes every entry of a model and says how many there were. */
  deleteAll(model: string): number;
}

export interface MapStorageOptions {
  /** Told of each entry the first time it is stored. */
  onStored?: ((model: string, id: string) => void) | undefined;
}

export function createMapStorage(options: MapStorageOptions = {}): MapStorage {
  const { onStored = () => {} } = options;
  const entries = new Map<string, { payload: AdapterPayload; expiresAtMs: number }>();
  const keyOf = (model: string, id: string) => `${model}:${id}`;

  const live = (key: string): AdapterPayload | undefined => {
    const entry = entries.get(key);
    if (!entry) return undefined;
    if (entry.expiresAtMs > Date.now()) return entry.payload;
    entries.delete(key);
    return undefined;
  };
  const findBy = (model: string, field: "uid" | "userCode", value: string) => {
    for (const key of entries.keys()) {
      if (!key.startsWith(`${model}:`)) continue;
      const payload = live(key);
      if (payload?.[field] === value) return payload;
    }
    return undefined;
  };

  return {
    adapter: (model) => ({
      async upsert(id, payload, expiresInSeconds) {
        const key = keyOf(model, id);
        if (!entries.has(key)) onStored(model, id);
        const expiresAtMs = expiresInSeconds
          ? Date.now() + expiresInSeconds * 1000
          : Number.POSITIVE_INFINITY;
        entries.set(key, { payload, expiresAtMs });
      },
      find: async (id) => live(keyOf(model, id)),
      findByUid: async (uid) => findBy(model, "uid", uid),
      findByUserCode: async (userCode) => findBy(model, "userCode", userCode),
      async consume(id) {
        const payload = live(keyOf(model, id));
        if (payload) payload.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        entries.delete(keyOf(model, id));
      },
      async revokeByGrantId(grantId) {
        for (const [key, { payload }] of entries) {
          if (key.startsWith(`${model}:`) && payload.grantId === grantId) entries.delete(key);
        }
      },
    }),
    deleteAll(model) {
      let deleted = 0;
      for (const key of [...entries.keys()]) {
        if (key.startsWith(`${model}:`) && entries.delete(key)) deleted += 1;
      }
      return deleted;
    },
  };
}
