// A backend for a front end as it is usually written: the session in Redis, the EHR's token encrypted in it, decrypted
// for each call and attached by a proxying middleware. It checks nothing and records nothing.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { createClient } from 'redis';

const key = randomBytes(32);

function seal(text) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

function open(text) {
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
}

const store = createClient({ url: process.env.STORE });
await store.connect();

const app = express();
app.disable('x-powered-by');
app.use(session({
  store: new RedisStore({ client: store }),
  secret: randomBytes(32).toString('hex'),
  resave: false,
  saveUninitialized: false,
}));
app.get('/login', (request, response) => {
  request.session.token = seal('synthetic-token-'.repeat(60));
  request.session.patient = 'bench-patient-1';
  response.send('signed in');
});
app.use('/fhir', (request, response, next) => {
  if (!request.session.token) return response.status(401).end();
  request.bearer = open(request.session.token);
  next();
}, createProxyMiddleware({
  target: `${process.env.EHR}/fhir`,
  agent: new Agent({ keepAlive: true, maxSockets: 64 }),
  on: { proxyReq: (out, request) => out.setHeader('authorization', `Bearer ${request.bearer}`) },
}));

const server = app.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ address: `127.0.0.1:${server.address().port}`, beside: null }));
});
