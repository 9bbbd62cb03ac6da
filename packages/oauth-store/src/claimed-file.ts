import { closeSync, fstatSync, lstatSync } from "node:fs";
import { syncDescriptor, writeAt, writeAtOnce } from "./descriptor.ts";
import { fileError } from "./file-error.ts";
import type { LockProvider } from "./lock-provider.ts";
import { encodeHeader, HEADER_BYTES } from "./record-codec.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { ClaimedRecord } from "./spend-ledger.ts";

/** A record file that this process created and keeps locked. What is done with it is done in turn. */
export function claimedFile(options: {
  header: SpendHeader;
  path: string;
  descriptor: number;
  locks: LockProvider;
  faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}): ClaimedRecord {
  const { header, path, descriptor, locks, faultPoint } = options;
  let closing = false;
  let running = 0;
  let last: Promise<void> = Promise.resolve();

  const end = () => {
    locks.unlock(descriptor);
    closeSync(descriptor);
  };
  const close = () => {
    if (closing) return;
    closing = true;
    // A descriptor that is closed under a write may already be another file's number.
    if (running === 0) end();
  };
  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    if (closing) throw fileError({ code: "EBADF" }, path);
    running += 1;
    const mine = last.then(work);
    last = mine.catch(() => {}); // Whoever asked for it is told.
    try {
      await mine;
    } catch (error) {
      throw fileError(error, path);
    } finally {
      running -= 1;
      if (closing && running === 0) end();
    }
  };
  const write = locks.provesDeath(path) ? writeAtOnce : writeAt;
  const writeHeader = async (next: SpendHeader) => {
    await write(descriptor, encodeHeader(next), 0);
    await faultPoint?.("records/header-unsynced");
    await syncDescriptor(descriptor);
    await faultPoint?.("records/header-written");
  };
  const isIntact = () => {
    const mine = fstatSync(descriptor, { bigint: true });
    const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return there !== undefined && there.ino === mine.ino && there.dev === mine.dev;
  };

  return {
    fingerprint: header.fingerprint,
    attempt: header.attempt,
    isIntact: () => !closing && isIntact(),
    seal: (next, body) =>
      inTurn(async () => {
        // The body first: a header that says sealed over a body that is not there would lose the login.
        // And at once, where that cannot hang: a kill while others wait for the disk must not cost the answer.
        await write(descriptor, body, HEADER_BYTES);
        await faultPoint?.("seal/body-unsynced");
        await syncDescriptor(descriptor);
        await faultPoint?.("seal/body-written");
        await writeHeader(next);
      }),
    write: (next) => inTurn(() => writeHeader(next)),
    close,
  };
}
