import type { EChartsOption } from "echarts";
import type { ComponentChildren } from "preact";
import type { Memory } from "../data/report";
import { bytes, gibibyte, gibibytes, percent, seconds, words } from "../format";
import { colourOf, inks, seriesColour } from "../palette";
import { axis, Chart, lines } from "../ui/chart";
import { Term } from "../ui/panel";

export function MemoryChart({ memory }: { memory: Memory }) {
  const points = memory.curve.time_s.map((time, i) => [time, memory.curve.used_bytes[i]! / gibibyte]);
  return (
    <Chart
      name="memory over the step"
      height={260}
      inputs={[memory]}
      summary={`peak ${bytes(memory.peak_bytes)} of ${bytes(memory.capacity_bytes)}`}
      option={(): EChartsOption => ({
        grid: { left: 80, right: 24, top: 24, bottom: 56 },
        tooltip: {
          trigger: "axis",
          formatter: (p) => {
            const [x, y] = (p as unknown as { value: [number, number] }[])[0]!.value;
            return lines(seconds(x), [["held", bytes(y * gibibyte)]]);
          },
        },
        xAxis: axis("value", { axisLabel: { formatter: (v: number) => seconds(v) }, max: "dataMax" }),
        yAxis: axis("value", {
          axisLabel: { formatter: gibibytes, showMaxLabel: false },
          max: Math.ceil((Math.max(memory.capacity_bytes, memory.peak_bytes) / gibibyte) * 1.05),
        }),
        dataZoom: [{ type: "slider", height: 18, bottom: 6, labelFormatter: (v: number) => seconds(v) }],
        series: [
          {
            type: "line",
            step: "end",
            showSymbol: false,
            data: points,
            lineStyle: { width: 1.5, color: seriesColour(0) },
            areaStyle: { opacity: 0.15, color: seriesColour(0) },
            itemStyle: { color: seriesColour(0) },
            markLine: {
              symbol: "none",
              silent: true,
              lineStyle: { color: colourOf("data"), type: "dashed" },
              data: [{ yAxis: memory.capacity_bytes / gibibyte }],
              label: {
                formatter: `capacity ${bytes(memory.capacity_bytes)}`,
                position: "insideEndTop",
                color: inks().text,
              },
            },
            markPoint: {
              symbol: "circle",
              symbolSize: 9,
              itemStyle: { color: colourOf("data") },
              data: [
                {
                  name: "peak",
                  coord: [memory.moment.time_s, Math.max(...memory.curve.used_bytes) / gibibyte],
                },
              ],
              label: {
                show: true,
                position: "right",
                offset: [4, -12],
                formatter: `peak ${bytes(memory.peak_bytes)}`,
                color: inks().text,
              },
            },
          },
        ],
      })}
    />
  );
}

/** Tensors that are alive at the peak, by what they are for. */
export function AliveTree({ memory }: { memory: Memory }) {
  const parts = Object.entries(memory.parts)
    .filter(([, b]) => b > 0)
    .sort((a, b) => b[1] - a[1]);
  const inside = (part: string) => memory.alive.filter((tensors) => tensors.part === part);
  const row = (name: ComponentChildren, amount: number) => (
    <>
      <span class="name">{name}</span>
      <span class="number">{bytes(amount)}</span>
      <span class="number">{percent(amount / memory.capacity_bytes)}</span>
      <span class="bar">
        <i style={{ width: `${(amount / memory.peak_bytes) * 100}%` }} />
      </span>
    </>
  );
  return (
    <div class="tree" role="tree" aria-label="alive at the peak">
      {parts.map(([key, amount]) => {
        const part = key.replace(/_bytes$/, "");
        const tensors = inside(part);
        return (
          <details key={key} open={tensors.length > 0 && tensors.length < 9} role="treeitem">
            <summary class={tensors.length > 0 ? "row" : "row leaf"}>{row(<Term of={words(key)} />, amount)}</summary>
            {tensors.map((one, i) => (
              <div key={i} class="row inner">
                {row(one.what, one.used_bytes)}
              </div>
            ))}
          </details>
        );
      })}
    </div>
  );
}
