// A SMART EHR around an authorization server that nobody here wrote: npm `oidc-provider`, a certified OpenID provider,
// with what SMART adds (aud, launch, patient) said through its own extension points, and a small FHIR server beside it.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

export const PATIENT = "eq081-VQEgP8drUUqCWzHfw3";
const FHIR = "/api/FHIR/R4";
const TYPES = ["Patient", "Condition", "MedicationRequest", "AllergyIntolerance", "Observation", "Encounter", "DocumentReference"];
const SCOPES = ["openid", "fhirUser", "launch", "launch/patient", ...TYPES.flatMap((t) => [`patient/${t}.rs`, `patient/${t}.read`])];

/** Starts the HTTP server; `open(clients)` makes the provider once the app's addresses are known. */
export async function startEhr() {
  const seen = [];
  let provider;
  const http = createServer((request, response) => {
    const path = request.url.split("?")[0];
    seen.push({ method: request.method, path });
    if (path === `${FHIR}/.well-known/smart-configuration`) return json(response, 200, configuration(http.origin));
    if (path.startsWith(FHIR)) return void fhir(provider, http.origin, request, response);
    if (!provider) return json(response, 503, {});
    return provider.callback()(request, response);
  });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  http.origin = `http://127.0.0.1:${http.address().port}`;
  return {
    base: http.origin + FHIR,
    seen,
    open: (clients) => { provider = makeProvider(http.origin, clients); },
    close: () => http.close(),
  };
}

function configuration(origin) {
  return {
    issuer: origin,
    jwks_uri: `${origin}/jwks`,
    authorization_endpoint: `${origin}/auth`,
    token_endpoint: `${origin}/token`,
    revocation_endpoint: `${origin}/token/revocation`,
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    code_challenge_methods_supported: ["S256"],
    grant_types_supported: ["authorization_code"],
    scopes_supported: SCOPES,
    authorization_response_iss_parameter_supported: true,
    capabilities: ["launch-ehr", "launch-standalone", "client-public", "client-confidential-symmetric",
      "client-confidential-asymmetric", "sso-openid-connect", "context-ehr-patient", "context-standalone-patient",
      "permission-patient", "permission-v2"],
  };
}

function makeProvider(origin, clients) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(origin, {
    clients,
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
    cookies: { keys: ["a key of this test"] },
    scopes: SCOPES,
    claims: { openid: ["sub"], fhirUser: ["fhirUser"] },
    conformIdTokenClaims: false,
    extraParams: ["aud", "launch"],
    pkce: { required: () => true },
    features: { revocation: { enabled: true }, devInteractions: { enabled: true } },
    enabledJWA: { clientAuthSigningAlgValues: ["ES384", "RS384"] },
    // Its own default refuses loopback addresses, where the app under test publishes its keys.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, Interaction: 600, Session: 3600, IdToken: 300 },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, fhirUser: `${origin}${FHIR}/Practitioner/${id}` }) }),
  });
  // SMART 2.2, token response: the launch context stands beside the tokens.
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/token" && ctx.status === 200) {
      ctx.body = { ...ctx.body, patient: PATIENT, need_patient_banner: true, "x-context": { unit: 7 } };
    }
  });
  return provider;
}

async function fhir(provider, origin, request, response) {
  const token = request.headers.authorization?.replace(/^Bearer /, "");
  const known = token && provider && (await provider.AccessToken.find(token));
  if (!known) {
    response.writeHead(401, { "content-type": "text/plain", "www-authenticate": "Bearer" });
    return response.end("401 Unauthorized");
  }
  const url = new URL(request.url, origin);
  const [type, id] = url.pathname.slice(FHIR.length + 1).split("/");
  const all = type === "Patient" ? [patient()] : type === "Condition" ? [condition()] : [];
  if (id) {
    const found = all.find((resource) => resource.id === id);
    return found ? json(response, 200, found, "application/fhir+json") : json(response, 404, { resourceType: "OperationOutcome" });
  }
  const entry = all.map((resource) => ({ fullUrl: `${origin}${FHIR}/${type}/${resource.id}`, resource, search: { mode: "match" } }));
  const link = [{ relation: "self", url: url.href }];
  return json(response, 200, { resourceType: "Bundle", type: "searchset", total: entry.length, link, entry }, "application/fhir+json");
}

const patient = () => ({ resourceType: "Patient", id: PATIENT, name: [{ use: "official", family: "Lin", given: ["Derrick"] }], birthDate: "1973-06-03", gender: "male" });

const condition = () => ({
  resourceType: "Condition",
  id: "c1",
  clinicalStatus: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-clinical", code: "active" }] },
  category: [{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/condition-category", code: "problem-list-item" }] }],
  code: { coding: [{ system: "http://snomed.info/sct", code: "195967001", display: "Asthma" }], text: "Asthma" },
  subject: { reference: `Patient/${PATIENT}` },
});

function json(response, status, body, type = "application/json") {
  response.writeHead(status, { "content-type": type });
  response.end(JSON.stringify(body));
}
