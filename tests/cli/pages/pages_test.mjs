// Pages of real answers of the program in a browser: every view is drawn, its numbers are those of
// the JSON, clicks, keys and searches work, names from files stay text, nothing leaves the page.
//
//   node pages_test.mjs FORESHARD SOURCE_FOLDER PACKAGES_FOLDER
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertSays, launch, Opened } from "./browser.mjs";

const [program, source, packages] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "foreshard-pages-"));
const browser = await launch(packages);

/** Runs the program in the source folder; the page and the JSON of the same answer. */
function answer(name, command, ...words) {
  const html = join(folder, `${name}.html`);
  const json = join(folder, `${name}.json`);
  execFileSync(program, [...command.split(" "), ...words, "--html", html, "--json", json], {
    cwd: source,
    stdio: ["ignore", "ignore", "ignore"],
  });
  return { html, json: JSON.parse(readFileSync(json, "utf8")) };
}

/** A page of documents made here. */
function view(name, ...documents) {
  const files = documents.map((document, i) => {
    const file = join(folder, `${name}-${i}.json`);
    writeFileSync(file, JSON.stringify(document));
    return file;
  });
  const html = join(folder, `${name}.html`);
  const told = execFileSync(program, ["view", ...files, "--html", html], { encoding: "utf8" });
  assert.equal(told, `${html}\n`);
  return html;
}

