import { foreignLineage } from "./fingerprint.ts";
import type { LineageNote, NotedGeneration, NotedLogin } from "./lineage-note.ts";
import type { SpendHeader } from "./spend-header.ts";

/** Which login a stored credential belongs to, and which of its generations it is. */
export interface CredentialIdentity {
  readonly lineage: string;
  readonly generation: number;
  readonly receivedAtMs?: number | undefined;
  readonly lifetimeMs?: number | undefined;
  /** How it came; `foreign`: somebody wrote it who keeps no note. */
  readonly by: "login" | "refresh" | "foreign";
}

/** The hashes that name a stored credential. */
export interface CredentialMarks {
  readonly fingerprint: string | undefined;
  readonly bearerHash: string | undefined;
  readonly snapshotHash: string;
}

/** Finds a stored credential in the lineage note, else in the record of its refresh token, else names it anew. */
export function identify(
  storeKey: string,
  marks: CredentialMarks,
  note: LineageNote | undefined,
  header: SpendHeader | undefined,
): CredentialIdentity {
  const logins = [note, note?.before].filter((login) => login !== undefined && login !== null);
  for (const { lineage, noted } of logins.flatMap(generationsOf)) {
    const { generation, receivedAtMs, lifetimeMs, by } = noted;
    if (noted.snapshotHash === marks.snapshotHash)
      return { lineage, generation, receivedAtMs, lifetimeMs, by };
    // Somebody changed another member, perhaps its times: the tokens are still these, our times are not.
    if (hasSameTokens(marks, noted)) return { lineage, generation, by: "foreign" };
  }
  // One that was spent is of that login, whatever else of the entry was changed.
  if (header && (header.snapshotHash === marks.snapshotHash || header.state === "settled")) {
    return { lineage: header.lineage, generation: header.generation, by: "foreign" };
  }
  // Not random: every process that meets it must come to the same name.
  const seen = `${marks.fingerprint ?? ""}:${marks.bearerHash ?? marks.snapshotHash}`;
  return { lineage: foreignLineage(storeKey, seen), generation: 0, by: "foreign" };
}

function generationsOf({ lineage, current, previous }: NotedLogin) {
  return [current, previous].flatMap((noted) => (noted ? [{ lineage, noted }] : []));
}

function hasSameTokens(marks: CredentialMarks, noted: NotedGeneration): boolean {
  const isSame = noted.fingerprint === marks.fingerprint && noted.bearerHash === marks.bearerHash;
  return isSame && (marks.fingerprint ?? marks.bearerHash) !== undefined;
}
