// The chart itself: what it shows, by keyboard, at every width, light and dark.
import { join } from "node:path";
import { accessible, equal, holds, test } from "../suite.mjs";
import { admin } from "../instance.mjs";

async function open(context, ehr, patient, more = {}) {
  const { launch_url: url } = await admin(ehr, "launches", { client_id: "sallyport-chart", patient, ...more });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(url);
  await page.getByText(/data as of|no record was found/).waitFor();
  if (patient === "pat-0001") await page.getByRole("heading", { name: /Problems \(\d/ }).waitFor();
  return { page, problems };
}

export function chart({ app, ehr }, out) {
  test("the chart shows who, which EHR and data as of when, without a script error", async (context) => {
    const { page, problems } = await open(context, ehr, "pat-0001");
    for (const said of [/data as of/, /Sandbox EHR/, /Signed in.*Reyes/]) {
      holds((await page.getByText(said).locator("visible=true").count()) > 0, `the page says ${said}`);
    }
    equal(problems, [], "script errors");
  });

  test("every width, light and dark, is accessible and does not scroll sideways", async (context) => {
    const { page } = await open(context, ehr, "pat-0001");
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const width of [320, 400, 800, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        holds(overflow <= 0, `${scheme} ${width}px scrolls sideways by ${overflow}px`);
        await page.screenshot({ path: join(out, `chart-${width}-${scheme}.png`), fullPage: true });
      }
      await accessible(page, `the chart, ${scheme}`);
    }
  });

  test("every page of the chart is accessible", async (context) => {
    const { page } = await open(context, ehr, "pat-0001");
    const links = await page.locator("nav a[href]").evaluateAll((all) => all.map((a) => a.href));
    holds(links.length >= 5, `${links.length} pages`);
    for (const link of [...new Set(links)].filter((l) => l.startsWith(`${app}/chart/`))) {
      await page.goto(link);
      await accessible(page, new URL(link).pathname.split("/").at(-1) || "summary");
    }
  });

  test("the keyboard alone reaches a value's source and opens it", async (context) => {
    const { page } = await open(context, ehr, "pat-0001");
    let opened = false;
    for (let presses = 0; presses < 80 && !opened; presses += 1) {
      await page.keyboard.press("Tab");
      const focus = await page.evaluate(() => {
        const at = document.activeElement;
        const box = at.getBoundingClientRect();
        const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        return { tag: at.tagName, hidden: !(top === null || at.contains(top) || top.contains(at)) };
      });
      holds(!focus.hidden, `the focus on ${focus.tag} is hidden under something`);
      if (focus.tag === "SUMMARY") {
        await page.keyboard.press("Enter");
        opened = await page.evaluate(() => document.activeElement.closest("details")?.open === true);
      }
    }
    holds(opened, "a source was opened by keyboard");
  });

  test("a launch with another EHR's banner keeps one line that identifies the patient", async (context) => {
    const { page } = await open(context, ehr, "pat-0001", { need_patient_banner: false });
    const line = await page.locator("header.top").first();
    holds(/ORTEGA/.test(await page.locator("p.name").innerText()), "the name stays");
    const height = await line.evaluate((at) => at.getBoundingClientRect().height);
    holds(height <= 60 && height >= 24, `the line is ${height}px high`);
    holds(await page.getByText(/MRN/).first().isVisible(), "the MRN stays");
  });

  test("long, right-to-left and crowded charts keep their shape", async (context) => {
    const patients = await admin(ehr, "patients");
    for (const patient of patients.slice(0, 20)) {
      const { page } = await open(context, ehr, patient.id);
      await page.setViewportSize({ width: 400, height: 900 });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      holds(overflow <= 0, `patient ${patient.id} scrolls sideways by ${overflow}px at 400px`);
      await page.close();
    }
  });
}
