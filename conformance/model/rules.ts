/** The rules of the engine that the model can do without, each with what it says. */
export const RULES = {
  claim: "A refresh token is spent only by whoever created its record, exclusively.",
  seal: "An answer is sealed in the record before anything else is done with it.",
  "torn-record": "An answer whose writer died before the header said so is found in the body.",
  "compare-and-swap": "A commit replaces only what was spent.",
  "flush-first": "What this process could not save is saved before anything is judged.",
  "held-record": "Where an answer cannot be sealed, its process keeps the record locked.",
  "record-lock": "A claim whose owner may live is waited for.",
  "settled-record":
    "A refresh token whose record is settled is never sent; its body brings the successor back.",
  "write-back": "A process that holds a later generation than the store writes it back.",
  "shared-refusal": "A refusal is in the record, for everybody.",
  "shared-back-off": "A back-off is in the record, for everybody.",
  "early-retry": "The first attempt after a failure comes early, within a server's grace.",
  "one-retry-at-once": "After a dead claim one attempt is made at once; later ones wait.",
  lease: "Where a free lock proves nothing, a claim counts as living until its lease ends.",
  inode: "Lock file and record are still those at their paths before anything is sent.",
  drift: "A process that slept since it took the lock starts over before it sends.",
  "adopt-only-newer":
    "What is stored is adopted only if it is not superseded; that it differs is not enough.",
  recheck: "Store and records are read again after the claim, that of the attempt before included.",
  "given-back":
    "A claim that is given back stays as an attempt that was not sent; its number is not used again.",
  "any-other":
    "A claim stands down beside an attempt that it was not judged by, also beside a higher one that was given back.",
  "last-look": "Before a login is called dead, the store is read once more.",
  "flight-tail": "A flight ends when its result is published; who comes later starts another.",
  epoch: "What was judged before a login or logout of this process is not published after it.",
  "send-epoch": "Nothing is sent for what a login or logout of this process has ended.",
  "failed-epoch": "What could not be saved is not put over a login of this process.",
  "refusal-look": "Before a refusal on record is told again, the store is read once more.",
  "write-back-compare": "What is written back replaces only the older generation that was judged.",
  "brought-back": "What only this process has is held on to when the store went back under its refresh.",
  "bodies-kept": "A sealed body stays until the next generation is settled.",
  "bodies-wiped": "A logout deletes the sealed bodies.",
  "revoke-newest": "A logout revokes the newest credential known, sealed ones included.",
  "login-kept": "A login that could not be saved is kept and saved later.",
  "login-over": "A login that was kept is saved only over what it was made over.",
  "logout-at-once": "A logout ends what its process holds when it is called, before it has the lock.",
  "logout-drops": "A logout drops what its process could not save.",
  "foreign-poll":
    "Where others write without the lock, a refusal is believed only when they had time to save.",
  uncertainty: "A refusal after an attempt of unknown outcome is named an interrupted refresh.",
  owner: "An operation prepared for one account is not handed another's credential.",
  "wrong-owner": "An answer for another account is not installed.",
  "same-token": "An answer that keeps the refresh token removes its record.",
  "tidy-after-save": "Older bodies are wiped when a successor was saved, not when one was dropped.",
  "wiped-is-settled": "A sealed record whose body is wiped becomes a settled one.",
  "newer-stays": "An unsaved generation is not saved over a later one that has the same refresh token.",
  "held-until-saved": "A login keeps the record of the successor it replaces locked until it is saved.",
  rehearsal: "Nothing is spent when it is known before that the successor cannot be saved.",
} as const satisfies Readonly<Record<string, string>>;

export type Rule = keyof typeof RULES;
export type RuleSet = Readonly<Record<Rule, boolean>>;

/** All rules, but `without`. */
export function rulesWithout(...without: readonly Rule[]): RuleSet {
  const all = Object.keys(RULES).map((rule) => [rule, !without.includes(rule as Rule)] as const);
  return Object.fromEntries(all) as Record<Rule, boolean>;
}
