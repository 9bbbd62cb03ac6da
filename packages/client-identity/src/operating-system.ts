import { readFileSync } from "node:fs";
import { machine, platform, release } from "node:os";

/** What a User-Agent says about the machine. */
export interface OperatingSystem {
  /** `"Debian"`, `"Mac OS"`, `"Windows"`. */
  readonly type: string;
  /** Three numbers where the system has numbers: `"12.0.0"`. */
  readonly version: string;
  /** `"x86_64"`, `"aarch64"`, `"arm64"`. */
  readonly arch: string;
}

/** How the reference spells a distribution; any other is called what it calls itself. */
const LINUX_TYPES: Readonly<Record<string, string>> = {
  alpine: "Alpine Linux",
  amzn: "Amazon Linux AMI",
  arch: "Arch Linux",
  centos: "CentOS",
  debian: "Debian",
  fedora: "Fedora",
  linuxmint: "Linux Mint",
  nixos: "NixOS",
  pop: "Pop!_OS",
  rhel: "Red Hat Enterprise Linux",
  ubuntu: "Ubuntu",
};

/** Describes this machine, from the files in which the system describes itself. Never fails. */
export function readOperatingSystem(): OperatingSystem {
  const arch = machine();
  switch (platform()) {
    case "linux":
      return { ...parseOsRelease(readOrEmpty("/etc/os-release")), arch };
    case "darwin":
      return { type: "Mac OS", version: macVersion(), arch };
    case "win32":
      return { type: "Windows", version: threeNumbers(release()), arch };
    default:
      return { type: platform(), version: threeNumbers(release()), arch };
  }
}

/** Distribution and version out of an os-release file (`os-release(5)`). */
export function parseOsRelease(text: string): Omit<OperatingSystem, "arch"> {
  const id = osReleaseField(text, "ID")?.toLowerCase();
  const known = id === undefined ? undefined : LINUX_TYPES[id];
  const version = osReleaseField(text, "VERSION_ID");
  return {
    type: known ?? osReleaseField(text, "NAME") ?? "Linux",
    version: version === undefined ? "Unknown" : threeNumbers(version),
  };
}

function osReleaseField(text: string, name: string): string | undefined {
  const value = new RegExp(`^${name}=(?:"([^"\\n]*)"|'([^'\\n]*)'|([^\\s"']+))\\s*$`, "m").exec(text);
  return value?.[1] ?? value?.[2] ?? value?.[3];
}

/** `"12"` becomes `"12.0.0"` and `"24.04"` becomes `"24.4.0"`, as the reference writes them. */
function threeNumbers(version: string): string {
  const numbers = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version);
  if (numbers === null) return version;
  return [numbers[1], numbers[2], numbers[3]].map((part) => Number(part ?? 0)).join(".");
}

function macVersion(): string {
  const plist = readOrEmpty("/System/Library/CoreServices/SystemVersion.plist");
  const version = /<key>ProductVersion<\/key>\s*<string>([^<]*)<\/string>/.exec(plist);
  return threeNumbers(version?.[1] ?? "Unknown");
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A system that does not describe itself is still a system; its version is unknown.
    return "";
  }
}
