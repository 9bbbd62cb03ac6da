/** Marks a fault on the way to a proxy, so that it is not taken for the server's. */
export class ProxyFault extends Error {
  override readonly name = "ProxyFault";
  readonly code = "ERR_PROXY_FAULT";

  constructor(fault: Error) {
    super(fault.message);
  }
}
