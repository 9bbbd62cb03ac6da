/** Which cookie names are kept: these exactly, case and all, and whatever starts with a prefix. */
export interface AffinityNames {
  readonly exact: readonly string[];
  readonly prefixes: readonly string[];
}

/** The cookies with which Cloudflare, and OpenAI's balancer behind it, recognise a client they have routed before. */
export const CLOUDFLARE_AFFINITY_COOKIES: AffinityNames = Object.freeze({
  exact: Object.freeze([
    "__cf_bm",
    "__cflb",
    "__cfruid",
    "__cfseq",
    "__cfwaitingroom",
    "__oailb",
    "_cfuvid",
    "cf_clearance",
    "cf_ob_info",
    "cf_use_ob",
  ]),
  prefixes: Object.freeze(["cf_chl_"]),
});

/** The test for one list of names. */
export function createNameGate({ exact, prefixes }: AffinityNames): (name: string) => boolean {
  const names = new Set(exact);
  const starts = [...prefixes];
  return (name) => names.has(name) || starts.some((prefix) => name.startsWith(prefix));
}
