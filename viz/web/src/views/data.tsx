import { useMemo } from "preact/hooks";
import type { Document } from "../data/documents";
import { Panel } from "../ui/panel";
import { fileName, save } from "../ui/save";

const shownMax = 200_000;

/** The answers themselves, whatever they are. */
export function DataView({ documents }: { documents: Document[] }) {
  return (
    <div class="view">
      {documents.map((document, i) => (
        <One key={i} document={document} />
      ))}
    </div>
  );
}

function One({ document }: { document: Document }) {
  const text = useMemo(() => JSON.stringify(document, null, 2), [document]);
  return (
    <Panel
      wide
      title={document.schema}
      note={
        text.length > shownMax
          ? `The first ${shownMax.toLocaleString("en")} of ${text.length.toLocaleString("en")} characters; the file has all.`
          : undefined
      }
      actions={
        <button
          class="small"
          onClick={() => save(`${fileName(document.schema)}.json`, text, "application/json")}
        >
          JSON
        </button>
      }
    >
      <pre class="json">{text.slice(0, shownMax)}</pre>
    </Panel>
  );
}
