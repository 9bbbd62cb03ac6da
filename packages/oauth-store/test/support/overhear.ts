/** Hears what is given to these methods; returns the way to end it. */
export function overhear<T extends object>(
  owner: T,
  names: readonly (keyof T)[],
  hear: (given: unknown) => void,
): () => void {
  const ends = names.map((name) => {
    const real = owner[name];
    owner[name] = new Proxy(real as () => unknown, {
      apply(method, self, given) {
        for (const one of given) hear(one);
        return Reflect.apply(method, self, given);
      },
    }) as T[typeof name];
    return () => {
      owner[name] = real;
    };
  });
  return () => {
    for (const end of ends) end();
  };
}
