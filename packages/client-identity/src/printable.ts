/** Terminal escape sequences: CSI, OSC and the two-character forms. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being removed.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;

/** C0, DEL, C1, line separators, and everything that reorders or hides text around it. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * Text from a peer, safe for a log line or a terminal: without escape sequences, and with control, separator and
 * bidirectional formatting characters removed.
 */
export function printable(text: string): string {
  return text.replace(ESCAPES, "").replace(UNPRINTABLE, "");
}
