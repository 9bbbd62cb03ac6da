import { isMainThread } from "node:worker_threads";
import { afterAll, beforeAll } from "vitest";
import { hasSecretService, type SecretService, startSecretService } from "./secret-service.ts";

/** The bus is found through the environment, which the native library reads as it is. */
export const canUseKeyring: boolean = hasSecretService && isMainThread;

/** A Secret Service for all tests of a file; it is in the environment of this process and of its children. */
export function useSecretService(): () => SecretService {
  let service: SecretService | undefined;
  const before: Record<string, string | undefined> = {};
  beforeAll(async () => {
    if (!canUseKeyring) return;
    service = await startSecretService();
    for (const [name, value] of Object.entries(service.env)) {
      before[name] = process.env[name];
      process.env[name] = value;
    }
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  return () => {
    if (!service) throw new Error("there is no Secret Service here");
    return service;
  };
}
