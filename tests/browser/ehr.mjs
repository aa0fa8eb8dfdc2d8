// What a person does in the sandbox EHR's pages.
import { holds } from "./suite.mjs";

/** Signs in as the first clinician and opens a patient's chart by name or MRN. */
export async function openChart(page, ehr, search = "") {
  await page.goto(`${ehr}/`);
  await page.getByRole("link", { name: /Reyes/ }).click();
  if (search) {
    await page.getByRole("searchbox").fill(search);
    await page.getByRole("button", { name: "Search" }).click();
  }
  await page.locator("table tbody tr a").first().click();
}

/** Launches the app in a frame of the EHR's chart; the frame with the chart in it. */
export async function launchInFrame(page, options = {}) {
  await page.locator('select[name="client_id"]').selectOption(options.app ?? "sallyport-chart");
  await page.locator('button[name="mode"][value="frame"]').click();
  const frame = await page.locator('iframe[name="app"]').contentFrame();
  return { frame, handle: async () => page.frames().find((f) => f.name() === "app") };
}

/** Clicks through login, patient picker and consent of a standalone launch. */
export async function signInStandalone(page, { patient, deselect = [] }) {
  await page.locator('button[name="clinician"]').first().click();
  if (patient) await page.locator(`button[name="patient"][value="${patient}"]`).click();
  else await page.locator('button[name="patient"]').first().click();
  const encounter = page.locator('button[name="encounter"]').last();
  const allow = page.locator('button[name="decision"][value="approve"]');
  await encounter.or(allow).first().waitFor();
  if (await encounter.count()) await encounter.click();
  for (const scope of deselect) {
    const box = page.locator(`input[name="scope"][value^="${scope}"]`);
    holds((await box.count()) > 0, `the consent page offers ${scope}`);
    await box.first().uncheck();
  }
  await allow.click();
}
