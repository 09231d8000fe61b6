import { useCallback } from "preact/hooks";
import { signal, useSignal } from "./signal";

/** What the reader has chosen, kept behind the # of the address: a link shows the same again. */
const state = signal(parse());

function parse(): URLSearchParams {
  return new URLSearchParams(location.hash.slice(1));
}

addEventListener("hashchange", () => {
  state.value = parse();
});

export function setHash(changes: Record<string, string | null>): void {
  const next = new URLSearchParams(state.value);
  for (const [key, value] of Object.entries(changes))
    value === null || value === "" ? next.delete(key) : next.set(key, value);
  history.replaceState(null, "", `#${next}`);
  state.value = next;
}

export const hashValue = (key: string): string | null => state.value.get(key);

export function useHash(key: string, otherwise: string): [string, (value: string) => void] {
  const all = useSignal(state);
  const set = useCallback(
    (value: string) => setHash({ [key]: value === otherwise ? null : value }),
    [key, otherwise],
  );
  return [all.get(key) ?? otherwise, set];
}
