import { type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import {
  type CredentialStore,
  createKeyringStore,
  type ResolvedCredentialStore,
  resolveCredentialStore,
  type StoreRecipe,
  type StoreResolutionEvent,
} from "../../src/index.ts";
import { KEY } from "./memory-setting.ts";
import { plainFile } from "./plain-file.ts";
import { type ScriptedKeyring, scriptedKeyring } from "./scripted-keyring.ts";

/** A file and a scripted keyring in a home of their own, and what is resolved over the two. */
export interface ResolutionSetting {
  readonly home: TemporaryHome;
  readonly scripted: ScriptedKeyring;
  readonly events: StoreResolutionEvent[];
  readonly file: CredentialStore;
  readonly keyring: CredentialStore;
  /** Reads of the file store, by those who resolve. */
  fileReads: number;
  resolved(recipe?: Partial<StoreRecipe>): ResolvedCredentialStore;
  /** What became of each: its reason, or its type where it knows of none. */
  told(): (string | undefined)[];
}

export async function resolutionSetting(): Promise<ResolutionSetting> {
  const home = await temporaryHome();
  const scripted = scriptedKeyring();
  const events: StoreResolutionEvent[] = [];
  const plain = plainFile.open(home.path);
  const file: CredentialStore = {
    ...plain,
    read(key) {
      setting.fileReads += 1;
      return plain.read(key);
    },
  };
  const keyring = createKeyringStore({
    service: "S",
    lockDirectory: home.file("locks"),
    keyring: scripted,
    timeoutMs: 300,
  });
  const setting: ResolutionSetting = {
    home,
    scripted,
    events,
    file,
    keyring,
    fileReads: 0,
    resolved: (recipe = {}) =>
      resolveCredentialStore({
        mode: "auto",
        file,
        keyring,
        onEvent: (event) => events.push(event),
        ...recipe,
      }),
    told: () => events.map((event) => ("reason" in event ? event.reason : event.type)),
  };
  return setting;
}

export const put = (store: CredentialStore, text: string): Promise<void> =>
  store.update(KEY, () => ({ write: text }));
