import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

/** Bytes that are reachable at this very moment. */
export function reachableBytesNow(): number {
  gc();
  return process.memoryUsage().heapUsed;
}

/** Bytes that are reachable once what settled and what closed has been given up, which takes a few turns. */
export async function reachableBytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  return process.memoryUsage().heapUsed;
}
