import { getCACertificates, setDefaultCACertificates } from "node:tls";

type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** Makes this process's own fetch trust an authority as well. */
export function trust(caPem: string): void {
  setDefaultCACertificates([...getCACertificates("default"), caPem]);
}

/** A fetch that keeps cookies per origin, as any browser does. */
export function keepCookies(): FetchLike {
  const jars = new Map<string, Map<string, string>>();
  return async (url, init = {}) => {
    const { origin } = new URL(url);
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await fetch(url, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return response;
  };
}
