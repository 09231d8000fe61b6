import { BarChart, GraphChart, LineChart, ScatterChart, TreemapChart } from "echarts/charts";
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  MarkPointComponent,
  TooltipComponent,
} from "echarts/components";
import { init, use, type EChartsType } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { EChartsOption } from "echarts";
import { useEffect, useRef } from "preact/hooks";
import { inks, theme } from "../palette";
import { fileName, save } from "./save";
import { useSignal } from "./signal";

use([
  BarChart,
  GraphChart,
  LineChart,
  ScatterChart,
  TreemapChart,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  MarkPointComponent,
  TooltipComponent,
  SVGRenderer,
]);

/** As in style.css; the library measures texts by it. */
const font = 'system-ui, "DejaVu Sans", sans-serif';

/** Names from users' files must stay text in tooltips, which are HTML. */
export const html = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Lines of a tooltip: names and values. */
export const lines = (title: string, rows: [string, string][]): string =>
  `<b>${html(title)}</b>${rows.map(([name, value]) => `<br>${html(name)} <span style="float:right;margin-left:1.5em">${html(value)}</span>`).join("")}`;

export interface ChartClick {
  data: unknown;
  dataIndex: number;
  seriesName?: string;
}

/** A picture of the chart library that follows theme and width, and can be saved as SVG. `option` is
 * called again whenever `inputs` or the theme change. */
export function Chart({
  name,
  height,
  option,
  inputs,
  onClick,
  summary,
}: {
  name: string;
  height: number;
  option: () => EChartsOption;
  inputs: unknown[];
  onClick?: (click: ChartClick) => void;
  /** what a reader who does not see the picture should know */
  summary: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>();
  const colours = useSignal(theme);
  useEffect(() => {
    const made = init(box.current!, null, { renderer: "svg" });
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(box.current!);
    return () => {
      observer.disconnect();
      made.dispose();
    };
  }, []);
  useEffect(() => {
    const ink = inks();
    const given = option();
    const tooltip = {
      confine: true,
      backgroundColor: ink.surface,
      borderColor: ink.line,
      textStyle: { color: ink.text, fontSize: 12 },
      ...(given.tooltip as object),
    };
    chart.current!.setOption(
      { animation: false, textStyle: { fontFamily: font }, ...given, tooltip },
      { notMerge: true },
    );
  }, [...inputs, colours]);
  useEffect(() => {
    const made = chart.current!;
    const listener = (event: unknown) => onClick?.(event as ChartClick);
    made.on("click", listener);
    return () => {
      if (!made.isDisposed()) made.off("click", listener);
    };
  }, [onClick]);
  return (
    <figure class="chart">
      <div ref={box} style={{ height: `${height}px` }} role="img" aria-label={`${name}: ${summary}`} />
      <button
        class="small"
        onClick={() => save(`${fileName(name)}.svg`, chart.current!.renderToSVGString(), "image/svg+xml")}
        title="save this picture as SVG"
      >
        SVG
      </button>
    </figure>
  );
}

/** Axes as all pictures have them. */
export function axis(
  type: "value" | "category" | "log",
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const ink = inks();
  const { axisLabel, ...rest } = more as { axisLabel?: object };
  return {
    type,
    nameTextStyle: { color: ink.faint },
    axisLine: { lineStyle: { color: ink.line } },
    splitLine: { lineStyle: { color: ink.line } },
    axisLabel: { color: ink.faint, hideOverlap: true, ...axisLabel },
    ...rest,
  };
}

export const legend = (more: object = {}): object => ({
  type: "plain",
  textStyle: { color: inks().text },
  itemHeight: 10,
  itemWidth: 14,
  ...more,
});