const tests = {
  async "a step: the figures are those of the report"() {
    const { html, json } = answer("step", "run scenarios/quickstart.yaml");
    const opened = await Opened.open(browser, html);
    assertSays(await opened.text("step-time"), json.step_time_s);
    assertSays(await opened.text("mfu"), json.mfu);
    assertSays(await opened.text("peak"), json.memory.peak_bytes);
    assert.equal(await opened.text("bottleneck"), json.bottleneck);
    const rows = await opened.rows("breakdown");
    assert.deepEqual(rows.map((row) => row[0]).slice(0, 4), [
      "forward",
      "backward",
      "recompute",
      "waits: tensor parallel",
    ]);
    assertSays(rows[0][1], json.compute.forward_s);
    assertSays(rows[3][1], json.breakdown.exposed_tensor_s);
    const links = await opened.rows("links");
    assert.deepEqual(
      links.map((row) => row[0]),
      json.links.map((link) => link.name),
    );
    assertSays(links[0][2], json.links[0].bytes);
    assert.deepEqual(
      (await opened.rows("sources")).map((row) => row[0]),
      json.sources.map((one) => one.name),
    );
    await opened.finish();
  },

  async "the critical path and what would help are those of the report"() {
    const { html, json } = answer("path", "run scenarios/llama3-70b-64xh100.yaml --what-if");
    const opened = await Opened.open(browser, html);
    const parts = json.critical_path.filter((part) => part.share > 5e-4);
    const said = {
      tensor: "tensor-parallel collectives",
      data: "gradient reduction",
      parameter: "parameter gathering",
      pipeline: "stage messages",
    };
    const rows = await opened.rows("critical path");
    assert.deepEqual(
      rows.map((row) => row.slice(0, 3)),
      parts.map((part) => [said[part.kind] ?? part.kind, part.rank_class, part.spans.toLocaleString("en")]),
    );
    parts.forEach((part, i) => assertSays(rows[i][3], part.time_s));
    const sum = json.critical_path.reduce((s, part) => s + part.time_s, 0);
    assert.ok(Math.abs(sum / json.step_time_s - 1) < 1e-9);
    const changes = await opened.rows("what if");
    assert.deepEqual(
      changes.map((row) => row[0]),
      json.what_if.map((one) => one.change),
    );
    json.what_if.forEach((one, i) => assertSays(changes[i][1], one.step_time_s));
    // Without being asked a page has them where they are quickly simulated.
    const unasked = answer("unasked", "run scenarios/llama3-70b-64xh100.yaml");
    assert.deepEqual(unasked.json.what_if, []);
    const again = await Opened.open(browser, unasked.html);
    assert.deepEqual(await again.rows("what if"), changes);
    await again.finish();
    await opened.finish();
    const bounds = await Opened.open(browser, view("bounds", unasked.json));
    await bounds.page.getByRole("heading", { name: "What would help, at most" }).waitFor();
    await bounds.finish();
  },

  async "links over time: a strip under the timeline, and the map at a moment"() {
    const { html, json } = answer("links", "run scenarios/llama3-70b-64xh100.yaml");
    const opened = await Opened.open(browser, html, "view=data");
    const topology = JSON.parse(
      await opened.download(() =>
        opened.page
          .locator("section", { hasText: "foreshard.topology.v1" })
          .getByRole("button", { name: "JSON" })
          .click(),
      ),
    );
    const { use, course, courses } = topology.links;
    assert.equal(course.length, use.length);
    const busiest = use.indexOf(Math.max(...use));
    const loads = courses.load_permille[course[busiest]];
    assert.equal(loads.length, courses.intervals);
    // All intervals together are the use of the link in the step.
    const mean = loads.reduce((a, b) => a + b, 0) / loads.length / 1000;
    assert.ok(Math.abs(mean - use[busiest]) < 0.0006, `${mean} of ${use[busiest]}`);
    const most = Math.max(...loads);
    const interval = loads.indexOf(most);
    // Ten intervals wide, so that each is many pixels.
    const step = Math.round(json.step_time_s * 1e9);
    const first = Math.max(0, interval - 5);
    const at = (i) => Math.round((step * i) / courses.intervals);
    const zoomed = await Opened.open(browser, html, `view=timeline&time=${at(first)}-${at(first + 10)}`);
    const strip = zoomed.page.getByLabel("load of the busiest links");
    const { width } = await strip.boundingBox();
    const left = 230; // labelWidth
    await strip.hover({ position: { x: left + ((width - left) * (interval - first + 0.5)) / 10, y: 8 } });
    const said = await zoomed.text("link-load");
    await zoomed.finish();
    const { devices, from, to } = topology.links;
    assert.ok(said.startsWith(`${devices[from[busiest]]} → ${devices[to[busiest]]}`), said);
    assert.ok(said.includes(`: ${(most / 10).toFixed(1)} % of its rate`), said);
    await opened.page.getByRole("tab", { name: "Topology" }).click();
    assert.equal(await opened.text("moment"), "whole step");
    await opened.page.getByLabel("moment of the step").fill(String(interval));
    const node = devices[from[busiest]].split("/")[0];
    const wanted = use.reduce((load, _, i) => {
      const ends = [devices[from[i]], devices[to[i]]];
      return ends.some((end) => end.startsWith(`${node}/`)) && course[i] >= 0
        ? Math.max(load, courses.load_permille[course[i]][interval])
        : load;
    }, 0);
    assert.equal(
      await opened.page.getByRole("button", { name: node, exact: true }).getAttribute("title"),
      `${node}: ${(wanted / 10).toFixed(1)} %`,
    );
    assert.match(opened.page.url(), new RegExp(`moment=${interval}`));
    await opened.finish();
  },

  async "a search: what is known after each round"() {
    const { html, json } = answer(
      "search",
      "compare scenarios/quickstart.yaml --search --simulate 4 --set plan.global_batch=64",
    );
    const opened = await Opened.open(browser, html);
    const rows = await opened.rows("rounds");
    assert.equal(rows.length, json.search.rounds.length);
    assert.ok(rows.length > 1);
    json.search.rounds.forEach((round, i) => {
      assertSays(rows[i][8], round.best_s);
      assertSays(rows[i][9], round.bound_s);
      assertSays(rows[i][7], round.simulated);
    });
    const said = await opened.page
      .getByRole("img", { name: /^rounds of the search/ })
      .getAttribute("aria-label");
    assert.ok(said.includes(`round ${rows.length}: best ${rows[rows.length - 1][8]}`), said);
    await opened.finish();
  },

  async "a table sorts by a click and goes to CSV with whole numbers, a picture to SVG"() {
    const { html, json } = answer("table", "run scenarios/quickstart.yaml");
    const opened = await Opened.open(browser, html);
    const parts = opened.page.getByRole("table", { name: "breakdown" });
    await parts.getByRole("button", { name: "time" }).click();
    const rows = await opened.rows("breakdown");
    assert.equal(rows[0][0], "backward");
    const csv = await opened.download(() =>
      opened.page.locator(".table", { has: parts }).getByRole("button", { name: "CSV" }).click(),
    );
    assert.equal(csv.split("\r\n")[0], "part,time,share");
    assert.equal(Number(csv.split("\r\n")[1].split(",")[1]), json.compute.backward_s);
    const chart = opened.page.locator("figure.chart").first();
    await chart.hover();
    const svg = await opened.download(() => chart.getByRole("button", { name: "SVG" }).click());
    assert.ok(svg.startsWith("<svg") && svg.includes("backward"));
    await opened.finish();
  },

  async "words explain themselves, keys work, and a link shows the same again"() {
    const { html } = answer("keys", "run scenarios/quickstart.yaml");
    const opened = await Opened.open(browser, html, "", { colorScheme: "dark" });
    assert.equal(await opened.page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await opened.page.locator(".term", { hasText: "MFU" }).first().hover();
    assert.match(await opened.page.locator(".tip").textContent(), /^Model FLOP utilisation/);
    await opened.page.keyboard.press("2");
    assert.match(opened.page.url(), /view=timeline/);
    await opened.page.keyboard.press("/");
    await opened.page.keyboard.type("backward");
    await opened.page.keyboard.press("Enter");
    await opened.page.waitForFunction(() => location.hash.includes("time="));
    const url = opened.page.url();
    const again = await Opened.open(browser, html, url.split("#")[1]);
    assert.equal(await again.page.getByLabel("find spans").inputValue(), "backward");
    assert.equal(again.page.url(), url);
    await again.finish();
    await opened.page.keyboard.press("Escape");
    await opened.finish();
  },

  async "a timeline: a click names the span, a search counts, the pipeline has a row a stage"() {
    const { html } = answer("timeline", "run scenarios/llama3-70b-64xh100.yaml");
    const opened = await Opened.open(browser, html, "view=timeline");
    const canvas = opened.page.getByLabel("timeline of the step");
    await canvas.click({ position: { x: 240, y: 34 } });
    assert.match(await opened.text("span"), /^forward chunk \d.* · forward · stage 0/);
    await opened.page.getByLabel("find spans").fill("grad");
    const hits = Number((await opened.text("hits")).replace(/[^\d]/g, ""));
    assert.ok(hits > 0);
    // The same count from the data that the page holds.
    await opened.page.getByRole("tab", { name: "Data" }).click();
    const timeline = JSON.parse(
      await opened.download(() =>
        opened.page
          .locator("section", { hasText: "foreshard.timeline.v1" })
          .getByRole("button", { name: "JSON" })
          .click(),
      ),
    );
    const wanted = new Set(timeline.names.flatMap((name, i) => (name.includes("grad") ? [i] : [])));
    assert.equal(
      hits,
      timeline.classes
        .flatMap((one) => one.streams.flatMap((stream) => stream.names))
        .filter((name) => wanted.has(name)).length,
    );
    await opened.page.getByRole("tab", { name: "Timeline" }).click();
    await opened.page.getByLabel("rows").selectOption("schedule");
    await opened.page.getByLabel("messages").check();
    await opened.page.getByRole("checkbox", { name: "critical path" }).check();
    await canvas.press("w");
    await opened.page.waitForFunction(() => location.hash.includes("time="));
    await opened.finish();
  },

  async "a topology: a frame opens, a node shows its ranks and links, a communicator its members"() {
    const { html, json } = answer("topology", "run scenarios/llama3-70b-64xh100.yaml");
    const opened = await Opened.open(browser, html, "view=topology");
    assert.equal(await opened.page.locator(".cells button").count(), 8);
    await opened.page.getByRole("button", { name: "node-3", exact: true }).click();
    assert.match(await opened.text("node"), /ranks24, 25, 26, 27, 28, 29, 30, 31/);
    const links = await opened.rows("links of node-3");
    assert.equal(links.length, 16); // 8 NICs, both directions
    await opened.page.getByLabel("colour").selectOption("rank");
    await opened.page
      .locator("label.choice", { hasText: /^of/ })
      .locator("select")
      .selectOption({ label: "tp (8 ranks)" });
    await opened.page.getByTitle("-1: all").fill("2");
    assert.match(await opened.text("members"), /group 2: 8 ranks on 1 node: 16 \(node-2\/gpu-0\)/);
    await opened.page.getByLabel("find nodes").fill("node-5");
    assert.equal((await opened.page.locator(".cells button:not(.dim)").count()) <= 1, true);
    assert.equal(json.ranks, 64);
    await opened.finish();
  },

  async "a survey of a cluster, and what changed between two"() {
    const { html, json } = answer("survey", "topology show scenarios/clusters/quickstart-nodes.json");
    const survey = await Opened.open(browser, html);
    assertSays(await survey.text("nodes"), json.nodes);
    assertSays(await survey.text("gpus"), json.gpus);
    await survey.finish();
    const cluster = JSON.parse(
      readFileSync(join(source, "scenarios/clusters/quickstart-nodes.json"), "utf8"),
    );
    const gone = cluster.items.pop().metadata.name;
    const some = cluster.items.find((item) => item.status.capacity["nvidia.com/gpu"]);
    some.spec.unschedulable = true;
    const cordoned = some.metadata.name;
    const later = join(folder, "later.json");
    writeFileSync(later, JSON.stringify(cluster));
    const diff = answer("diff", "topology diff scenarios/clusters/quickstart-nodes.json", later);
    const opened = await Opened.open(browser, diff.html);
    assert.deepEqual(
      await opened.rows("differences"),
      diff.json.changes.map((change) => [change.kind, change.what]),
    );
    const legend = await opened.page.locator(".legend").first().textContent();
    assert.match(legend, /gone \(1\)/);
    const cell = (name) => opened.page.getByRole("button", { name, exact: true });
    assert.equal(await cell(gone).first().getAttribute("title"), `${gone}: gone`);
    assert.equal(await cell(gone).count(), 1); // not in the cluster afterwards
    assert.equal(await cell(cordoned).last().getAttribute("title"), `${cordoned}: changed`);
    await opened.finish();
    const drawn = answer("drawn", "topology render scenarios/quickstart.yaml --colour load");
    await (await Opened.open(browser, drawn.html)).finish();
  },

  async "plans: the quickest first, a click puts one beside others"() {
    const { html, json } = answer(
      "plans",
      "compare scenarios/quickstart.yaml --plans scenarios/compare/quickstart-list.yaml",
    );
    const opened = await Opened.open(browser, html);
    const rows = await opened.rows("plans");
    assert.deepEqual(
      rows.map((row) => row[0]),
      json.plans.map((plan) => plan.name),
    );
    json.plans.forEach((plan, i) => assertSays(rows[i][1], plan.step_time_s));
    assert.ok((await opened.text("winner")).includes(json.plans[0].name));
    const side = () =>
      opened.page.getByRole("img", { name: /^breakdown of plans/ }).getAttribute("aria-label");
    assert.ok(!(await side()).includes(json.plans[3].name));
    await opened.page
      .getByRole("table", { name: "plans" })
      .getByText(json.plans[3].name, { exact: true })
      .click();
    assert.ok((await side()).includes(json.plans[3].name));
    await opened.page.getByLabel("search plans").fill("fsdp");
    assert.ok((await opened.rows("plans")).every((row) => row.some((cell) => cell.includes("fsdp"))));
    await opened.finish();
  },

  async "a calibration: measured points, the fit, the replay"() {
    const db = join(folder, "c.db");
    execFileSync(
      program,
      ["calibrate", "import", join(source, "tests/fuzz/corpus/import_nccl_tests_text/sweep.txt"), "--db", db],
      { stdio: "ignore" },
    );
    const shown = answer("calibration", "calibrate show", "--db", db);
    const opened = await Opened.open(browser, shown.html);
    assertSays(await opened.text("runs"), shown.json.runs.length);
    assert.equal((await opened.rows("collectives measured")).length, shown.json.collectives.length);
    await opened.finish();
    const replay = answer("replay", "calibrate replay", "--db", db);
    const played = await Opened.open(browser, replay.html);
    assert.deepEqual(
      (await played.rows("replay")).map((row) => row[0]),
      replay.json.sweeps.map((sweep) => sweep.name),
    );
    await played.finish();
  },

  async "a score: predicted against measured, by regime, the worst first"() {
    const { html, json } = answer(
      "score",
      "validate training --table tests/fuzz/corpus/training_csv/gpt.csv",
    );
    const opened = await Opened.open(browser, html);
    const worst = [...json.results].sort(
      (a, b) => Math.abs(b.predicted / b.measured - 1) - Math.abs(a.predicted / a.measured - 1),
    );
    const rows = await opened.rows("rows");
    assert.deepEqual(
      rows.map((row) => row[0]),
      worst.map((row) => row.id),
    );
    worst.forEach((row, i) => assertSays(rows[i][1].replace("+", ""), row.predicted / row.measured - 1));
    await opened.page
      .getByRole("table", { name: "rows" })
      .getByText(worst[0].id, { exact: true })
      .first()
      .click();
    assert.match(await opened.text("row"), new RegExp(`^${worst[0].id}`));
    await opened.finish();
  },

  async "placements and jobs that meet"() {
    const { html, json } = answer("place", "place evaluate scenarios/llama3-70b-64xh100.yaml");
    const opened = await Opened.open(browser, html);
    assert.deepEqual(
      (await opened.rows("placements")).map((row) => row[0]),
      json.placements.map((one) => one.name),
    );
    await opened.finish();
    const assigned = answer("assign", "place assign scenarios/llama3-70b-64xh100.yaml");
    const placed = await Opened.open(browser, assigned.html);
    assertSays(await placed.text("step-time"), assigned.json.step_time_s);
    await placed.finish();
    for (const name of ["fragmented", "queue"])
      await (await Opened.open(browser, answer(name, `run scenarios/jobs/${name}.yaml`).html)).finish();
  },

  async "names that are HTML, very long, or of other scripts stay text"() {
    const name = `</script><img src=x onerror=alert(1)><b>${"long ".repeat(300)}‮ 模型 ﷽ 🧮`;
    const { json } = answer("hostile", "run scenarios/quickstart.yaml");
    const report = {
      ...json,
      scenario: name,
      bottleneck: name,
      links: json.links.map((link) => ({ ...link, name })),
      sources: json.sources.map((one) => ({ ...one, name })),
      diagnostics: [{ severity: "note", file: name, line: 1, column: 1, message: name, hint: name }],
    };
    const empty = { devices: [], from: [], to: [], rate_bit_s: [], not_up: [] };
    const topology = {
      schema: "foreshard.topology.v1",
      sources: [],
      levels: [name],
      nodes: [{ name, type: name, domains: [name], occupants: [{ job: name, gpus: 8 }] }],
      switches: [],
      links: empty,
      trouble: [],
      notes: [],
    };
    const plans = {
      schema: "foreshard.comparison.v1",
      scenario: name,
      model: name,
      cluster: name,
      fidelity: "hybrid",
      currency: null,
      refused: [],
      plans: ["a", "b"].map((end) => ({
        name: name + end,
        plan: name,
        gpus: 1,
        step_time_s: 1,
        step_time_p10_s: 1,
        step_time_p90_s: 1,
        tokens_per_s: 1,
        mfu: 1,
        memory: { peak_bytes: 1, capacity_bytes: 2, fits: true },
        gpu_hour_price: null,
        cost_per_1e12_tokens: null,
        pareto: true,
        first_is_quicker: 0.5,
        breakdown: { forward_s: 1 },
        more_than_first: { total_s: 0, parts: [], sentence: name },
        bottleneck: name,
        diagnostics: [],
      })),
    };
    const opened = await Opened.open(browser, view("hostile-page", report, topology, plans), "view=step");
    assert.equal(await opened.text("bottleneck"), name.trim());
    for (const tab of await opened.page.getByRole("tab").all()) {
      await tab.click();
      assert.equal(await opened.page.locator("img, b:has-text('long'):not(p b, li b)").count(), 0);
      for (const box of await opened.page.locator("figure.chart svg").all()) await box.hover({ force: true });
      assert.equal(
        await opened.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        true,
        "a long name makes the page wide",
      );
    }
    await opened.finish();
  },

  async "16,384 ranks: a small file, little memory"() {
    const { html } = answer("large", "run scenarios/llama3-405b-16384xh100.yaml");
    assert.ok(statSync(html).size < 10e6);
    for (const start of ["view=step", "view=timeline", "view=topology"]) {
      const opened = await Opened.open(browser, html, start);
      const heap = await opened.page.evaluate(() => performance.memory.usedJSHeapSize);
      console.log(
        `  16,384 ranks, ${start}: ${Math.round(opened.ms)} ms, ${Math.round(heap / 1e6)} MB, file ${Math.round(statSync(html).size / 1e4) / 100} MB`,
      );
      assert.ok(heap < 500e6);
      await opened.finish();
    }
  },

  async "10,000 nodes: a small file, little memory"() {
    const scenario = join(folder, "nodes.yaml");
    const changes = [
      ["count: 2048", "count: 10000"],
      ["nodes_per_leaf: 32", "nodes_per_leaf: 32, switch_ports: 128"],
      ["global_batch: 2048", "global_batch: 10000"],
      ["models/", join(source, "scenarios/models/")],
    ];
    let text = readFileSync(join(source, "scenarios/llama3-405b-16384xh100.yaml"), "utf8");
    for (const [from, to] of changes) {
      assert.ok(text.includes(from));
      text = text.replace(from, to);
    }
    writeFileSync(scenario, text);
    const html = join(folder, "nodes.html");
    execFileSync(program, ["topology", "render", scenario, "--html", html], { stdio: "ignore" });
    assert.ok(statSync(html).size < 10e6);
    const opened = await Opened.open(browser, html);
    const heap = await opened.page.evaluate(() => performance.memory.usedJSHeapSize);
    console.log(
      `  10,000 nodes: ${Math.round(opened.ms)} ms, ${Math.round(heap / 1e6)} MB, file ${Math.round(statSync(html).size / 1e4) / 100} MB`,
    );
    assert.ok(heap < 500e6);
    await opened.page.locator(".group > button").first().click();
    await opened.finish();
  },

  async "a million spans are drawn, searched and clicked"() {
    const spans = 1_000_000;
    const column = (value) => Array.from({ length: spans }, (_, i) => value(i));
    const stream = {
      name: "compute",
      names: column((i) => i % 7),
      kinds: column((i) => i % 2),
      gap_ns: column(() => 10),
      length_ns: column((i) => 500 + (i % 13) * 100),
      micro_batches: column((i) => i % 64),
      chunks: column(() => 0),
      segments: column(() => -1),
      bytes: column(() => 0),
    };
    const timeline = {
      schema: "foreshard.timeline.v1",
      scenario: "a million",
      step_time_s: 1,
      names: ["a", "b", "c", "d", "e", "f", "needle"],
      kinds: ["forward", "backward"],
      classes: [{ name: "stage 0", rank: 0, ranks: 1, stage: 0, executed: false, streams: [stream] }],
      messages: { from: [], to: [], names: [], begin_ns: [], end_ns: [] },
    };
    const opened = await Opened.open(browser, view("million", timeline), "view=timeline");
    const heap = await opened.page.evaluate(() => performance.memory.usedJSHeapSize);
    console.log(`  a million spans: ${Math.round(opened.ms)} ms, ${Math.round(heap / 1e6)} MB`);
    assert.ok(heap < 500e6);
    await opened.page.getByLabel("find spans").fill("needle");
    assert.equal(await opened.text("hits"), `${Math.floor(spans / 7).toLocaleString("en")} spans`);
    await opened.page.getByRole("button", { name: "next" }).click();
    assert.match(await opened.text("span"), /^needle/);
    await opened.finish();
  },
};

let failed = 0;
try {
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`passed: ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAILED: ${name}\n${error.stack}`);
    }
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
process.exit(failed > 0 ? 1 : 0);
