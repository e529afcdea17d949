// A smoldot light client, as a browser would run it: from the raw chain spec and one bootnode on a WebSocket it follows
// finalised blocks, asks runtime APIs with proofs, and sends a transaction. A full node is asked the same only to compare.
//
// usage: node light-client.mjs RPC_URL LISTEN_ADDRESS RAW_CHAIN_SPEC FINISHED_JOB

import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { start } from 'smoldot';
import { check as named, finish } from './check.mjs';

const [url, address, specFile, finishedJob] = process.argv.slice(2);
const log = [];
const check = (what, body) => named(what, body, () => ['smoldot says:', ...log.slice(-20)]);

const full = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true });
const client = start({ forbidTcp: true, logCallback: (level, target, message) => log.push(`${level} ${target}: ${message}`) });

// The chain, and what it sends: answers by request, notifications by subscription.
let chain;
let follow;
const answers = new Map();
const seen = { finalised: [], operations: new Map(), transactions: [] };
const waiting = [];

function receive({ id, error, result, method, params }) {
  if (id !== undefined) {
    const { resolve, reject } = answers.get(id);
    answers.delete(id);
    return error ? reject(new Error(error.message)) : resolve(result);
  }
  const event = params.result;
  if (method === 'transactionWatch_v1_watchEvent') seen.transactions.push(event);
  else if (['initialized', 'finalized'].includes(event.event)) seen.finalised.push(...event.finalizedBlockHashes);
  else if (event.operationId) seen.operations.set(event.operationId, event);
  waiting.splice(0).forEach((wake) => wake());
}
async function until(probe) {
  for (;;) {
    const value = probe();
    if (value) return value;
    await new Promise((wake) => waiting.push(wake));
  }
}
let requests = 0;
function request(method, ...params) {
  requests += 1;
  const answer = new Promise((resolve, reject) => answers.set(requests, { resolve, reject }));
  chain.sendJsonRpc(JSON.stringify({ jsonrpc: '2.0', id: requests, method, params }));
  return answer;
}
// A runtime API at the newest final block: executed here, over state that the peer has to prove.
async function call(method, argument) {
  const at = seen.finalised.at(-1);
  const { operationId } = await request('chainHead_v1_call', follow, at, method, argument);
  const done = await until(() => seen.operations.get(operationId));
  assert.equal(done.event, 'operationCallDone', JSON.stringify(done));
  return [at, done.output];
}

await check('the raw chain spec is accepted', async () => {
  const bootnode = `${address}/p2p/${await full.rpc.system.localPeerId()}`;
  const spec = { ...JSON.parse(readFileSync(specFile, 'utf8')), bootNodes: [bootnode] };
  chain = await client.addChain({ chainSpec: JSON.stringify(spec) });
  (async () => {
    for await (const message of chain.jsonRpcResponses) receive(JSON.parse(message));
  })().catch((error) => log.push(error.message));
});

await check('finalised blocks are followed, and they are those of the full node', async () => {
  follow = await request('chainHead_v1_follow', true);
  await until(() => seen.finalised.length >= 5);
  for (const hash of seen.finalised) {
    const { number } = await full.rpc.chain.getHeader(hash);
    assert.equal((await full.rpc.chain.getBlockHash(number.toNumber())).toHex(), hash);
  }
});

await check('a finished job and its money are read through runtime APIs', async () => {
  const job = full.createType('u64', finishedJob).toHex(true);
  for (const method of ['HpcApi_job', 'EscrowApi_ledger']) {
    const [at, output] = await call(method, job);
    assert.equal(output.slice(0, 4), '0x01', `${method}: there is one`);
    assert.equal(output, (await full.rpc.state.call(method, job, at)).toHex());
  }
});

await check('a transaction sent through the light client is finalised', async () => {
  const keyring = new Keyring({ type: 'sr25519' });
  const alice = keyring.addFromUri('//Alice');
  const transfer = full.tx.balances.transferKeepAlive(keyring.addFromUri('//Dave').address, 1_000_000_000_000n);
  await transfer.signAsync(alice, { nonce: -1 });
  await request('transactionWatch_v1_submitAndWatch', transfer.toHex());
  const end = await until(() => seen.transactions.find(({ event }) => ['finalized', 'invalid', 'dropped', 'error'].includes(event)));
  assert.equal(end.event, 'finalized', JSON.stringify(end));
  const block = await full.rpc.chain.getBlock(end.block.hash);
  assert.ok(block.block.extrinsics.some((extrinsic) => extrinsic.toHex() === transfer.toHex()), 'the block contains it');
});

finish();
