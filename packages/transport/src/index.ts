export type { CaOptions } from "./ca-bundle.ts";
export { createDispatcher, type DispatcherOptions } from "./create-dispatcher.ts";
export {
  type BodySource,
  createHttpResponse,
  type HttpResponseInit,
} from "./create-http-response.ts";
export type { DecompressOptions } from "./decoded-body.ts";
export type { EgressPolicy } from "./egress-policy.ts";
export {
  isTransportError,
  type RequestSent,
  TransportError,
  type TransportErrorCode,
  type TransportErrorOptions,
} from "./errors.ts";
export { expectOk } from "./expect-ok.ts";
export { type FromFetchOptions, fromFetch } from "./from-fetch.ts";
export { headerValue } from "./header-value.ts";
export type { HeaderList, HttpBody, HttpLimits, HttpRequest } from "./http-request.ts";
export type { HttpResponse } from "./http-response.ts";
export type { HttpTransport, TransportWrapper } from "./http-transport.ts";
export { Operation, type OperationKey, type OperationOptions } from "./operation.ts";
export { type PrepareOptions, prepareRequest } from "./prepare-request.ts";
export type { Env } from "./proxy-settings.ts";
export type { ClientCertificate, TlsOptions } from "./tls-contexts.ts";
export { type FetchLike, type ToFetchOptions, toFetch } from "./to-fetch.ts";
export type {
  AttemptEvent,
  BodyEvent,
  RedirectEvent,
  RequestEvent,
  TransportEvent,
  TransportEvents,
} from "./transport-events.ts";
export { createUndiciTransport, type UndiciTransportOptions } from "./undici-transport.ts";
export { type RedirectOptions, withRedirects } from "./with-redirects.ts";
