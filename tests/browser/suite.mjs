// A list of named tests, run one after the other, each with a fresh browser profile.
import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const tests = [];

export function test(name, body) {
  tests.push({ name, body });
}

export function equal(seen, expected, what) {
  if (JSON.stringify(seen) !== JSON.stringify(expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}`);
  }
}

export function holds(condition, what) {
  if (!condition) throw new Error(what);
}

/** axe-core finds nothing (WCAG 2.2 AA) in a page or frame. */
export async function accessible(frame, where) {
  const violations = await frame.evaluate(`${axe}
    ;(async () => {
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const report = await axe.run(document, { runOnly: { type: "tag", values: tags } });
      return report.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(" | "));
    })()`);
  equal(violations, [], `axe-core on ${where}`);
}

export async function run() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  let failed = 0;
  for (const { name, body } of tests) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(20_000);
    try {
      await body(context);
      console.log(`ok    ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n      ${error.stack ?? error}`);
    } finally {
      await context.close();
    }
  }
  await browser.close();
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  return failed === 0 && tests.length > 0;
}
