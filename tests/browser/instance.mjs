// Starts and stops instances of the binary under test, on free ports and in folders of their own.
import { spawn, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
export const binary = process.env.SALLYPORT_BINARY;
const FHIRCLIENT = "fhirclient@2.6.3";

const running = [];

export async function start(folder, args) {
  const readyFile = join(folder, "ready.json");
  const log = openSync(join(folder, "log.jsonl"), "a");
  const child = spawn(binary, ["up", "--listen", "localhost:0", "--data-dir", join(folder, "data"), "--ready-file", readyFile, ...args], {
    stdio: ["ignore", "ignore", log],
  });
  const instance = { child, folder };
  running.push(instance);
  for (let tries = 0; tries < 300; tries += 1) {
    if (existsSync(readyFile)) return { ...instance, ...JSON.parse(readFileSync(readyFile, "utf8")) };
    if (child.exitCode !== null) throw new Error(`the binary ended with ${child.exitCode}: ${readFileSync(join(folder, "log.jsonl"), "utf8")}`);
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("the instance did not become ready");
}

/** The app with its sandbox EHR, as `sallyport up` starts it. */
export async function withSandbox() {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-browser-"));
  return start(folder, ["--ehr-listen", "127.0.0.1:0"]);
}

/** A second instance whose EHR is known by configuration alone, and whose app entry opens a page of its own. */
export async function withOwnFrontEnd(ehr) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-own-"));
  const pages = join(folder, "pages");
  cpSync(join(here, "../../examples/own-front-end"), pages, { recursive: true });
  execFileSync("npm", ["pack", FHIRCLIENT, "--silent", "--pack-destination", folder], { cwd: folder });
  execFileSync("tar", ["-xzf", join(folder, "fhirclient-2.6.3.tgz"), "-C", folder]);
  cpSync(join(folder, "package/build/fhir-client.pure.min.js"), join(pages, "fhir-client.js"));
  const tenants = join(folder, "data/tenants");
  mkdirSync(tenants, { recursive: true });
  writeFileSync(join(tenants, "own.toml"), tenantFile(ehr, pages));
  writeFileSync(join(folder, "config.toml"), "[sandbox_ehr]\nenabled = false\n");
  const own = await start(folder, ["--config", join(folder, "config.toml")]);
  const client = {
    client_id: "own",
    name: "An app of our own",
    launch_url: `${own.app}/launch/own`,
    redirect_uris: [`${own.app}/callback/own`],
    auth: { type: "public" },
    scopes: ["launch", "launch/patient", "openid", "fhirUser", "online_access", "patient/*.rs"],
  };
  await admin(ehr, "clients", client);
  return own;
}

function tenantFile(ehr, pages) {
  return `[tenant]
id = "own"
name = "Own Front End"
environment = "sandbox"
time_zone = "UTC"

[[endpoint]]
id = "main"
name = "Sandbox EHR"
vendor = "sandbox"
fhir_base = "${ehr}/strict/general/fhir"
issuer = "${ehr}/strict/general/oauth"
authorize_origins = ["${ehr}"]
token_origins = ["${ehr}"]
jwks_origins = ["${ehr}"]
frame_ancestors = ["${ehr}"]

[[registration]]
id = "own"
endpoint = "main"
app = "own"
client_id = "own"
auth = "public"
launches = ["ehr", "standalone"]

[[app]]
id = "own"
name = "An app of our own"
features = ["patient-summary"]
default_feature = "patient-summary"
folder = "${pages}"

[policy]
jurisdiction = "US"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
`;
}

export async function admin(ehr, path, body) {
  const answer = await fetch(`${ehr}/_admin/${path}`, body ? { method: "POST", body: JSON.stringify(body) } : {});
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

export async function stopAll() {
  for (const { child, folder } of running) {
    if (child.exitCode === null) {
      child.kill("SIGTERM");
      await new Promise((done) => child.once("exit", done));
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
