import type { CredentialStore, StoreUpdateOptions } from "./credential-store.ts";

/** Removes an entry from one store; whether there was one. */
export async function removeEntry(
  store: CredentialStore,
  key: string,
  options: StoreUpdateOptions,
): Promise<boolean> {
  let removed = false;
  const remove = (current: unknown) => {
    removed = current !== undefined;
    return removed ? ("remove" as const) : ("keep" as const);
  };
  await store.update(key, remove, options);
  return removed;
}
