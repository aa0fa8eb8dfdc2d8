// An app team's own page at /app/{launch}/ with npm fhirclient, in a cross-site frame, against an EHR known by
// configuration alone.
import { join } from "node:path";
import { equal, holds, test } from "../suite.mjs";
import { launchInFrame, openChart } from "../ehr.mjs";

export function ownFrontEnd(sandbox, own, out) {
  test("npm fhirclient reads, pages, searches by POST and tells the version, with a cookie and no token", async (context) => {
    const page = await context.newPage();
    const asked = [];
    page.on("request", (request) => request.url().startsWith(own.app) && asked.push(request));
    await openChart(page, sandbox.ehr);
    const { frame } = await launchInFrame(page, { app: "own" });
    await frame.locator("body[data-done]").waitFor();
    const done = JSON.parse(await frame.locator("body").getAttribute("data-done"));
    holds(done.conditions > 2, `${done.conditions} conditions over several pages`);
    equal(done.observations, 3, "observations of a POST search");
    equal(await frame.locator("#version").innerText(), "FHIR 4.0.1", "the version");
    for (const request of asked) {
      holds(!(await request.allHeaders()).authorization, "no request of the page carries a token");
    }
    await page.screenshot({ path: join(out, "own-front-end.png") });
  });
}
