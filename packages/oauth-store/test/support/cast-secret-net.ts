import { afterAll, beforeEach, onTestFinished } from "vitest";
import { secretNet } from "./secret-net.ts";

const end = secretNet.cast();
// The first to be registered is the last to run: whatever the test and its hooks do has been done.
beforeEach(() => onTestFinished(() => secretNet.check(), 300_000));
afterAll(() => {
  end();
  secretNet.check();
});
