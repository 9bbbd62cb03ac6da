import { describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { credentialOf, memorySetting } from "./support/memory-setting.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });

describe(createCredentialSession, () => {
  it("refreshes an expired credential once for 50 callers", async () => {
    const { session, save, authority, stored, events } = memorySetting();
    await save(credentialOf(authority.login()));
    const mine = session();
    const handles = await Promise.all(Array.from({ length: 50 }, () => mine.ensureFresh()));
    expect(new Set(handles.map((handle) => handle.view.accessToken)).size).toBe(1);
    expect(authority.presented).toHaveLength(1);
    expect(authority.isLive((await stored())?.refreshToken)).toBe(true);
    expect(events.map((event) => event.type)).toEqual(["refreshed"]);
    await mine.settle();
  });

  it("says that a login is needed where there is none", async () => {
    const { session, grants } = memorySetting();
    await expect(session().ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
    expect(grants).toEqual([]);
  });
});
