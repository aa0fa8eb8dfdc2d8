// The pages in real Chromium: frame, tab, standalone; two tabs; keyboard; cookies; an app team's own front end.
import { rmSync, mkdirSync } from "node:fs";
import { run } from "./suite.mjs";
import { binary, stopAll, withSandbox, withOwnFrontEnd } from "./instance.mjs";
import { launches } from "./steps/launches.mjs";
import { chart } from "./steps/chart.mjs";
import { refusals } from "./steps/refusals.mjs";
import { ownFrontEnd } from "./steps/own-front-end.mjs";
import { traces } from "./steps/traces.mjs";
import { operatorsConsole } from "./steps/console.mjs";

if (!binary) {
  console.error("SALLYPORT_BINARY must name the binary under test");
  process.exit(64);
}
const out = new URL("./out/", import.meta.url).pathname;
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

let passed = false;
try {
  const sandbox = await withSandbox();
  const own = await withOwnFrontEnd(sandbox.ehr);
  launches(sandbox);
  chart(sandbox, out);
  refusals(sandbox, out);
  ownFrontEnd(sandbox, own, out);
  traces(sandbox, out);
  operatorsConsole(sandbox, out);
  passed = await run();
} finally {
  await stopAll();
}
process.exit(passed ? 0 : 1);
