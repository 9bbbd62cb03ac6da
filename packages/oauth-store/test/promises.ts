import { storePromises } from "./store-promises.ts";

const room = "oauth-store";

/** What this room promises; each is proved by at least one test that names it. */
export const promises = {
  "oauth-store/one-grant-for-all": {
    promise:
      "However many callers and processes ask for one expired credential, its refresh token is sent once and all get the result.",
    room,
  },
  "oauth-store/storm": {
    promise:
      "50 callers in each of 8 processes that meet an expired credential with a one-time refresh token cause one grant, and all 400 get its result, also when the lock excludes nobody.",
    room,
  },
  "oauth-store/outage": {
    promise:
      "An authorization server that fails or hangs for ten minutes gets at most 12 grants in all; a token that is still valid is served, and no caller waits past its own deadline.",
    room,
  },
  "oauth-store/crash-in-login-and-logout": {
    promise:
      "A process killed during a login or a logout leaves the old credential, the new one or none, and never half of it.",
    room,
  },
  "oauth-store/hold-limits": {
    promise:
      "A refresh holds its lock for 55 s at most: the answer is waited for until second 45, the save until second 55, and nothing is sent when that could not be kept.",
    room,
  },
  "oauth-store/lock-kept": {
    promise:
      "A lock that somebody keeps past the limit ends in an error that names it; nothing is changed or lost by it, a valid token is served, and a login made meanwhile is saved later.",
    room,
  },
  "oauth-store/clock-jumps": {
    promise: "A clock that jumps by a day costs one refresh at most, no login, and no wait above 15 minutes.",
    room,
  },
  "oauth-store/explains": {
    promise:
      "explain() tells a refusal, an interrupted refresh, a reuse without our lock, a logout here, elsewhere and without our lock apart; the status carries the server's reason.",
    room,
  },
  "oauth-store/events": {
    promise:
      "Whatever happens to a credential is told as a typed event by the process that meets it; another login in its place is told before anything else of it.",
    room,
  },
  "oauth-store/settles": {
    promise:
      "settle() resolves when nothing of the session is under way any more; what could not be saved was tried once more, and nothing was begun.",
    room,
  },
  "oauth-store/nested-downwards": {
    promise:
      "A grant that needs another credential may wait for one further down only; anything else is refused at once instead of deadlocking.",
    room,
  },
  "oauth-store/disk-full": {
    promise:
      "A full disk keeps anything from being spent; one that fills after the send loses no answer, because its place was taken before.",
    room,
  },
  "oauth-store/mounted-file": {
    promise: "From a single file that is a mount of its own nothing is spent, and the error says why.",
    room,
  },
  "oauth-store/stays-to-save": {
    promise:
      "A process does not end by running out of work between a send and its save, in a logout, or with a login that is not saved yet; one that is told to end settles first what it has sent.",
    room,
  },
  "oauth-store/durable-order": {
    promise:
      "Claim, answer, note and store are each on the disk before the next step, and the record is settled last.",
    room,
  },
  "oauth-store/remote-locks": {
    promise:
      "On network file systems a lock is tried on another thread, one at a time, so that a server that does not answer blocks no more than that.",
    room,
  },
  "oauth-store/contending-starts": {
    promise:
      "Contending starts cost one grant however slow it is; older sessions overwrite nothing; what has expired, was refused or removed is not handed out.",
    room,
  },
  "oauth-store/nested-deep": {
    promise: "A file nested 10,000 deep is called corrupt before anything is spent.",
    room,
  },
  "oauth-store/valid-is-served": {
    promise:
      "A token that is still valid is served while it is refreshed in the background, and when that fails.",
    room,
  },
  "oauth-store/flight-tail": {
    promise:
      "Whoever joins a refresh that brings the very token that was rejected gets one more refresh, not that token.",
    room,
  },
  "oauth-store/login-elsewhere": {
    promise: "A login or logout made by another session is adopted at the next need, without a grant.",
    room,
  },
  "oauth-store/rejected-is-not-served": {
    promise: "A token that was rejected is not served again, whatever its dates say.",
    room,
  },
  "oauth-store/not-rotating": {
    promise:
      "A server that keeps its refresh token can be asked again and again; no record says that it was spent.",
    room,
  },
  "oauth-store/lifetimes": {
    promise:
      "Life is measured from receipt, a window as long as the life is halved, an omitted lifetime is unknown, and a wrong clock starts no storm.",
    room,
  },
  "oauth-store/records-know-no-store": {
    promise:
      "A refresh token spent from one store is not sent from another that still holds it: its successor is brought there, or its loss named.",
    room,
  },
  "oauth-store/reading-takes-no-lock": {
    promise: "Neither a fresh token nor status() nor explain() waits for a lock.",
    room,
  },
  "oauth-store/nothing-to-spend": {
    promise:
      "Without a login, or without a refresh token when the access token has expired, a login is asked for and nothing is sent.",
    room,
  },
  "oauth-store/pins-reach-the-grant": {
    promise: "What was pinned at login is handed to every refresh, also in another session.",
    room,
  },
  "oauth-store/own-context": {
    promise: "Shared work runs in the async context of the session's creator, never in that of a caller.",
    room,
  },
  "oauth-store/store-unreadable": {
    promise: "A store that cannot be read ends no login, sends nothing, and is not replaced by another.",
    room,
  },
  "oauth-store/late-rejection-adopts": {
    promise:
      "A rejection of a token that was replaced already is answered with the replacement; nothing is sent.",
    room,
  },
  "oauth-store/callers-may-leave": {
    promise: "A caller waits no longer than its own signal; the refresh goes on and is saved.",
    room,
  },
  "oauth-store/crash-loses-nothing": {
    promise:
      "A process killed before the send, or after the answer was handed to it, costs nothing: the next start finishes, and the refresh token was sent once.",
    room,
  },
  "oauth-store/answer-at-once": {
    promise:
      "An answer that was handed over is in its record before anything else in the process has a turn.",
    room,
  },
  "oauth-store/interrupted-is-named": {
    promise:
      "An answer that never arrived is asked for once more; when that is refused, the error and the explanation say that a refresh was interrupted. What was not sent, or turned away, leaves no such doubt.",
    room,
  },
  "oauth-store/unsaved-is-kept": {
    promise:
      "A successor that cannot be saved is served, saved as soon as it can be, by this process or the next, and its predecessor is not sent again.",
    room,
  },
  "oauth-store/held": {
    promise: "While a living process is the only one to have a successor, nobody else sends its predecessor.",
    room,
  },
  "oauth-store/rehearsed": {
    promise: "Nothing is spent when it can be known before that the successor could not be saved.",
    room,
  },
  "oauth-store/store-went-back": {
    promise:
      "A refresh token that was spent is never sent because an older copy of the store was restored: the newer credential is brought back, or its loss is named.",
    room,
  },
  "oauth-store/refused-once": {
    promise:
      "What the authorization server refused is not sent again, by any process, until the stored credential or the client changes.",
    room,
  },
  "oauth-store/back-off-shared": {
    promise: "After a failure that is no refusal, nobody sends before the time that all share.",
    room,
  },
  "oauth-store/transient-is-not-permanent": {
    promise: "Only a final error of the authorization server ends a login; no other answer does.",
    room,
  },
  "oauth-store/odd-answers": {
    promise:
      "A good refresh token beside a bad access token is kept, as a failure with back-off; the same tokens again are no progress.",
    room,
  },
  "oauth-store/no-wrong-owner": {
    promise:
      "An operation prepared for one owner never gets the credential of another, and an answer for somebody else is not installed.",
    room,
  },
  "oauth-store/fresh-rejection-bounded": {
    promise:
      "A server that rejects what it has just issued costs one more refresh a minute, then a typed error.",
    room,
  },
  "oauth-store/logout-wins": {
    promise:
      "A logout acts at once, is not undone by a refresh in flight, and leaves no sealed successor behind.",
    room,
  },
  "oauth-store/login-wins": {
    promise: "A login replaces what a refresh in flight or an unsaved successor would have stored.",
    room,
  },
  "oauth-store/claim-without-lock": {
    promise:
      "Where locks exclude nobody, the exclusive creation of the record still lets one sender through, and a lease decides about its death.",
    room,
  },
  "oauth-store/lock-taken-away": {
    promise: "Nothing is sent under a lock file that is no longer the one at its path.",
    room,
  },
  "oauth-store/starts-over": {
    promise:
      "When the store or the clock moves between judging and sending, everything is judged anew under the same lock, twice at most, and nothing was sent.",
    room,
  },
  "oauth-store/compare-and-swap": {
    promise:
      "A successor is saved only over what was spent for it: what another program changed beside the same refresh token is kept, and another login, or none, stays as it is.",
    room,
  },
  "oauth-store/next-starter": {
    promise:
      "What is done next with a refresh token follows from its record alone: it is claimed, finished, waited for, put off or given up, the same by every process.",
    room,
  },
  "oauth-store/record-turns": {
    promise: "What is done with a claimed record is done in turn, and nothing after it was given up.",
    room,
  },
  "oauth-store/record-damage": {
    promise:
      "A damaged record is finished from its body where that opens, and else counts as a claim of the dead.",
    room,
  },
  "oauth-store/record-shape": {
    promise:
      "Records are preallocated, private, at most sixteen, and only the latest generation keeps a sealed body.",
    room,
  },
  "oauth-store/records-bounded": {
    promise:
      "Attempts that came to nothing and claims that were given back leave one record each behind; a refresh token whose record had to make room is still known to be spent.",
    room,
  },
  "oauth-store/newer-records": {
    promise:
      "A refresh token whose record a newer version wrote is not sent; for any other token login, refresh, logout and diagnosis go on, and such a record is left alone.",
    room,
  },
  "oauth-store/corrupt-store": {
    promise:
      "A store that cannot be read is called corrupt, and moved aside, under its lock, by a login or logout only.",
    room,
  },
  "oauth-store/unsafe-files": {
    promise: "Links, second names, foreign owners and places others can write to are refused.",
    room,
  },
  "oauth-store/no-secret-shown": {
    promise:
      "No error, event, inspected object, record, note or lock file shows a token, and none is printed: not on stdout or stderr, nor in a log.",
    room,
  },
  "oauth-store/entries-kept": {
    promise:
      "Writers of one aggregate file lose nothing of each other's: unknown entries and members stay, also one named __proto__.",
    room,
  },
  "oauth-store/atomic-write": {
    promise:
      "A file is replaced whole, 0600 from its creation, and never left half written by a process killed in between.",
    room,
  },
  "oauth-store/real-locks": {
    promise:
      "File locks are the operating system's: they exclude other programs, end with their holder, are not inherited, and wait no longer than told.",
    room,
  },
  "oauth-store/read-only-home": {
    promise: "A token that is still valid is used from a home that cannot be written to.",
    room,
  },
  "oauth-store/foreign-writers": {
    promise:
      "Where programs write without our lock, a refusal is believed only when the store has not moved for 6 s.",
    room,
  },
  "oauth-store/last-look": {
    promise:
      "That a login has ended is said only when the store, read once more, still holds what was judged.",
    room,
  },
  "oauth-store/lock-unavailable": {
    promise: "Without the lock library nothing is spent, and the error says what to install.",
    room,
  },
  ...storePromises,
  "oauth-store/spent-remembered": {
    promise:
      "Of the records that were pruned the spent tokens stay known, the latest 1,024 at least, until a login or the server brings the very token again.",
    room,
  },
  "oauth-store/revokes-newest": {
    promise:
      "A logout revokes the newest refresh token of the login that it ends, never one of another account or a later login, and waits 15 s at most for the server.",
    room,
  },
  "oauth-store/frozen-process": {
    promise: "A process that stood still past the limit of its answer takes the answer that came meanwhile.",
    room,
  },
  "oauth-store/login-needed": {
    promise:
      "A grant that cannot send, now or later, ends in a request for a login that carries its reason; nothing is put off, and no claim stays in the way.",
    room,
  },
} as const;
