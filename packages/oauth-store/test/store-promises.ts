const room = "oauth-store";

/** What the stores promise beside the engine. */
export const storePromises = {
  "oauth-store/short-token-not-sealed": {
    promise:
      "An answer is never sealed under a refresh token of fewer than 22 characters, which could be guessed from the record: this process holds it, and says so.",
    room,
  },
  "oauth-store/nothing-for-terminals": {
    promise:
      "Nothing that a server's name or answer holds reaches an error, an event's text, an explanation or a report as something that a terminal obeys.",
    room,
  },
  "oauth-store/keyring": {
    promise:
      "A keyring entry is written to the desktop's Secret Service itself, under the service and account named, and is there for the next process.",
    room,
  },
  "oauth-store/keyring-told-apart": {
    promise:
      "A keyring that is locked, one that does not answer, one that is not there and a package that is not installed are four errors.",
    room,
  },
  "oauth-store/keyring-one-writer": {
    promise:
      "No write of a keyring entry begins before every earlier one has settled, also one that was given up, in any process.",
    room,
  },
  "oauth-store/keyring-read-back": {
    promise: "A keyring write counts only when reading again shows it.",
    room,
  },
  "oauth-store/keyring-few-connections": {
    promise:
      "However often the keyring is asked, no more than a few connections to the desktop's bus are open, and none when it is not.",
    room,
  },
  "oauth-store/keyring-size": {
    promise: "What would not fit into a keyring entry is refused before anything is spent.",
    room,
  },
  "oauth-store/keyring-formats": {
    promise:
      "Keyring entries are read and written in the shape other programs keep them in, members they added included.",
    room,
  },
  "oauth-store/encrypted-file": {
    promise: "An encrypted file shows no credential, and opens for whoever has its key and for nobody else.",
    room,
  },
  "oauth-store/one-shared-key": {
    promise:
      "Encrypted files that share a key are never written with two, also when all are first written at once.",
    room,
  },
  "oauth-store/undecryptable": {
    promise:
      "An encrypted file that does not open is its own error: never taken for absent, written over, moved aside or given a new key.",
    room,
  },
  "oauth-store/unsupported-format": {
    promise:
      "A file in another program's encrypted format, or in a newer version of ours, is refused as such and left as it is.",
    room,
  },
  "oauth-store/contending-writers": {
    promise: "A writer of a shared file that has to wait for another's lock loses nothing of either.",
    room,
  },
  "oauth-store/contending-readers": {
    promise:
      "A read that meets half a file, and a removal, wait for the writer that has the lock and then see what it wrote.",
    room,
  },
  "oauth-store/numbers-kept": {
    promise:
      "A number that another program wrote stays as it wrote it, digit for digit, in every entry and member that is not changed.",
    room,
  },
  "oauth-store/readable-again": {
    promise:
      "What could be written and never read again, too large or too deep, is refused before anything is written, in a rehearsal too.",
    room,
  },
  "oauth-store/entry-found": {
    promise:
      "In a shared file a credential is found under its key or by the server's name and URL in it; an executor's entry of the same server is another credential, and a removal leaves nothing that could be found in its place.",
    room,
  },
  "oauth-store/twelve-at-once": {
    promise:
      "Twelve processes that save twelve credentials into one file at the same moment leave twelve entries.",
    room,
  },
  "oauth-store/killed-writers": {
    promise: "A writer killed at any moment leaves a whole file, and every entry but its own as it was.",
    room,
  },
  "oauth-store/killed-between-steps": {
    promise:
      "A process killed between any two steps of a store's write leaves a store that can be read, its entry as it was or as it was to be, and every other entry untouched.",
    room,
  },
  "oauth-store/durable-removal": {
    promise:
      "A removed file, and one moved aside, is durably gone before the change is over, and before anything is written in its place.",
    room,
  },
  "oauth-store/lock-timeout-named": {
    promise:
      "A lock that is kept past the limit ends in an error that names its path, and nothing has changed.",
    room,
  },
  "oauth-store/auto-load": {
    promise:
      "auto reads the keyring; it takes the file where the keyring has no entry or, with a warning, has failed; both failing, the error names both. Nothing in the file is no login only where there is no keyring at all: any other failure of the keyring is an error.",
    room,
  },
  "oauth-store/auto-save": {
    promise:
      "auto saves a new login in the keyring and clears the file; where the keyring fails it uses the file, with a warning, and leaves nothing behind that could be found later.",
    room,
  },
  "oauth-store/older-copies-removed": {
    promise:
      "A login that auto saves into the file is what the next start finds: what the keyring holds of before is removed while nobody else can log in, or as soon as the keyring lets it.",
    room,
  },
  "oauth-store/older-copies-told": {
    promise: "An older copy of a login that could not be removed from the keyring is told of, once.",
    room,
  },
  "oauth-store/older-copies-only": {
    promise:
      "What is taken back from the keyring later, without the credential's lock, is only what this process saw or wrote there: never a later login.",
    room,
  },
  "oauth-store/lock-is-no-keyring-error": {
    promise:
      "A lock that cannot be had, a package that is not installed or an entry that cannot be read is never taken for a keyring that has failed: the file is neither read nor written in its place.",
    room,
  },
  "oauth-store/pinned": {
    promise:
      "Once it is decided which store holds a credential, its errors are errors: no other store is read or written, and what a session holds stays good.",
    room,
  },
  "oauth-store/decided-once": {
    promise: "The store is decided once, for everybody who uses it, and anew only after a logout.",
    room,
  },
  "oauth-store/logout-everywhere": {
    promise: "A logout removes a credential from every store, goes on where one fails, and reports which.",
    room,
  },
  "oauth-store/headless-auto": {
    promise:
      "On a machine without a keyring, auto logs in, tells its status and logs out, and the entry is gone.",
    room,
  },
  "oauth-store/drift-reported": {
    promise:
      "That auto finds a credential in another store than last time is reported once, with the reason; what was configured anew is not.",
    room,
  },
  "oauth-store/drift-harmless": {
    promise:
      "Whatever is wrong with the record of where credentials were found, no login waits for it or changes by it, and it is told once.",
    room,
  },
  "oauth-store/drift-no-secret": {
    promise:
      "The record and the report of where credentials are found hold no token, URL, client or error text.",
    room,
  },
  "oauth-store/lock-order": {
    promise: "The keyring's or encrypted file's lock is taken before the file's, and never both at once.",
    room,
  },
} as const;
