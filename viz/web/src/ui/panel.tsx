import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { terms } from "../terms";

/** A word with its one-line explanation. */
export function Term({ of, children }: { of: string; children?: ComponentChildren }) {
  const tip = terms[of];
  if (!tip) return <>{children ?? of}</>;
  return (
    <span class="term" tabIndex={0} data-tip={tip} aria-label={`${of}: ${tip}`}>
      {children ?? of}
    </span>
  );
}

export function Panel({
  title,
  note,
  wide,
  children,
  actions,
}: {
  title: ComponentChildren;
  note?: ComponentChildren;
  wide?: boolean;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={wide ? "panel wide" : "panel"} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {actions}
      </header>
      {children}
      {note && <p class="note">{note}</p>}
    </section>
  );
}

export function Figure({
  label,
  value,
  more,
  id,
}: {
  label: string;
  value: string;
  more?: string;
  id?: string;
}) {
  return (
    <div class="figure">
      <dt>
        <Term of={label} />
      </dt>
      <dd>
        <span class="value" data-testid={id}>
          {value}
        </span>
        {more && <span class="more">{more}</span>}
      </dd>
    </div>
  );
}

export function Choice({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: string;
  options: [value: string, text: string][];
  onChange: (value: string) => void;
}) {
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
