// The process's own traces as pages: a launch and a chart can be followed from the click to the EHR, at every width.
import { join } from "node:path";
import { accessible, equal, holds, test } from "../suite.mjs";
import { admin as control } from "../instance.mjs";

const WIDTHS = [320, 400, 800, 1440];

/** Launches into the chart, as a person does; the launch's id. */
async function launch(context, ehr) {
  const { launch_url: url } = await control(ehr, "launches", { client_id: "sallyport-chart", patient: "pat-0001" });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText(/data as of|no record was found/).waitFor();
  const id = new URL(page.url()).pathname.split("/")[2];
  await page.close();
  return id;
}

/** Names in the order of the page, each with the names of its ancestors. */
async function chains(page) {
  return page.locator(".waterfall li").evaluateAll((items) =>
    items.map((item) => {
      const names = [];
      for (let at = item; at; at = at.parentElement.closest("li")) names.unshift(at.querySelector(".name b").textContent);
      return names.join(" > ");
    }),
  );
}

/** The chain holds the given names in this order, others may stand between. */
function follows(found, names) {
  const pattern = new RegExp(names.map((name) => `${name}[^>]*`).join("(?:> .*)?> "));
  holds(found.some((chain) => pattern.test(chain)), `${names.join(" > ")} in\n${found.join("\n")}`);
}

export function traces({ ehr, admin }, out) {
  test("a launch is one trace from the click over the vault to the EHR's token endpoint", async (context) => {
    const id = await launch(context, ehr);
    const page = await context.newPage();
    await page.goto(`${admin}/traces?launch=${id}&name=launch-auth.callback`);
    await page.locator("tbody a").first().click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    const found = await chains(page);
    // What the EHR says of itself may come from memory by now; the rest of the way is the same each time.
    follows(found, ["http.server.request", "launch-auth.launch.start"]);
    follows(found, ["http.server.request", "launch-auth.launch.start", "launch-auth.callback.finish", "rpc.client.call", "rpc.server.call", "token-vault.exchange.redeem", "egress.http.request"]);
  });

  test("a chart's call is one trace from the page over the gateway to the EHR", async (context) => {
    const id = await launch(context, ehr);
    const page = await context.newPage();
    await page.goto(`${admin}/traces?launch=${id}&name=fhir-gateway.call.search`);
    await page.locator("tbody a").first().click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    follows(await chains(page), ["http.server.request", "rpc.client.call", "rpc.server.call", "fhir-gateway.call.search", "egress.http.request"]);
    await page.getByRole("heading", { name: "Related traces" }).waitFor();
    await page.locator(".waterfall summary").nth(1).click();
    holds((await page.locator("details[open] dt").count()) > 2, "a span's fields open");
  });

  test("the request that brought the answer leads to its launch", async (context) => {
    await launch(context, ehr);
    const page = await context.newPage();
    await page.goto(`${admin}/traces?name=${encodeURIComponent("GET /callback/{registration}")}`);
    await page.locator("tbody a").first().click();
    const related = page.locator("tbody tr", { hasText: "GET /launch/{registration}" });
    await related.first().waitFor();
  });

  test("the list is narrowed by its form, which stands in the address", async (context) => {
    const page = await context.newPage();
    await page.goto(`${admin}/traces`);
    await page.getByLabel("Name or route").fill("launch-auth.callback");
    await page.getByLabel("At least, ms").fill("1");
    await page.getByRole("button", { name: "Show" }).click();
    holds(page.url().includes("name=launch-auth.callback") && page.url().includes("min_ms=1"), page.url());
    holds((await page.locator("tbody tr").count()) > 0, "launches are listed");
    await page.getByLabel("At least, ms").fill("900000");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("No trace fits.").waitFor();
    await accessible(page, "an empty list");
  });

  test("the pages of traces are accessible and do not scroll sideways at any width", async (context) => {
    const id = await launch(context, ehr);
    const page = await context.newPage();
    const problems = [];
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    await page.goto(`${admin}/traces?launch=${id}&name=fhir-gateway.call.search`);
    const chart = await page.locator("tbody a").first().getAttribute("href");
    await page.goto(`${admin}/traces?launch=${id}&name=launch-auth.callback`);
    const launched = await page.locator("tbody a").first().getAttribute("href");
    for (const [name, path] of [["traces", "/traces"], ["trace-launch", launched], ["trace-chart", chart]]) {
      await page.goto(`${admin}${path}`);
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 900 });
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          holds(overflow <= 0, `${path} ${scheme} ${width}px scrolls sideways by ${overflow}px`);
          await page.screenshot({ path: join(out, `${name}-${width}-${scheme}.png`), fullPage: name !== "traces" });
          await accessible(page, `${path}, ${scheme}, ${width}px`);
        }
      }
    }
    equal(problems, [], "what the browser complained about");
  });
}
