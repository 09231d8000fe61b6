import type { EChartsOption } from "echarts";
import { seconds } from "../format";
import { inks, seriesColour } from "../palette";
import { axis, legend } from "./chart";

export interface TimedSeries {
  name: string;
  values: number[];
}

/** What a time is compared with lies below it, one pair a name; `left` and `right` are the margins
 * in pixels. */
export function pairedBars(
  names: string[],
  [above, below]: [TimedSeries, TimedSeries],
  { left, right, shared }: { left: number; right: number; shared: boolean },
): EChartsOption {
  const bars = (series: TimedSeries, colour: number) => ({
    type: "bar" as const,
    name: series.name,
    itemStyle: { color: seriesColour(colour) },
    data: series.values,
  });
  return {
    grid: { left, right, top: 36, bottom: 26 },
    legend: legend({ top: 0 }),
    tooltip: {
      ...(shared && { trigger: "axis" as const, axisPointer: { type: "shadow" as const } }),
      valueFormatter: (v) => seconds(Number(v)),
    },
    xAxis: axis("value", { axisLabel: { formatter: (v: number) => seconds(v) } }),
    yAxis: axis("category", {
      data: names,
      axisLabel: { color: inks().text, width: left - 15, overflow: "truncate" },
    }),
    series: [bars(above, 1), bars(below, 0)],
  };
}
