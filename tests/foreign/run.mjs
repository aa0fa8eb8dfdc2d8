// The built binary against an EHR that nobody here wrote, by `sallyport add-endpoint` alone: each way to authenticate,
// both kinds of launch, the chart, and the withdrawal at the EHR on logout. Needs SALLYPORT_BINARY and `npm ci`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENT, startEhr } from "./server.mjs";
import { Person } from "./person.mjs";

const binary = process.env.SALLYPORT_BINARY;
if (!binary) {
  console.error("SALLYPORT_BINARY must name the binary under test");
  process.exit(64);
}
const SECRET = "a-secret-of-forty-characters-0123456789a";
const WAYS = [
  { tenant: "public", auth: "public" },
  { tenant: "basic", auth: "client_secret_basic" },
  { tenant: "post", auth: "client_secret_post" },
  { tenant: "es384", auth: "private_key_jwt", algorithm: "ES384" },
  { tenant: "rs384", auth: "private_key_jwt", algorithm: "RS384" },
];

const folder = mkdtempSync(join(tmpdir(), "sallyport-foreign-"));
const data = join(folder, "data");
const ehr = await startEhr();
let child;
let failed = 0;
try {
  writeFileSync(join(folder, "secret"), SECRET);
  for (const way of WAYS) await register(way);
  const instance = await start();
  ehr.open(WAYS.map((way) => client(way, instance.app)));
  for (const way of WAYS) {
    for (const kind of ["ehr", "standalone"]) await check(`${way.auth} ${way.algorithm ?? ""} ${kind}`, () => launch(instance, way, kind));
  }
} finally {
  child?.kill("SIGTERM");
  ehr.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

async function check(name, work) {
  try {
    await work();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n      ${error.message}`);
  }
}

function register(way) {
  const args = ["add-endpoint", ehr.base, "--client-id", `app-${way.tenant}`, "--auth", way.auth, "--tenant", way.tenant,
    "--environment", "sandbox", "--data-dir", data, "--yes"];
  if (way.auth.startsWith("client_secret")) args.push("--secret-file", join(folder, "secret"));
  if (way.algorithm) args.push("--algorithm", way.algorithm);
  return new Promise((done, fail) => {
    const running = spawn(binary, args, { stdio: ["ignore", "ignore", "inherit"] });
    running.on("exit", (code) => (code === 0 ? done() : fail(new Error(`add-endpoint ended with ${code}`))));
  });
}

function client(way, app) {
  const method = { public: "none" }[way.auth] ?? way.auth;
  return {
    client_id: `app-${way.tenant}`,
    application_type: "native",
    redirect_uris: [`${app}/callback/${way.tenant}`],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: method,
    ...(method.startsWith("client_secret") && { client_secret: SECRET }),
    ...(way.algorithm && { jwks_uri: `${app}/.well-known/jwks.json`, token_endpoint_auth_signing_alg: way.algorithm }),
  };
}

async function start() {
  const ready = join(folder, "ready.json");
  writeFileSync(join(folder, "config.toml"), "[sandbox_ehr]\nenabled = false\n");
  const log = openSync(join(folder, "log.jsonl"), "a");
  const args = ["up", "--listen", "localhost:0", "--data-dir", data, "--config", join(folder, "config.toml"), "--ready-file", ready];
  child = spawn(binary, args, { stdio: ["ignore", "ignore", log] });
  for (let tries = 0; tries < 600; tries += 1) {
    if (existsSync(ready)) return JSON.parse(readFileSync(ready, "utf8"));
    assert.equal(child.exitCode, null, `the binary ended: ${readFileSync(join(folder, "log.jsonl"), "utf8").slice(-2000)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("the instance did not become ready");
}

async function launch(instance, way, kind) {
  const person = new Person();
  const query = kind === "ehr" ? `?${new URLSearchParams({ iss: ehr.base, launch: "a/launch+token=" })}` : "";
  const chart = await person.walk(`${instance.app}/launch/${way.tenant}${query}`, instance.app);
  const handle = /\/chart\/([0-9a-f]{32})\//.exec(chart.url)?.[1];
  assert.ok(chart.status === 200 && handle, `it ended at ${new URL(chart.url).pathname} with ${chart.status}: ${words(chart.text)}`);
  assert.match(chart.text, /lin/i, "the chart names the patient");
  const patient = await person.call(`${instance.app}/fhir/${handle}/Patient/${PATIENT}`);
  assert.equal(patient.status, 200, patient.text);
  assert.equal(JSON.parse(patient.text).id, PATIENT);
  const problems = await person.call(`${instance.app}/api/${handle}/v1/chart/problems`);
  assert.match(problems.text, /Asthma/);
  const session = JSON.parse((await person.call(`${instance.app}/session/${handle}`)).text);
  assert.match(session.user.fhirUser, /\/Practitioner\/dr-osei$/);
  const revocations = () => ehr.seen.filter((r) => r.path === "/token/revocation").length;
  const before = revocations();
  const out = await person.call(`${instance.app}/session/${handle}/logout`, { method: "POST", headers: { "x-sallyport-call": "1" } });
  assert.equal(out.status, 200, out.text);
  const after = await person.call(`${instance.app}/fhir/${handle}/Patient/${PATIENT}`);
  assert.equal(after.status, 401, "after logout nothing is answered");
  for (let tries = 0; tries < 200 && revocations() === before; tries += 1) await new Promise((done) => setTimeout(done, 50));
  assert.ok(revocations() > before, "the EHR was told of the logout");
}

function words(html) {
  return html.replace(/<style[\s\S]*?<\/style>/g, "").replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").slice(0, 300);
}
