// A person with a browser: a cookie jar per host, redirects, and forms filled in as asked.
import { request } from "node:http";

export class Person {
  jar = new Map();

  /** One request; `Secure` cookies travel to localhost as browsers let them. */
  send(url, { method = "GET", headers = {}, body = "" } = {}) {
    const target = new URL(url);
    const cookies = [...(this.jar.get(target.host) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
    const all = { ...headers, ...(cookies && { cookie: cookies }), ...(body && { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) }) };
    return new Promise((done, failed) => {
      const sent = request(target, { method, headers: all }, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("end", () => {
          this.#keep(target.host, response.headers["set-cookie"] ?? []);
          const location = response.headers.location && new URL(response.headers.location, target).href;
          done({ url: target.href, status: response.statusCode, headers: response.headers, location, text: Buffer.concat(parts).toString() });
        });
      });
      sent.on("error", failed);
      sent.end(body);
    });
  }

  #keep(host, lines) {
    const own = this.jar.get(host) ?? new Map();
    for (const line of lines) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const gone = attributes.some((a) => /^max-age=0$/i.test(a)) || attributes.some((a) => /^expires=Thu, 01 Jan 1970/i.test(a));
      if (gone) own.delete(name); else own.set(name, value);
    }
    this.jar.set(host, own);
  }

  /** Walks until a page that asks for nothing. */
  async walk(url, origin) {
    const navigate = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", accept: "text/html" };
    let page = await this.send(url, { headers: navigate });
    for (let steps = 0; steps < 20; steps += 1) {
      if (page.location) page = await this.send(page.location, { headers: navigate });
      else if (page.status === 200 && !page.url.startsWith(origin) && page.text.includes("<form")) page = await this.#fill(page, navigate);
      else return page;
    }
    throw new Error("the walk does not end");
  }

  #fill(page, headers) {
    const form = /<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(page.text);
    const body = new URLSearchParams();
    for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
      const name = /name="([^"]*)"/.exec(input)?.[1];
      if (name) body.append(name, /value="([^"]*)"/.exec(input)?.[1] ?? "dr-osei");
    }
    return this.send(new URL(form[1].replaceAll("&amp;", "&"), page.url).href, { method: "POST", headers, body: body.toString() });
  }

  /** A call of the app's own page. */
  call(url, options = {}) {
    return this.send(url, { ...options, headers: { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", accept: "application/json, application/fhir+json", ...options.headers } });
  }
}
