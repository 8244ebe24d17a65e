// Drives HighLevel's official Node SDK against the sandbox; see nodesdk_test.go.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import sdk from '@gohighlevel/api-client';

const { HighLevel } = sdk;
const env = process.env;
const { CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, COMPANY: companyId, LOCATION: locationId, PUBLIC_KEY: webhookPublicKey } = env;
const redirectUri = 'http://127.0.0.1:9/callback';

// The SDK has no option for its host: the API's is a static property, and the
// marketplace's one of the oauth service.
HighLevel.BASE_URL = env.SANDBOX;

function newClient(options = {}) {
  const client = new HighLevel({ clientId, clientSecret, webhookPublicKey, logLevel: 'none', ...options });
  client.oauth.MARKETPLACE_URL = env.SANDBOX;
  return client;
}

async function control(name, fields = {}) {
  const res = await fetch(`${env.CONTROL}/${name}`, { method: 'POST', body: new URLSearchParams(fields) });
  const text = await res.text();
  assert.equal(res.status, 200, `${name}: ${text}`);
  return text;
}

// pick does what a person does at the authorization page.
async function pick(client, ...choices) {
  const scope = 'contacts.readonly contacts.write locations.readonly oauth.readonly oauth.write';
  const url = client.oauth.getAuthorizationUrl(clientId, redirectUri, scope);
  assert.equal((await fetch(url)).status, 200, 'the authorization page opens');
  const res = await fetch(url, { method: 'POST', body: new URLSearchParams(choices), redirect: 'manual' });
  const back = new URL(res.headers.get('location'));
  assert.equal(back.origin + back.pathname, redirectUri);
  const token = await client.oauth.getAccessToken({
    client_id: clientId, client_secret: clientSecret, grant_type: 'authorization_code',
    code: back.searchParams.get('code'), user_type: choices[0][0] === 'company' ? 'Company' : 'Location', redirect_uri: redirectUri,
  });
  await client.getSessionStorage().setSession(token.locationId ?? token.companyId, token);
  return token;
}

const client = newClient();
const sessions = client.getSessionStorage();
const here = { headers: { locationId } };

async function step(name, run) {
  try {
    await run();
    console.log(`ok: ${name}`);
  } catch (err) {
    console.log(`FAILED: ${name}\n${err.stack}`);
    process.exit(1);
  }
}

// A receiver as the SDK's README shows it, on HTTP.
const received = [];
const verify = client.webhooks.subscribe();
const receiver = createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  req.rawBody = Buffer.concat(chunks);
  req.body = JSON.parse(req.rawBody);
  await verify(req, res, () => {});
  received.push({ type: req.body.type, event: req.body, raw: req.rawBody, signature: req.headers['x-ghl-signature'], valid: req.isSignatureValid, error: req.installTokenError });
  res.end();
});
await new Promise((ready) => receiver.listen(0, '127.0.0.1', ready));
await control('webhooks', { to: `http://127.0.0.1:${receiver.address().port}/` });

let contactId;

await step('authorization URL and code exchange', async () => {
  const token = await pick(client, ['location', locationId]);
  assert.equal(token.userType, 'Location');
  assert.equal(token.expires_in, 86399);
});

await step('a code works once', async () => {
  await assert.rejects(client.oauth.getAccessToken({
    client_id: clientId, client_secret: clientSecret, grant_type: 'authorization_code', code: 'used', user_type: 'Location',
  }), { statusCode: 401 });
});

await step('contacts', async () => {
  const { contact } = await client.contacts.createContact({ locationId, firstName: 'Zoë', lastName: '<Lee> & Co', email: 'zoe@lee.example', tags: ['New'] });
  contactId = contact.id;
  await client.contacts.updateContact({ contactId }, { phone: '+12125550123' }, here);
  const read = (await client.contacts.getContact({ contactId }, here)).contact;
  assert.equal(read.phone, '+12125550123');
  assert.equal(read.locationId, locationId);
  assert.deepEqual(read.tags, ['new']);
  const found = await client.contacts.searchContactsAdvanced({ locationId, pageLimit: 10 });
  assert.ok(found.contacts.some((c) => c.id === contactId));
  await assert.rejects(client.contacts.updateContact({ contactId }, { nonsense: 1 }, here), { statusCode: 422, code: 'VALIDATION' });
  await assert.rejects(client.contacts.getContact({ contactId: 'nobody' }, here), { statusCode: 400 });
});

await step('tasks', async () => {
  const { task } = await client.contacts.createTask({ contactId }, { title: 'Call', dueDate: '2026-12-01T10:00:00Z', completed: false }, here);
  await client.contacts.updateTask({ contactId, taskId: task.id }, { title: 'Call back' }, here);
  await client.contacts.updateTaskCompleted({ contactId, taskId: task.id }, { completed: true }, here);
  const { tasks } = await client.contacts.getAllTasks({ contactId }, here);
  assert.deepEqual(tasks.map((t) => [t.title, t.completed]), [['Call back', true]]);
  await client.contacts.deleteTask({ contactId, taskId: task.id }, here);
});

