// What an offline signer relies on: a transaction that commits to the metadata's hash is refused when the hash is not
// that of the runtime. The hash is computed by somebody else's implementation from the metadata of the running chain.
// Only a runtime built with the feature `metadata-hash` knows its own.
//
// usage: node metadata-hash.mjs WS_URL

import { merkleizeMetadata } from '@polkadot-api/merkleize-metadata';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';
import assert from 'node:assert/strict';
import { check, finish } from './check.mjs';


const api = await ApiPromise.create({ provider: new WsProvider(process.argv[2]), noInitWarn: true });
const alice = new Keyring({ type: 'sr25519' }).addFromUri('//Alice');
const metadata = (await api.call.metadata.metadataAtVersion(15)).unwrap();
const hash = merkleizeMetadata(metadata, { decimals: 12, tokenSymbol: 'VE' }).digest();

// Sends a remark that was signed for a hash, and waits until it is in a block.
function send(bytes) {
  const metadataHash = `0x${Buffer.from(bytes).toString('hex')}`;
  const remark = api.tx.system.remark('0x00');
  return new Promise((resolve, reject) => {
    remark.signAndSend(alice, { nonce: -1, mode: 1, metadataHash }, ({ status, dispatchError }) => {
      if (dispatchError) reject(new Error(dispatchError.toString()));
      else if (status.isInBlock) resolve();
    }).catch(reject);
  });
}

await check('a transaction that was signed for other metadata is refused', async () => {
  const wrong = Uint8Array.from(hash, (byte, at) => (at === 0 ? byte ^ 1 : byte));
  await assert.rejects(send(wrong), /bad signature/i);
});

await check('a transaction that was signed for this metadata is included', async () => {
  await send(hash);
});

finish();
