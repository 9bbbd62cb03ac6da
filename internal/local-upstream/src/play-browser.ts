/** How a browser's visit ended. */
export interface Approval {
  readonly status: number;
  readonly body: string;
}

/**
 * Opens an authorization URL as a browser would, keeps cookies, and follows redirects to where they end, which is the
 * client's own callback (or what it redirects to). Resolves with the last page.
 */
export async function playBrowser(startUrl: string): Promise<Approval> {
  const cookies = new Map<string, Map<string, string>>();
  let url = new URL(startUrl);
  for (let hop = 0; hop < maxHops; hop += 1) {
    const jar = cookies.get(url.origin) ?? new Map<string, string>();
    cookies.set(url.origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: cookie === "" ? {} : { cookie } });
    for (const line of response.headers.getSetCookie()) keep(jar, line);
    const location = response.headers.get("location");
    const body = await response.text();
    if (location === null || response.status < 300 || response.status > 399) {
      return { status: response.status, body };
    }
    url = new URL(location, url);
  }
  throw new Error(`more than ${maxHops} redirects from ${new URL(startUrl).origin}`);
}

const maxHops = 20;

function keep(jar: Map<string, string>, setCookie: string): void {
  const [pair = "", ...attributes] = setCookie.split(";");
  const at = pair.indexOf("=");
  const name = pair.slice(0, at).trim();
  const value = pair.slice(at + 1).trim();
  const expired = attributes.some((one) => /^\s*expires=thu, 01 jan 1970/i.test(one));
  if (expired || value === "") jar.delete(name);
  else jar.set(name, value);
}
