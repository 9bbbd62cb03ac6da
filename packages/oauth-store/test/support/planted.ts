import { expectNoSecret } from "@hawser/test-kit";
import { expect } from "vitest";
import {
  type CredentialErrorCode,
  type CredentialStore,
  createEncryptedFileStore,
  createKeyringStore,
  isCredentialError,
} from "../../src/index.ts";
import { CANARY } from "./canary.ts";
import type { HomeSetting } from "./home-setting.ts";
import { credentialOf } from "./memory-setting.ts";
import { type ScriptedKeyring, scriptedKeyring } from "./scripted-keyring.ts";
import { secretNet } from "./secret-net.ts";

/** What is planted in everything that could be quoted. */
export const PLANTED: string = `${CANARY}-whoever-reads-this-has-found-it`;
export const TOKENS: { readonly accessToken: string; readonly refreshToken: string } = {
  accessToken: `at-${PLANTED}`,
  refreshToken: `rt-${PLANTED}`,
};
/** For a thrown error of somebody else's. */
export const TOLD = `told: ${PLANTED}`;

/** A login with planted tokens, which the authority knows. */
export async function plantLogin(
  { tokens, save }: HomeSetting,
  { leftMs = -1, ...over }: Partial<typeof TOKENS> & { readonly leftMs?: number | undefined } = {},
): Promise<void> {
  const planted = { ...TOKENS, ...over };
  tokens.authority.live.set(planted.refreshToken, "family");
  await save(credentialOf(planted, leftMs));
}

export function keyringStoreOf(
  { home }: HomeSetting,
  keyring: ScriptedKeyring = scriptedKeyring(),
  maxValueBytes?: number,
): CredentialStore {
  const lockDirectory = home.file("locks");
  return createKeyringStore({ service: "S", lockDirectory, keyring, timeoutMs: 50, maxValueBytes });
}

/** Its key is `S key` of the keyring. */
export function encryptedStoreOf({ home }: HomeSetting, keyring: ScriptedKeyring): CredentialStore {
  return createEncryptedFileStore({
    path: home.file("credentials.enc"),
    lockPath: home.file("locks", "encrypted.lock"),
    key: { keyring: { service: "S", account: "key", provider: keyring } },
  });
}

export interface Ending {
  readonly code: CredentialErrorCode;
  readonly reason?: string | undefined;
}

/**
 * Brings the situation about, and looks for what was planted in the error it ends in, in what was shown on the way and
 * in what was printed. The files are searched when the home is removed.
 */
export async function expectPlantedNowhere(
  situation: () => Promise<unknown>,
  expected: Ending,
  ...shown: readonly unknown[]
): Promise<void> {
  const error = await situation().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject(expected);
  expect(isCredentialError(error)).toBe(true);
  expect(error).not.toHaveProperty("cause");
  expectNoSecret([error, shown], [CANARY]);
  expect(secretNet.printed).toEqual([]);
}
