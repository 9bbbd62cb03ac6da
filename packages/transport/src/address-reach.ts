import { BlockList, isIP } from "node:net";

/**
 * Whether an address belongs to the public internet: what IANA's special-purpose registries (RFC 6890) call global,
 * without multicast and without the services that clouds hide behind public numbers. An IPv6 address that stands for
 * an IPv4 one (mapped, NAT64, 6to4) is judged by that. What cannot be read is not public.
 */
export function isPublicAddress(address: string): boolean {
  if (isMetadataAddress(address)) return false;
  const family = isIP(address);
  if (family === 4) return !NOT_PUBLIC.check(address, "ipv4");
  if (family !== 6) return false;
  const words = ipv6Words(address);
  const routed = translated(words);
  if (routed !== undefined) return !NOT_PUBLIC.check(routed, "ipv4");
  const plain = plainText(words);
  return GLOBAL_UNICAST.check(plain, "ipv6") && !NOT_PUBLIC.check(plain, "ipv6");
}

/**
 * Whether an address is, or may lead to, what a cloud answers only to its own machines: link-local addresses and the
 * instance metadata services outside of them. What cannot be read may be one.
 */
export function isMetadataAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return METADATA.check(address, "ipv4");
  if (family !== 6) return true;
  const words = ipv6Words(address);
  if (METADATA.check(plainText(words), "ipv6")) return true;
  return embedded(words).some((inner) => METADATA.check(inner, "ipv4"));
}

/** The IPv4 address that a mapped or NAT64 address stands for, else the address without its zone. */
export function meantAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  const words = ipv6Words(address);
  return translated(words) ?? plainText(words);
}

/** The 4 or 16 bytes of an address. */
export function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split(".").map(Number));
  return Uint8Array.from(ipv6Words(address).flatMap((word) => [word >> 8, word & 0xff]));
}

const NOT_PUBLIC = blockList([
  "0.0.0.0/8", // this network, and an alias of loopback on Linux
  "10.0.0.0/8",
  "100.64.0.0/10", // CGNAT, RFC 6598
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24", // 6to4 relays, RFC 7526
  "192.168.0.0/16",
  "198.18.0.0/15", // benchmarks, RFC 2544
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "2001::/23", // Teredo, ORCHID and other assignments to protocols
  "2001:db8::/32",
  "3fff::/20", // documentation, RFC 9637
]);

const GLOBAL_UNICAST = blockList(["2000::/3"]);

const METADATA = blockList([
  "169.254.0.0/16",
  "168.63.129.16/32",
  "100.100.100.200/32",
  "192.0.0.192/32",
  "fe80::/10",
  "fd00:ec2::/32",
  "fd20:ce::254/128",
]);

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

type Words = readonly number[];

/** Where packets for this address end: RFC 4291 (mapped), RFC 6052 (NAT64), RFC 3056 (6to4). */
function translated(words: Words): string | undefined {
  if (startsWith(words, [0, 0, 0, 0, 0, 0xffff])) return dotted(words, 6);
  if (startsWith(words, [0x64, 0xff9b, 0, 0, 0, 0])) return dotted(words, 6);
  if (startsWith(words, [0x2002])) return dotted(words, 1);
  return undefined;
}

/** Every IPv4 address that a translator on the way might read out of this one; more than `translated` is sure of. */
function embedded(words: Words): readonly string[] {
  if (startsWith(words, [0x2002])) return [dotted(words, 1)];
  // RFC 8215 leaves the length of the prefix to the site, and RFC 6052 skips bits 64-71 of the longer forms.
  if (startsWith(words, [0x64, 0xff9b, 1])) return [dotted(words, 6), skipping(words)];
  const translators = [
    [0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0xffff],
    [0, 0, 0, 0, 0xffff, 0], // RFC 2765
    [0x64, 0xff9b, 0, 0, 0, 0],
  ];
  return translators.some((prefix) => startsWith(words, prefix)) ? [dotted(words, 6)] : [];
}

function startsWith(words: Words, prefix: Words): boolean {
  return prefix.every((word, index) => words[index] === word);
}

function dotted(words: Words, at: number): string {
  const [high = 0, low = 0] = words.slice(at);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}

/** The IPv4 address behind a prefix of 48 bits. */
function skipping(words: Words): string {
  const [first = 0, middle = 0, last = 0] = words.slice(3);
  return [first >> 8, first & 0xff, middle & 0xff, last >> 8].join(".");
}

function plainText(words: Words): string {
  return words.map((word) => word.toString(16)).join(":");
}

/** Reads what `isIP` called an address of version 6. */
function ipv6Words(address: string): Words {
  const bare = (address.split("%")[0] ?? "").replace(/[\d.]+$/, (tail) => {
    if (!tail.includes(".")) return tail;
    const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = "", tail] = bare.split("::");
  const left = groups(head);
  const right = groups(tail ?? "");
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}
