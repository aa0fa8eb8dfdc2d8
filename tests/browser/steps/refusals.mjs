// Refusals a person can meet: visible in the EHR's frame, with a code, a sentence and a way on.
import { join } from "node:path";
import { accessible, holds, test } from "../suite.mjs";
import { admin } from "../instance.mjs";

export function refusals({ app, ehr }, out) {
  test("an unknown issuer is refused inside the frame of a registered EHR", async (context) => {
    const page = await context.newPage();
    await page.goto(`${ehr}/`);
    await page.evaluate((src) => {
      const frame = document.createElement("iframe");
      frame.name = "app";
      frame.src = src;
      frame.width = 500;
      frame.height = 500;
      document.body.append(frame);
    }, `${app}/launch/sandbox?iss=https%3A%2F%2Fehr.example%2Ffhir&launch=abc`);
    const frame = page.frameLocator('iframe[name="app"]');
    await frame.getByText("launch.issuer_unknown").waitFor();
    const inside = page.frames().find((f) => f.name() === "app");
    await accessible(inside, "a refusal");
    await page.screenshot({ path: join(out, "refusal-in-frame.png") });
  });

  test("a browser that keeps no cookie is offered a new window", async (context) => {
    const page = await context.newPage();
    // The EHR takes a moment to sign in; meanwhile the browser loses what it should have kept.
    const slow = { match: { kind: "oauth", path_prefix: "/strict/general/oauth/authorize" }, fault: "delay:2000", times: 1 };
    await admin(ehr, "faults", slow);
    const { launch_url: url } = await admin(ehr, "launches", { client_id: "sallyport-chart", patient: "pat-0001" });
    await page.goto(`${ehr}/`);
    await page.evaluate((src) => {
      const frame = document.createElement("iframe");
      frame.name = "app";
      frame.src = src;
      document.body.append(frame);
    }, url);
    await page.waitForTimeout(1000);
    await context.clearCookies();
    await page.frameLocator('iframe[name="app"]').getByRole("link", { name: /new window/i }).waitFor();
    await page.screenshot({ path: join(out, "cookie-blocked.png") });
  });

  test("a chart without its session says what to do", async (context) => {
    const page = await context.newPage();
    const answer = await page.goto(`${app}/chart/${"0".repeat(32)}/`);
    holds(answer.status() === 401 || answer.status() === 404, `status ${answer.status()}`);
    await accessible(page, "the page without a session");
    await page.screenshot({ path: join(out, "no-session.png") });
  });
}
