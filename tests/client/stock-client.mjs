// A stock polkadot.js client, with no types of ours: reads a job and an invoice through runtime APIs, transfers, submits
// and cancels a job. Fails when the client warns about an unknown extension that carries data.
//
// usage: node stock-client.mjs WS_URL FINISHED_JOB

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import assert from 'node:assert/strict';
import { check, finish } from './check.mjs';

const [url, finishedJob] = process.argv.slice(2);

const complaints = [];
for (const level of ['warn', 'error']) {
  const original = console[level];
  console[level] = (...words) => { complaints.push(words.join(' ')); original(...words); };
}

const api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: false });
const keyring = new Keyring({ type: 'sr25519' });
const alice = keyring.addFromUri('//Alice');
const dave = keyring.addFromUri('//Dave');

// Sends a call and waits until its block is finalised; a dispatch error is thrown with its documentation.
function send(call, signer, options = {}) {
  return new Promise((resolve, reject) => {
    call.signAndSend(signer, options, ({ status, events, dispatchError }) => {
      if (dispatchError) {
        const meta = dispatchError.isModule ? api.registry.findMetaError(dispatchError.asModule) : { docs: [dispatchError.toString()] };
        reject(new Error(`${meta.section}.${meta.name}: ${meta.docs.join(' ')}`));
      } else if (status.isFinalized) {
        resolve(events.map(({ event }) => event));
      }
    }).catch(reject);
  });
}
const blake = (bytes) => api.registry.hash(bytes);

await check('the chain names its token', async () => {
  assert.deepEqual(api.registry.chainTokens, ['VE']);
  assert.deepEqual(api.registry.chainDecimals, [12]);
  assert.equal(api.registry.chainSS58, 42);
});

await check('no transaction extension with content is unknown to a stock client', async () => {
  const extrinsic = api.registry.metadata.extrinsic;
  const all = extrinsic.transactionExtensions ?? extrinsic.signedExtensions;
  assert.ok(all.length > 5, 'the metadata lists the extensions');
  const isEmpty = (id) => {
    const def = api.registry.lookup.getSiType(id).def;
    return (def.isTuple && def.asTuple.length === 0) || (def.isComposite && def.asComposite.fields.length === 0);
  };
  const unknown = complaints.flatMap((line) => /Unknown signed extensions (.*) found/.exec(line)?.[1].split(', ') ?? []);
  for (const name of unknown) {
    const extension = all.find((e) => e.identifier.toString() === name);
    const implicit = extension.additionalSigned ?? extension.implicit;
    assert.ok(isEmpty(extension.type) && isEmpty(implicit), `${name} carries data that the client does not know`);
  }
});

await check('a finished job is read through a runtime API', async () => {
  const job = (await api.call.hpcApi.job(finishedJob)).unwrap();
  assert.equal(job.customer.toString(), alice.address);
  assert.ok(job.state.isEnded, job.state.toString());
  const ledger = (await api.call.escrowApi.ledger(finishedJob)).unwrap();
  const sum = ['available', 'pending', 'credited', 'paid', 'refunded'].reduce((n, k) => n + ledger[k].toBigInt(), 0n);
  assert.equal(sum, ledger.deposited.toBigInt());
});

await check('an invoice and the proof of its first line are read through runtime APIs', async () => {
  const now = new Date();
  const month = now.getUTCFullYear() * 12 + now.getUTCMonth();
  const invoices = await api.call.billingApi.invoices(alice.address, month);
  assert.ok(invoices.length > 0, 'there is an invoice this month');
  const [key, invoice] = invoices[0];
  const lines = await api.call.billingApi.invoiceLines(key, 0);
  const total = lines.reduce((sum, line) => sum + (line.kind.isUsage ? line.amount.toBigInt() : 0n), 0n);
  assert.equal(total, invoice.total.toBigInt());
  const [line, proof] = (await api.call.billingApi.proveLine(key, 0)).unwrap();
  assert.equal(line.toHex(), lines[0].toHex());
  // The leaf, recomputed by somebody else's Blake2 and SCALE.
  const leaf = blake(new Uint8Array([0, ...lines[0].toU8a()]));
  let hash = leaf;
  for (const sibling of proof.siblings) hash = blake(new Uint8Array([1, ...hash, ...sibling.toU8a()]));
  if (proof.otherPeaks.length === 0) assert.equal(invoice.lines.peaks[0].toHex(), api.registry.createType('H256', hash).toHex());
});

await check('a transfer is finalised', async () => {
  const before = (await api.query.system.account(dave.address)).data.free.toBigInt();
  await send(api.tx.balances.transferKeepAlive(dave.address, 1_000_000_000_000n), alice);
  const after = (await api.query.system.account(dave.address)).data.free.toBigInt();
  assert.equal(after - before, 1_000_000_000_000n);
});

await check('a job is submitted and cancelled', async () => {
  const source = (await api.call.hpcApi.job(finishedJob)).unwrap();
  // The same request again: its payload is sealed to the same provider; its end has to lie in the future.
  const head = (await api.rpc.chain.getHeader()).number.toNumber();
  const request = { ...source.request.toJSON(), endBy: head + source.request.startWithin.toNumber() + source.request.walltime.toNumber() + 100 };
  const held = async () => (await api.query.system.account(alice.address)).data.reserved.toBigInt();
  const before = await held();
  const events = await send(api.tx.hpc.submit(request), alice);
  const job = events.find((e) => api.events.hpc.JobSubmitted.is(e)).data.job.toNumber();
  assert.ok((await held()) - before >= BigInt(request.ceiling), 'the ceiling is held');
  await send(api.tx.hpc.cancel(job), alice);
  assert.ok((await api.call.hpcApi.job(job)).unwrap().state.isEnded);
  const ledger = (await api.call.escrowApi.ledger(job)).unwrap();
  assert.equal(ledger.refunded.toBigInt(), ledger.deposited.toBigInt(), 'all of it came back');
});

await check('a refusal names the condition and the remedy', async () => {
  await assert.rejects(send(api.tx.hpc.cancel(999_999), alice), /hpc\.\w+: .+\./);
});

finish();
