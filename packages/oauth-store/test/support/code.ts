import { expect } from "vitest";

/** Matches whatever has this code of the room, named without its prefix. */
export const code = (name: string): unknown => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });
