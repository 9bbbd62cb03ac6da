export { type AffinityHosts, CHATGPT_HOSTS } from "./affinity-hosts.ts";
export { affinityInterceptor } from "./affinity-interceptor.ts";
export { type AffinityNames, CLOUDFLARE_AFFINITY_COOKIES } from "./affinity-names.ts";
export {
  type AffinityCookieSummary,
  type AffinityJar,
  type AffinityJarOptions,
  createAffinityJar,
} from "./create-affinity-jar.ts";
export {
  AffinityError,
  type AffinityErrorCode,
  type AffinityErrorDetails,
  isAffinityError,
} from "./errors.ts";
export { withAffinityCookies } from "./with-affinity-cookies.ts";
export { isCloudflareChallenge, withChallengeErrors } from "./with-challenge-errors.ts";
