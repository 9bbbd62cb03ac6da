import { describe, expect, it } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";

describe.each(bothSettings)("a session that was closed, %s,", (_where, newSetting) => {
  it("says so to every call, changes nothing, and can still be asked what it sees", async () => {
    const { authority, save, session, stored, events } = newSetting();
    const credential = credentialOf(authority.login(), HOUR);
    await save(credential);
    const mine = session();
    const handle = await mine.ensureFresh();
    await mine[Symbol.asyncDispose]();
    await mine[Symbol.asyncDispose]();
    for (const call of [
      () => mine.ensureFresh(),
      () => mine.recover(handle),
      () => mine.recoverBearer(credential.accessToken),
      () => mine.refresh(),
      () => mine.login(credentialOf(authority.login(), HOUR)),
      () => mine.logout(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_CLOSED" });
    }
    await mine.settle();
    expect(await mine.status()).toMatchObject({ state: "usable" });
    expect(await mine.explain()).toMatchObject({ verdict: "working", spends: [] });
    expect(await stored()).toEqual(credential);
    expect(events).toEqual([]);
    expect(authority.presented).toEqual([]);
  });
});
