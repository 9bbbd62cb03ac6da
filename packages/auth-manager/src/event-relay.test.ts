import type { CredentialEvent } from "@hawser/oauth-store";
import { describe, expect, it } from "vitest";
import type { AuthEvent } from "./auth-event.ts";
import { EventRelay } from "./event-relay.ts";

function told(events: CredentialEvent[]): AuthEvent[] {
  const heard: AuthEvent[] = [];
  const relay = new EventRelay((event) => void heard.push(event));
  for (const event of events) relay.hear(event);
  return heard;
}

const refused: CredentialEvent = { type: "refused", code: "refresh_token_expired" };
const persisted: CredentialEvent = { type: "persisted", lineage: "l", generation: 1 };

describe(EventRelay, () => {
  it("says once that a login has ended, until there is another", () => {
    const heard = told([
      refused,
      refused,
      { type: "interrupted", code: "invalid_grant" },
      { type: "loggedIn", lineage: "l" },
      refused,
    ]);
    expect(heard).toMatchObject([
      { type: "refused", code: "ERR_AUTH_MANAGER_REFUSED", reason: "expired" },
      { type: "refused", reason: "expired" },
    ]);
  });

  it("tells an interrupted refresh and a wrong account from a refusal", () => {
    expect(told([{ type: "interrupted", code: "invalid_grant" }])).toMatchObject([
      { code: "ERR_AUTH_MANAGER_INTERRUPTED", reason: "other" },
    ]);
    expect(told([{ type: "refused", code: "wrong-account" }])).toMatchObject([
      { code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT" },
    ]);
  });

  it("speaks of a save only when one had failed", () => {
    const unpersisted: CredentialEvent = { type: "unpersisted", code: "E" };
    expect(told([persisted, unpersisted, unpersisted, persisted, persisted])).toEqual([
      { type: "unpersisted", code: "E" },
      { type: "persisted" },
    ]);
  });

  it("passes on what others did, and leaves this process's own logout to whoever did it", () => {
    expect(
      told([
        { type: "adopted", lineage: "l", generation: 2 },
        { type: "replaced", sameOwner: true, lineage: "m" },
        { type: "loggedOut", elsewhere: true },
        { type: "loggedOut", elsewhere: false },
      ]),
    ).toEqual([
      { type: "adopted", lineage: "l", generation: 2 },
      { type: "replaced", sameOwner: true },
      { type: "loggedOut", elsewhere: true },
    ]);
  });
});
