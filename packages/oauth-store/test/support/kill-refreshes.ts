import { MAX_SPENT_TOKENS } from "../../src/spent-list.ts";
import type { Habit } from "./kill-authority.ts";
import { fails, type KillProgress, type KillWork, type Prepared, works } from "./kill-work.ts";

/** An answer was on its way, and nothing of it was written. */
const isLost = (at: KillProgress) => at.reached("sent") && !at.reached("seal/body-unsynced");
const interrupted = fails("INTERRUPTED", "interrupted", 2);
const rotates = (at: KillProgress) => (isLost(at) ? interrupted : works(1));
const keeps = (at: KillProgress) => works(isLost(at) ? 2 : 1);

/** At a server that answers this refresh token so. */
function expiredAt(habit: Habit): KillWork["prepare"] {
  return async (lab, home, store) => {
    const prepared = await lab.expired(home, store);
    lab.authority.habits.set(prepared.token, habit);
    return prepared;
  };
}

/** Every way of a refresh, and of what a start finds and finishes. */
export const KILL_REFRESHES: readonly KillWork[] = [
  {
    name: "a first refresh",
    work: "use",
    often: true,
    prepare: (lab, home, store) => lab.expired(home, store),
    end: rotates,
  },
  {
    name: "a later refresh",
    work: "use",
    often: true,
    prepare: (lab, home, store) => lab.aged(home, store, 1),
    end: rotates,
  },
  {
    name: "a refresh after many",
    work: "use",
    from: "settled",
    async prepare(lab, home, store) {
      const prepared = await lab.aged(home, store, 1);
      await lab.oldRecords(home, 18);
      return prepared;
    },
    end: rotates,
  },
  {
    name: "a refresh after thousands",
    work: "use",
    from: "settled",
    async prepare(lab, home, store) {
      const prepared = await lab.aged(home, store, 1);
      await lab.oldRecords(home, 16);
      await lab.spentTokens(home, 2 * MAX_SPENT_TOKENS);
      return prepared;
    },
    end: rotates,
  },
  {
    name: "a refresh past a record that was never settled",
    work: "refresh",
    after: "committed",
    from: "settled",
    prepare: (lab, home, store) => lab.expired(home, store),
    end: () => works(0),
  },
  {
    name: "a refresh whose refresh token goes on",
    work: "use",
    often: true,
    from: "sent",
    prepare: expiredAt("keeps"),
    end: keeps,
  },
  {
    name: "a forced refresh whose refresh token goes on",
    work: "refresh",
    from: "sent",
    async prepare(lab, home, store) {
      const prepared = await lab.loggedIn(home, store);
      lab.authority.habits.set(prepared.token, "keeps");
      return prepared;
    },
    // What was stored before is good still.
    end: () => works(1),
  },
  {
    name: "a third attempt, whose refresh token goes on",
    work: "use",
    from: "sent",
    async prepare(lab, home, store) {
      const prepared = await expiredAt("fails")(lab, home, store);
      for (const hours of [3, 2]) await lab.failed(home, store, hours);
      lab.authority.habits.set(prepared.token, "keeps");
      return prepared;
    },
    end: (at) => (isLost(at) ? fails("TRANSIENT", "in-progress", 1) : works(1)),
  },
  {
    name: "a start that finds a sealed answer",
    work: "use",
    after: "lineage/file/temporary-written",
    prepare: (lab, home, store) => lab.aged(home, store, 1),
    end: () => works(0),
  },
  {
    name: "a start that finds an answer whose receiver died",
    work: "use",
    after: "seal/body-unsynced",
    prepare: (lab, home, store) => lab.aged(home, store, 1),
    end: () => works(0),
  },
  {
    name: "a start that cleans up after a write",
    work: "use",
    after: "file/temporary-written",
    from: "noted",
    prepare: (lab, home, store) => lab.expired(home, store),
    end: () => works(0),
  },
  {
    name: "a start at a store that went back",
    work: "use",
    prepare: (lab, home, store) => lab.wentBack(home, store),
    end: () => works(0),
  },
  {
    name: "a write-back",
    work: "use, then back",
    often: true,
    to: "locked#2",
    prepare: (lab, home, store) => lab.expired(home, store),
    end: () => works(1),
  },
  {
    name: "a refresh that stands down",
    work: "use, and an edit",
    often: true,
    from: "claimed",
    to: "rehearsed#2",
    prepare: (lab, home, store) => lab.expired(home, store),
    end: () => works(1),
  },
  {
    name: "a refresh that cannot save at first",
    work: "use, saved later",
    often: true,
    from: "sealed",
    prepare: (lab, home, store) => lab.expired(home, store),
    end: () => works(1),
  },
  ...(["use", "use, saved later"] as const).map(
    (work): KillWork => ({
      name: `a refresh that cannot seal: ${work}`,
      work,
      from: "answered",
      unsealed: true,
      prepare: (lab, home, store) => lab.expired(home, store, { short: true }),
      // What cannot be sealed lives in its process until it is saved.
      end: (at) => (at.reached("file/renamed") ? works(1) : interrupted),
    }),
  ),
  {
    name: "a refusal",
    work: "use",
    often: true,
    from: "sent",
    prepare: expiredAt("refuses"),
    end: (at) => (at.reached("records/header-unsynced") ? fails("REFUSED", "refused", 1) : interrupted),
  },
  {
    name: "a failure",
    work: "use",
    often: true,
    from: "sent",
    prepare: expiredAt("fails"),
    end: (at) => fails("TRANSIENT", "deferred", at.reached("records/header-unsynced") ? 1 : 2),
  },
  {
    name: "a refresh that brings no access token",
    work: "use",
    from: "sent",
    prepare: expiredAt("no access token"),
    end(at) {
      if (isLost(at)) return interrupted;
      // The second claim is the record by which the next refresh token waits.
      const isSpendable = at.reached("file/renamed") && !at.reached("claim/unsynced#2");
      return isSpendable ? works(1) : fails("TRANSIENT", "deferred", 1);
    },
  },
  {
    name: "an answer for somebody else",
    work: "use",
    from: "sent",
    prepare: expiredAt("somebody else"),
    end: (at) => (isLost(at) ? interrupted : fails("WRONG_OWNER", "wrong-account", 1)),
  },
  {
    name: "a wait that is cut short",
    work: "use",
    async prepare(lab, home, store): Promise<Prepared> {
      const prepared = await expiredAt("fails")(lab, home, store);
      await lab.failed(home, store, 0);
      await lab.putOff(home, 24);
      return prepared;
    },
    end: () => fails("TRANSIENT", "deferred", 0),
  },
];
