import "./style.css";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { embeddedDocuments, type Document } from "./data/documents";
import { theme, type Theme } from "./palette";
import { hashValue, setHash, useHash } from "./ui/hash";
import { useSignal } from "./ui/signal";
import { showTips } from "./ui/tips";
import { viewsOf } from "./views";

const keys: [string, string][] = [
  ["1 … 9", "the views, from left to right"],
  ["/", "search"],
  ["t", "light or dark"],
  ["?", "this help"],
  ["w s a d", "timeline: zoom and move (after a click into it); 0 shows all"],
  ["Tab, Enter", "everything that can be clicked"],
];

function titleOf(documents: Document[]): string {
  for (const document of documents)
    for (const key of ["scenario", "table", "file"])
      if (typeof document[key] === "string" && document[key]) return document[key] as string;
  return "";
}

function App({ documents }: { documents: Document[] }) {
  const views = viewsOf(documents);
  const [chosen, choose] = useHash("view", views[0]!.id);
  const view = views.find((one) => one.id === chosen) ?? views[0]!;
  const colours = useSignal(theme);
  const help = useRef<HTMLDialogElement>(null);
  const setTheme = (next: Theme) => {
    theme.value = next;
    setHash({ theme: next });
  };
  useEffect(() => {
    document.documentElement.dataset.theme = colours;
  }, [colours]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
        return;
      const number = Number(event.key);
      if (number >= 1 && number <= views.length) choose(views[number - 1]!.id);
      else if (event.key === "/")
        document.querySelector<HTMLInputElement>("[data-search], input[type=search]")?.focus();
      else if (event.key === "t") setTheme(theme.value === "dark" ? "light" : "dark");
      else if (event.key === "?") help.current?.showModal();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [views.length]);
  const Shown = view.component;
  return (
    <>
      <header class="bar-top">
        <span class="brand">foreshard</span>
        <nav class="tabs" role="tablist" aria-label="views">
          {views.map((one) => (
            <button key={one.id} role="tab" aria-selected={one === view} onClick={() => choose(one.id)}>
              {one.title}
            </button>
          ))}
        </nav>
        <h1 title={titleOf(documents)}>{titleOf(documents)}</h1>
        <button onClick={() => setTheme(colours === "dark" ? "light" : "dark")} title="light or dark (t)">
          {colours === "dark" ? "light" : "dark"}
        </button>
        <button onClick={() => print()} title="print this view">
          print
        </button>
        <button onClick={() => help.current?.showModal()} title="keys (?)" aria-label="help">
          ?
        </button>
      </header>
      <main>
        <Shown key={view.id} documents={documents} />
      </main>
      <dialog ref={help} class="help" aria-label="keys">
        <dl>
          {keys.map(([key, what]) => (
            <>
              <dt>{key}</dt>
              <dd>{what}</dd>
            </>
          ))}
        </dl>
        <p class="note">
          Dotted words explain themselves when pointed at. What you choose stands behind the # of the address:
          a link shows the same again. Headings of tables sort.
        </p>
        <form method="dialog">
          <button>close</button>
        </form>
      </dialog>
    </>
  );
}

async function start(): Promise<void> {
  const wanted = hashValue("theme");
  theme.value =
    wanted === "dark" || wanted === "light"
      ? wanted
      : matchMedia("(prefers-color-scheme: dark)").matches
        ? "dark"
        : "light";
  const root = document.getElementById("app")!;
  const documents = await embeddedDocuments();
  document.title = `${titleOf(documents) || "foreshard"} – foreshard`;
  showTips();
  render(<App documents={documents} />, root);
}

start().catch((error: unknown) => {
  document.getElementById("app")!.textContent = `This page cannot be shown: ${String(error)}`;
});
