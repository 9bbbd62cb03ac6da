import { type IdentityScope, withIdentityHeaders } from "@hawser/client-identity";
import { headerValue, type TransportWrapper } from "@hawser/transport";

/**
 * A request that says who is asking goes out as it is; any other says what the scope says. For a room that names the
 * process on the work it owns and knows nothing of the clients that ask it for the rest.
 */
export function withIdentityWhereNone(scope: IdentityScope): TransportWrapper {
  return (next) => {
    const named = withIdentityHeaders(scope)(next);
    return {
      send: (request) =>
        headerValue(request.headers, "originator") === undefined ? named.send(request) : next.send(request),
    };
  };
}