await step('notes', async () => {
  const { note } = await client.contacts.createNote({ contactId }, { body: 'Prefers mornings' }, here);
  await client.contacts.updateNote({ contactId, id: note.id }, { body: 'Prefers evenings' }, here);
  const { notes } = await client.contacts.getAllNotes({ contactId }, here);
  assert.deepEqual(notes.map((n) => n.body), ['Prefers evenings']);
  await client.contacts.deleteNote({ contactId, id: note.id }, here);
});

await step('tags', async () => {
  assert.deepEqual((await client.contacts.addTags({ contactId }, { tags: ['Buyer'] }, here)).tags, ['new', 'buyer']);
  assert.deepEqual((await client.contacts.removeTags({ contactId }, { tags: ['new'] }, here)).tags, ['buyer']);
});

await step('webhooks verify', async () => {
  await control('delivered');
  const types = new Set(received.map((r) => r.type));
  for (const type of ['ContactCreate', 'ContactUpdate', 'ContactTagUpdate', 'TaskCreate', 'TaskComplete', 'TaskDelete', 'NoteCreate', 'NoteUpdate', 'NoteDelete']) {
    assert.ok(types.has(type), `${type} is missing among ${[...types]}`);
  }
  for (const r of received) {
    assert.equal(r.valid, true, `${r.type} does not verify`);
    // Receivers that re-serialize the body work only because HighLevel writes as JSON.stringify does.
    assert.ok(client.webhooks.verifyEd25519Signature(JSON.stringify(r.event), r.signature, webhookPublicKey), `${r.type} does not verify after JSON.stringify`);
  }
  const { raw, signature } = received[0];
  assert.equal(client.webhooks.verifyEd25519Signature(Buffer.concat([raw, Buffer.from(' ')]), signature, webhookPublicKey), false, 'a changed body must not verify');
});

await step('an expired token is refreshed once, however many calls wait for it', async () => {
  const before = await sessions.getSession(locationId);
  await control('expire', { token: before.access_token });
  await Promise.all([1, 2, 3].map(() => client.contacts.getContact({ contactId }, here)));
  const after = await sessions.getSession(locationId);
  assert.notEqual(after.access_token, before.access_token);
  assert.notEqual(after.refresh_token, before.refresh_token);
  const again = await client.oauth.refreshToken(before.refresh_token, clientId, clientSecret, 'refresh_token', 'Location');
  assert.equal(again.refresh_token, after.refresh_token, 'within 30 s the same pair');
  await control('advance', { by: '31s' });
  await assert.rejects(client.oauth.refreshToken(before.refresh_token, clientId, clientSecret, 'refresh_token', 'Location'),
    { statusCode: 400, message: 'Invalid grant: refresh token is invalid' });
});

await step('a token is refreshed before it expires', async () => {
  const before = await sessions.getSession(locationId);
  await sessions.setSession(locationId, { ...before, expires_in: 10 });
  await client.contacts.getContact({ contactId }, here);
  assert.notEqual((await sessions.getSession(locationId)).access_token, before.access_token);
});

await step('the burst limit', async () => {
  await control('advance', { by: '10s' });
  let limited;
  for (let i = 0; i <= 40 && !limited; i++) {
    await client.contacts.getContact({ contactId }, here).catch((err) => { limited = err; });
  }
  assert.equal(limited?.code, 'RATE_LIMIT');
  assert.equal(limited.statusCode, 429);
  const { scope, intervalMs, max, remaining, dailyLimit } = limited.rateLimit;
  assert.deepEqual({ scope, intervalMs, max, remaining, dailyLimit }, { scope: 'burst', intervalMs: 10000, max: 40, remaining: 0, dailyLimit: 200 });

  const patient = newClient({ rateLimitRetry: { maxDelayMs: 1 } });
  await patient.getSessionStorage().setSession(locationId, await sessions.getSession(locationId));
  await control('free-after-429');
  assert.equal((await patient.contacts.getContact({ contactId }, here)).contact.id, contactId);
});

await step('the daily limit', async () => {
  let limited;
  for (let i = 0; i <= 200 && !limited; i++) {
    await client.contacts.getContact({ contactId }, here).catch((err) => { if (err.rateLimit?.scope === 'daily') limited = err; else throw err; })
      .catch((err) => { assert.equal(err.rateLimit?.scope, 'burst'); });
  }
  assert.equal(limited?.rateLimit.dailyRemaining, 0);
  await control('advance', { by: '25h' });
});

await step('an agency: its locations, their tokens, INSTALL and UNINSTALL', async () => {
  const company = await pick(client, ['company', companyId], ['location', locationId], ['future', 'true']);
  assert.equal(company.userType, 'Company');
  const installed = await client.oauth.getInstalledLocation({ companyId, appId: clientId.split('-')[0], isInstalled: true });
  assert.deepEqual(installed.locations.map((l) => l._id), [locationId]);
  const token = await client.oauth.getLocationAccessToken({ companyId, locationId });
  assert.equal(token.locationId, locationId);

  const later = await control('add-location');
  await control('delivered');
  const install = received.find((r) => r.type === 'INSTALL' && r.event.locationId === later);
  assert.equal(install?.valid, true);
  assert.equal(install.error, undefined);
  assert.ok(await sessions.getAccessToken(later), 'the SDK made a token of the new location');
  await control('uninstall', { place: later });
  await control('delivered');
  assert.equal(await sessions.getAccessToken(later), null, 'UNINSTALL took it away');
});

receiver.close();
receiver.closeAllConnections();
