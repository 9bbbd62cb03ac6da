/** Marks a fault on the way to a proxy, so that it is not taken for the server's. */
export class ProxyFault extends Error {
  override readonly name = "ProxyFault";
  readonly code: "ERR_PROXY_FAULT" | "ERR_PROXY_CREDENTIALS" | "ERR_PROXY_TIMEOUT";

  constructor(fault: Error, code: ProxyFault["code"] = "ERR_PROXY_FAULT") {
    super(fault.message);
    this.code = code;
  }
}
