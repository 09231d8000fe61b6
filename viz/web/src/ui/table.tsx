import {
  createColumnHelper,
  createFilteredRowModel,
  createSortedRowModel,
  columnFilteringFeature,
  filterFn_includesString,
  globalFilteringFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_text,
  tableFeatures,
  useTable,
} from "@tanstack/preact-table";
import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { Term } from "./panel";
import { csv, fileName, save } from "./save";

const features = tableFeatures({
  rowSortingFeature,
  columnFilteringFeature,
  globalFilteringFeature,
  sortedRowModel: createSortedRowModel(),
  filteredRowModel: createFilteredRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, text: sortFn_text },
  filterFns: { includesString: filterFn_includesString },
});

export interface Column<Row> {
  title: string;
  /** in terms.ts, where it is not the title */
  term?: string;
  value: (row: Row) => string | number | undefined;
  /** how the value is written; CSV has the value itself */
  text?: (value: number, row: Row) => string;
  show?: (row: Row) => ComponentChildren;
  width?: string;
}

/** Tables of more rows scroll and keep only what is seen. */
const scrolledFrom = 30;
const rowHeight = 28;
const bodyHeight = 420;

/** A table that sorts, filters, goes to CSV, and keeps only what is seen in the document, so that
 * ten thousand rows are no burden. */
export function DataTable<Row>({
  name,
  columns,
  rows,
  search,
  onRow,
  chosen,
  sort,
}: {
  name: string;
  columns: Column<Row>[];
  rows: Row[];
  search?: boolean;
  onRow?: (row: Row) => void;
  chosen?: (row: Row) => boolean;
  sort?: { id: string; desc: boolean };
}) {
  const helper = useMemo(() => createColumnHelper<typeof features, { row: Row }>(), []);
  const data = useMemo(() => rows.map((row) => ({ row })), [rows]);
  const definitions = useMemo(
    () =>
      helper.columns(
        columns.map((column) =>
          helper.accessor((held) => column.value(held.row), {
            id: column.title,
            header: column.title,
            sortUndefined: "last",
          }),
        ),
      ),
    [columns],
  );
  const table = useTable({
    features,
    columns: definitions,
    data,
    enableSortingRemoval: true,
    globalFilterFn: "includesString",
    initialState: { sorting: sort ? [sort] : [] },
  } as never) as ReturnType<typeof useTable<typeof features, { row: Row }>>;
  const [top, setTop] = useState(0);
  const body = useRef<HTMLDivElement>(null);
  const model = table.getRowModel().rows;
  const virtual = model.length > scrolledFrom;
  const first = virtual ? Math.max(0, Math.floor(top / rowHeight) - 10) : 0;
  const last = virtual
    ? Math.min(model.length, first + Math.ceil(bodyHeight / rowHeight) + 20)
    : model.length;
  const numeric = (column: Column<Row>) => column.text !== undefined;
  const saveCsv = () =>
    save(
      `${fileName(name)}.csv`,
      csv([
        columns.map((c) => c.title),
        ...model.map((r) => columns.map((c) => c.value(r.original.row) ?? "")),
      ]),
      "text/csv",
    );
  const sorting = (table.state as { sorting?: { id: string; desc: boolean }[] }).sorting ?? [];
  const sortedBy = (title: string) => sorting.find((one) => one.id === title);
  return (
    <div class="table">
      <div class="table-bar">
        {search && (
          <input
            type="search"
            placeholder={`search ${rows.length.toLocaleString("en")} rows`}
            aria-label={`search ${name}`}
            onInput={(event) => {
              table.setGlobalFilter(event.currentTarget.value);
              setTop(0);
              body.current?.scrollTo(0, 0);
            }}
          />
        )}
        {search && (
          <output class="note">
            {model.length === rows.length ? "" : `${model.length.toLocaleString("en")} match`}
          </output>
        )}
        <button class="small" onClick={saveCsv} title="save these rows as CSV">
          CSV
        </button>
      </div>
      <div
        ref={body}
        class={virtual ? "table-body scrolls" : "table-body"}
        style={virtual ? { maxHeight: `${bodyHeight}px` } : {}}
        onScroll={virtual ? (event) => setTop(event.currentTarget.scrollTop) : undefined}
        tabIndex={virtual ? 0 : undefined}
      >
        <table aria-label={name} aria-rowcount={model.length}>
          <thead>
            <tr>
              {columns.map((column) => {
                const sorted = sortedBy(column.title);
                return (
                  <th
                    key={column.title}
                    scope="col"
                    class={numeric(column) ? "number" : ""}
                    style={{ width: column.width }}
                    aria-sort={sorted ? (sorted.desc ? "descending" : "ascending") : "none"}
                  >
                    <button
                      class="sort"
                      onClick={() =>
                        table.getColumn(column.title)?.toggleSorting(sorted ? !sorted.desc : numeric(column))
                      }
                    >
                      <Term of={column.term ?? column.title}>{column.title}</Term>
                      <span aria-hidden="true">{sorted ? (sorted.desc ? " ▼" : " ▲") : ""}</span>
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {first > 0 && <tr style={{ height: `${first * rowHeight}px` }} />}
            {model.slice(first, last).map((r) => {
              const row = r.original.row;
              return (
                <tr
                  key={r.id}
                  class={chosen?.(row) ? "chosen" : ""}
                  data-row={r.index}
                  {...(onRow
                    ? {
                        onClick: () => onRow(row),
                        tabIndex: 0,
                        onKeyDown: (e: KeyboardEvent) =>
                          (e.key === "Enter" || e.key === " ") && (e.preventDefault(), onRow(row)),
                      }
                    : {})}
                >
                  {columns.map((column) => {
                    const value = column.value(row);
                    const text =
                      value === undefined
                        ? "–"
                        : typeof value === "number" && column.text
                          ? column.text(value, row)
                          : String(value);
                    return (
                      <td
                        key={column.title}
                        class={numeric(column) ? "number" : ""}
                        title={text.length > 30 ? text : undefined}
                      >
                        {column.show ? column.show(row) : text}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
            {last < model.length && <tr style={{ height: `${(model.length - last) * rowHeight}px` }} />}
          </tbody>
        </table>
        {model.length === 0 && <p class="note">no rows{rows.length > 0 ? " match" : ""}</p>}
      </div>
    </div>
  );
}
