import { useEffect, useState } from "preact/hooks";

/** A value that components follow. */
export interface Signal<T> {
  value: T;
  listen(listener: () => void): () => void;
}

export function signal<T>(initial: T): Signal<T> {
  let current = initial;
  const listeners = new Set<() => void>();
  return {
    get value() {
      return current;
    },
    set value(next: T) {
      if (next === current) return;
      current = next;
      for (const listener of [...listeners]) listener();
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useSignal<T>(from: Signal<T>): T {
  const [, redraw] = useState(0);
  useEffect(() => from.listen(() => redraw((n) => n + 1)), [from]);
  return from.value;
}
