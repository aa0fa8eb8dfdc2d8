// A front end of your own at /app/{launch}/: it holds no token. The session says where FHIR is and whose chart it is;
// npm `fhirclient` does the rest, with the launch's cookie instead of a token.
const launch = location.pathname.split("/")[2];
const session = await (await fetch(`/session/${launch}`)).json();
const client = FHIR.client({ serverUrl: session.serverUrl, tokenResponse: session.tokenResponse });

const patient = await client.patient.read();
const name = patient.name[0];
document.querySelector("#name").textContent = `${name.family}, ${name.given.join(" ")}`;
document.querySelector("#version").textContent = `FHIR ${await client.getFhirVersion()}`;

const conditions = await client.request(`Condition?patient=${client.patient.id}&_count=2`, { pageLimit: 0, flat: true });
const found = await client.request({
  url: "Observation/_search",
  method: "POST",
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: new URLSearchParams({ patient: client.patient.id, category: "vital-signs", _count: "3" }).toString(),
});
for (const condition of conditions) {
  const item = document.createElement("li");
  item.textContent = condition.code?.text ?? condition.code?.coding?.[0]?.display ?? "Condition";
  document.querySelector("#conditions").append(item);
}
document.body.dataset.done = JSON.stringify({ conditions: conditions.length, observations: found.entry?.length ?? 0 });
