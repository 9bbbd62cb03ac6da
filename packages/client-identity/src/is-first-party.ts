import type { ClientIdentity } from "./client-identity.ts";

const FIRST_PARTY = new Set(["codex_cli_rs", "codex-tui", "codex_vscode"]);
const FIRST_PARTY_CHAT = new Set(["codex_atlas", "codex_chatgpt_desktop"]);

/** Whether the client names itself as one of the reference's own. Attribution, never authorization. */
export function isFirstParty(identity: ClientIdentity): boolean {
  return FIRST_PARTY.has(identity.originator) || identity.originator.startsWith("Codex ");
}

/** Whether the client names itself as one of the reference's own chat applications. */
export function isFirstPartyChat(identity: ClientIdentity): boolean {
  return FIRST_PARTY_CHAT.has(identity.originator);
}
