// The operators' console: in by a link, every page at every width, whose data it was only for a reason, out again.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { accessible, equal, holds, test } from "../suite.mjs";
import { admin as control, binary } from "../instance.mjs";

const WIDTHS = [320, 400, 800, 1440];

/** A link that signs somebody in, as whoever runs the house makes it. */
function link({ data_dir: folder }, name, role) {
  const args = ["console", "--data-dir", folder, "--name", name, "--role", role];
  return execFileSync(binary, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

async function signIn(context, instance, role) {
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(link(instance, `Olga ${role}`, role));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  return { page, problems };
}

/** Somebody has looked at a chart: there is something in the log. */
async function lookAtAChart(context, ehr) {
  const { launch_url: url } = await control(ehr, "launches", { client_id: "sallyport-chart", patient: "pat-0001" });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText(/data as of/).waitFor();
  await page.close();
}

/** The log is written behind the answer: the page is loaded until the record is there. */
async function untilRecorded(page, address) {
  for (let tries = 0; tries < 60; tries += 1) {
    await page.goto(address);
    if ((await page.locator("table.records tbody tr").count()) > 0) return;
    await page.waitForTimeout(250);
  }
  throw new Error(`no record at ${address}`);
}

export function operatorsConsole(sandbox, out) {
  const { app, ehr } = sandbox;

  test("a link signs in once, and without a session every page says how to get one", async (context) => {
    const page = await context.newPage();
    await page.goto(`${app}/console/audit`);
    await page.getByText("sallyport console --name").waitFor();
    await accessible(page, "nobody is signed in");
    const address = link(sandbox, "Olga viewer", "viewer");
    await page.goto(address);
    await page.getByText("The link signs in once").waitFor();
    await accessible(page, "the link");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    const cookies = (await context.cookies()).filter((cookie) => cookie.name === "__Host-console");
    equal(cookies.map((c) => [c.httpOnly, c.secure, c.sameSite]), [[true, true, "Lax"]], "the console's cookie");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("sallyport console --name").waitFor();
    await page.goto(address);
    await page.getByText("The sign-in link was used already").waitFor();
  });

  test("whose data a record is about is told to an auditor for a reason, and to an operator not at all", async (context) => {
    await lookAtAChart(context, ehr);
    const { page, problems } = await signIn(context, sandbox, "auditor");
    await untilRecorded(page, `${app}/console/audit?last=1h&kind=FHIR_CALL`);
    const text = () => page.locator("body").innerText();
    holds(!(await text()).includes("pat-0001"), "the log shows no patient");
    holds((await page.locator(".chip").count()) > 0, "it shows masks");
    await page.getByRole("link", { name: /Open the record/ }).first().click();
    await page.getByRole("heading", { name: "What belongs to it" }).waitFor();
    holds(!(await text()).includes("pat-0001"), "a record shows no patient");
    const record = page.url();
    await page.getByLabel("Why you need to know").fill("complaint 4711");
    await page.getByRole("button", { name: "Show whose data this was" }).click();
    await page.getByText("Recorded: you have seen whose data this was.").waitFor();
    holds((await text()).includes("pat-0001"), "now it does");
    await accessible(page, "an unmasked record");
    await untilRecorded(page, `${app}/console/audit?last=1h&kind=AUDIT_QUERY`);
    const seen = async () => /unmask[\s\S]*Olga auditor \(console\)/.test(await text());
    for (let tries = 0; tries < 60 && !(await seen()); tries += 1) {
      await page.waitForTimeout(250);
      await page.reload();
    }
    holds(await seen(), "that it was looked at stands in the log");
    equal(problems, [], "what the browser complained about");
    await page.getByRole("button", { name: "Sign out" }).click();
    const operator = await signIn(context, sandbox, "operator");
    await operator.page.goto(record);
    await operator.page.getByText("does not allow to see whose data this was").waitFor();
  });

  test("every page of the console is accessible and does not scroll sideways at any width, light and dark", async (context) => {
    await lookAtAChart(context, ehr);
    const { page, problems } = await signIn(context, sandbox, "security");
    await untilRecorded(page, `${app}/console/audit?last=1h&kind=FHIR_CALL`);
    const record = await page.getByRole("link", { name: /Open the record/ }).first().getAttribute("href");
    const pages = [
      ["overview", "/console"],
      ["audit", "/console/audit?last=1h"],
      ["record", record],
      ["reviews", "/console/audit/reviews"],
      ["disclosures", "/console/audit/disclosures"],
      ["jobs", "/console/jobs"],
      ["tenants", "/console/tenants"],
      ["incidents", "/console/incidents"],
      ["sessions", "/console/sessions"],
    ];
    for (const [name, path] of pages) {
      await page.goto(`${app}${path}`);
      holds((await page.locator("[role=alert]").count()) === 0, `${name} says that something failed: ${await page.locator("main").innerText()}`);
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 900 });
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          holds(overflow <= 0, `${name} ${scheme} ${width}px scrolls sideways by ${overflow}px`);
          await page.screenshot({ path: join(out, `console-${name}-${width}-${scheme}.png`), fullPage: true });
        }
        await accessible(page, `the console's ${name}, ${scheme}`);
      }
    }
    equal(problems, [], "what the browser complained about");
  });

  test("an incident is planned, done and read by keyboard alone", async (context) => {
    const { page } = await signIn(context, sandbox, "security");
    await page.goto(`${app}/console/incidents`);
    await page.getByLabel("What it covers").focus();
    await page.keyboard.type("A user");
    await page.keyboard.press("Tab");
    await page.keyboard.type("https://nobody.example nobody");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "What that hits" }).waitFor();
    await accessible(page, "what an incident hits");
    await page.getByLabel(/Why/).focus();
    await page.keyboard.type("a drill");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The same, signed" }).waitFor();
    await page.screenshot({ path: join(out, "console-incident-1440-light.png"), fullPage: true });
    await accessible(page, "an incident's report");
  });
}
