export { type ChildPort, connectParent } from "./connect-parent.ts";
export { expectNoSecret } from "./expect-no-secret.ts";
export { figure } from "./figure.ts";
export { findSecret } from "./find-secret.ts";
export { type MakeJwtOptions, makeJwt } from "./make-jwt.ts";
export { proves } from "./proves.ts";
export { type CertificateAuthority, type IssuedCertificate, selfSignedCa } from "./self-signed-ca.ts";
export {
  type ChildExit,
  childStarted,
  type SpawnChildOptions,
  type SpawnedChild,
  spawnChild,
} from "./spawn-child.ts";
export {
  type InterceptedRequest,
  type InterceptingProxy,
  type InterceptingProxyOptions,
  startInterceptingProxy,
} from "./start-intercepting-proxy.ts";
export {
  type ScriptedAnswer,
  type ScriptedExchange,
  type ScriptedHandler,
  type ScriptedServer,
  type ScriptedServerOptions,
  type SeenHttpRequest,
  startScriptedServer,
} from "./start-scripted-server.ts";
export { homeEnding, type TemporaryHome, temporaryHome } from "./temporary-home.ts";
