/**
 * Text from a server, fit for a message or a page: without C0, C1, escape sequences' lead-ins and bidirectional
 * controls, quoted, and shortened.
 */
export function shownText(text: string, maxLength = 200): string {
  let kept = "";
  for (const character of text) {
    if (kept.length >= maxLength) {
      kept += "…";
      break;
    }
    if (!isHidden(character.codePointAt(0) ?? 0)) kept += character;
  }
  return JSON.stringify(kept);
}

function isHidden(point: number): boolean {
  return (
    point < 0x20 ||
    (point >= 0x7f && point <= 0x9f) ||
    point === 0x061c ||
    (point >= 0x200b && point <= 0x200f) ||
    (point >= 0x2028 && point <= 0x202e) ||
    (point >= 0x2060 && point <= 0x206f) ||
    point === 0xfeff
  );
}
