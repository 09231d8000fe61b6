// A headless Chromium in which pages are opened from disk, and what must hold for each of them: no
// error on the console, nothing asked of a network.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Exit code by which CTest knows that a test was skipped. */
const skipped = 77;

export function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(skipped);
}

/** `packages`: the folder in which viz/web/build.sh installed them. */
export async function launch(packages) {
  const program = process.env.CHROMIUM ?? programs.find(existsSync);
  if (!program) skip("no Chromium here (Debian's package 'chromium', or CHROMIUM=program)");
  if (!existsSync(join(packages, "node_modules/playwright-core")))
    skip(`no playwright-core in ${packages} (viz/web/build.sh installs it)`);
  const { chromium } = createRequire(join(packages, "package.json"))("playwright-core");
  return chromium.launch({ executablePath: program, args: ["--no-sandbox", "--enable-precise-memory-info"] });
}

export class Opened {
  constructor(page) {
    this.page = page;
    this.troubles = [];
    page.on(
      "console",
      (message) => ["error", "warning"].includes(message.type()) && this.troubles.push(message.text()),
    );
    page.on("pageerror", (error) => this.troubles.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => (this.troubles.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    page.on(
      "request",
      (request) =>
        /^(file|data|blob):/.test(request.url()) || this.troubles.push(`request of ${request.url()}`),
    );
  }

  static async open(browser, file, hash = "", more = {}) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...more });
    const opened = new Opened(page);
    const begin = performance.now();
    await page.goto(`file://${file}${hash && `#${hash}`}`);
    await page.waitForSelector(".view");
    opened.ms = performance.now() - begin;
    return opened;
  }

  async text(id) {
    return (await this.page.getByTestId(id).first().textContent()).trim();
  }

  /** Looks at every view in both themes, then closes. */
  async finish() {
    for (const tab of await this.page.getByRole("tab").all()) {
      await tab.click();
      await this.page.waitForSelector(".view .panel");
      await this.page.keyboard.press("t");
      await this.page.waitForTimeout(50);
    }
    assert.deepEqual(this.troubles, []);
    await this.page.close();
  }

  /** Text of the file that a click makes the page hand out. */
  async download(click) {
    const [download] = await Promise.all([this.page.waitForEvent("download"), click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  /** Cells of the rows of a table in the document. */
  async rows(name) {
    return this.page
      .getByRole("table", { name, exact: true })
      .first()
      .locator("tbody tr[data-row]")
      .evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  }
}

const scales = {
  s: 1,
  ms: 1e-3,
  µs: 1e-6,
  ns: 1e-9,
  "%": 0.01,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
};

/** "7.14 s" is near enough to 7.139: written with three digits. */
export function assertSays(text, value) {
  const [, number, unit] =
    /^[+±]? ?([−-]?[\d.,]+) ?([^\d\s]*)$/.exec(text.trim()) ?? assert.fail(`no number: '${text}'`);
  const said =
    Number(number.replace("−", "-").replaceAll(",", "")) *
    (unit ? (scales[unit] ?? assert.fail(`unknown unit in '${text}'`)) : 1);
  const step = unit === "%" ? 0.0006 : Math.max(Math.abs(value) * 0.0051, 1e-12);
  assert.ok(Math.abs(said - value) <= step, `'${text}' is not ${value}`);
}
