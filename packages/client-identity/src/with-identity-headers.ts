import type { HeaderList, TransportWrapper } from "@hawser/transport";
import { identityKey } from "./client-identity.ts";
import type { IdentityScope } from "./create-identity-scope.ts";
import { identityHeaders } from "./identity-headers.ts";

/**
 * Every request says who is asking: the identity in its operation, else that of the scope, else the process's. The
 * same headers set by the caller are replaced, so that nothing below can speak for somebody else.
 */
export function withIdentityHeaders(scope: IdentityScope): TransportWrapper {
  return (next) => ({
    send(request) {
      const identity = request.operation?.get(identityKey) ?? scope.current();
      return next.send({ ...request, headers: replaceHeaders(request.headers, identityHeaders(identity)) });
    },
  });
}

function replaceHeaders(headers: HeaderList, own: HeaderList): HeaderList {
  if (headers.length === 0) return own;
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !own.some(([ownName]) => ownName === lower);
  });
  return [...kept, ...own];
}
