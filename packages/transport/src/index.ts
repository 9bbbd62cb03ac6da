export type { HeaderList, HttpBody, HttpLimits, HttpRequest } from "./http-request.ts";
export type { HttpResponse } from "./http-response.ts";
export type { HttpTransport, TransportWrapper } from "./http-transport.ts";
export { Operation, type OperationKey, type OperationOptions } from "./operation.ts";
