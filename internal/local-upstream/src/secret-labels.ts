/** Names each secret by kind and order of issue. */
export class SecretLabels {
  readonly #labels = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** Labels a secret the first time it is seen: `access#1`, `access#2`, … */
  issue(kind: string, value: string): string {
    const known = this.#labels.get(value);
    if (known) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const label = `${kind}#${count}`;
    this.#labels.set(value, label);
    return label;
  }

  labelOf(value: string): string | undefined {
    return this.#labels.get(value);
  }

  /** A deep copy in which every issued secret is its label, and every field that could hold another is blank. */
  redact(value: unknown, name = ""): unknown {
    if (typeof value === "string") {
      const label = this.#labels.get(value.replace(/^bearer +/i, ""));
      if (label) return `<${label}>`;
      if (name === "cookie") return cookieNames(value);
      return secretNames.test(name) ? "<redacted>" : value;
    }
    if (Array.isArray(value)) return value.map((one) => this.redact(one));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.redact(one, key)]));
  }
}

/** Cookies by name; only the affinity cookie's value, which is what the log is read for. */
function cookieNames(header: string): string {
  const shown = (pair: string) => (pair.startsWith("__cflb=") ? pair : `${pair.split("=")[0]}=<redacted>`);
  return header.split(/;\s*/).map(shown).join("; ");
}

const secretNames =
  /^(authorization|access_token|refresh_token|id_token|code|code_verifier|client_secret|subject_token|token|api_key)$/;
