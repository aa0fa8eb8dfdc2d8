// Launching as EHRs do: in a frame of another site, in a tab, standalone; two tabs with two patients.
import { accessible, equal, holds, test } from "../suite.mjs";
import { admin } from "../instance.mjs";
import { launchInFrame, openChart, signInStandalone } from "../ehr.mjs";

export function launches({ app, ehr }) {
  test("the chart opens in a cross-site frame and its cookie is partitioned by the EHR's site", async (context) => {
    const page = await context.newPage();
    await openChart(page, ehr);
    const { frame } = await launchInFrame(page);
    await frame.getByRole("heading", { name: /Problems \(\d/ }).waitFor();
    const cookies = await context.cookies();
    const own = cookies.filter((c) => c.name.startsWith("__Host-s-"));
    equal(own.length, 1, "session cookies");
    equal(own[0].partitionKey, "http://127.0.0.1", "the cookie's partition");
    holds(own[0].httpOnly && own[0].secure && own[0].sameSite === "None", "HttpOnly, Secure, SameSite=None");
    await accessible(page.frames().find((f) => f.name() === "app"), "the chart in a frame");
  });

  test("the chart opens in a tab", async (context) => {
    const page = await context.newPage();
    await openChart(page, ehr);
    await page.locator('select[name="client_id"]').selectOption("sallyport-chart");
    const [tab] = await Promise.all([context.waitForEvent("page"), page.locator('button[name="mode"][value="tab"]').click()]);
    await tab.getByRole("heading", { name: /Problems \(\d/ }).waitFor();
    holds(tab.url().startsWith(`${app}/chart/`), "the tab shows the chart");
  });

  test("a standalone launch picks the patient on the EHR's pages", async (context) => {
    const page = await context.newPage();
    await page.goto(`${app}/launch/sandbox`);
    await signInStandalone(page, {});
    await page.getByRole("heading", { name: /Problems \(\d/ }).waitFor();
  });

  test("a scope that the person deselects turns off only what needs it, and the page says so", async (context) => {
    const page = await context.newPage();
    await page.goto(`${app}/launch/sandbox`);
    await signInStandalone(page, { deselect: ["patient/AllergyIntolerance"] });
    await page.getByRole("heading", { name: /Problems \(\d/ }).waitFor();
    await page.getByText(/not requested|permission not granted/i).first().waitFor();
  });

  test("two tabs with two patients stay apart", async (context) => {
    const patients = await admin(ehr, "patients");
    const names = [];
    for (const patient of patients.slice(0, 2)) {
      const { launch_url: url } = await admin(ehr, "launches", { client_id: "sallyport-chart", patient: patient.id });
      const tab = await context.newPage();
      await tab.goto(url);
      await tab.locator("p.name").waitFor();
      names.push({ tab, name: await tab.locator("p.name").innerText() });
    }
    holds(names[0].name !== names[1].name, "two patients");
    for (const { tab, name } of names) {
      await tab.reload();
      await tab.locator("p.name").waitFor();
      equal(await tab.locator("p.name").innerText(), name, "the name after a reload");
    }
  });
}
