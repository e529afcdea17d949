// The envelope format written down a second time, over another HPKE implementation (npm @hpke/core) and WebCrypto.
// Reads one JSON object from standard input and writes one to standard output; all bytes are hexadecimal.
//   {do: "seal", publicKey, aad, plaintext}                 -> {encapsulated, wrapped, body}
//   {do: "open", secretKey, aad, encapsulated, wrapped, body} -> {plaintext}
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { readFileSync } from "node:fs";

const INFO = Buffer.from("virtengine/envelope/1");
const SEGMENT = 1 << 20;
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");

async function commitment(key) {
  return Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.concat([INFO, Buffer.from(" commitment"), key])));
}

function algorithm(counter, last, aad) {
  const iv = Buffer.alloc(12);
  iv.writeBigUInt64BE(BigInt(counter), 3);
  iv[11] = last ? 1 : 0;
  return { name: "AES-GCM", iv, additionalData: aad, tagLength: 128 };
}

async function sealBody(key, aad, plaintext) {
  const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const parts = [await commitment(key)];
  let counter = 0;
  for (; (counter + 1) * SEGMENT <= plaintext.length; counter++) {
    const piece = plaintext.slice(counter * SEGMENT, (counter + 1) * SEGMENT);
    parts.push(Buffer.from(await crypto.subtle.encrypt(algorithm(counter, false, aad), aes, piece)));
  }
  const rest = plaintext.slice(counter * SEGMENT);
  let size = 256;
  while (size < rest.length + 1) size *= 2;
  const padded = Buffer.alloc(size);
  padded.set(rest);
  padded[rest.length] = 0x80;
  parts.push(Buffer.from(await crypto.subtle.encrypt(algorithm(counter, true, aad), aes, padded)));
  return Buffer.concat(parts);
}

async function openBody(key, aad, body) {
  if (Buffer.compare(await commitment(key), body.slice(0, 32)) !== 0) throw new Error("wrong content key");
  const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const parts = [];
  let at = 32;
  for (let counter = 0; at < body.length; counter++) {
    const last = body.length - at <= SEGMENT + 16;
    const piece = body.slice(at, last ? body.length : at + SEGMENT + 16);
    let text = Buffer.from(await crypto.subtle.decrypt(algorithm(counter, last, aad), aes, piece));
    if (last) text = text.slice(0, text.lastIndexOf(0x80));
    parts.push(text);
    at += piece.length;
  }
  return Buffer.concat(parts);
}

const request = JSON.parse(readFileSync(0, "utf8"));
const aad = bytes(request.aad);
let answer;
if (request.do === "seal") {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const recipientPublicKey = await suite.kem.deserializePublicKey(bytes(request.publicKey));
  const sender = await suite.createSenderContext({ recipientPublicKey, info: INFO });
  const wrapped = await sender.seal(key, aad);
  const body = await sealBody(key, aad, bytes(request.plaintext));
  answer = { encapsulated: hex(sender.enc), wrapped: hex(wrapped), body: hex(body) };
} else {
  const recipientKey = await suite.kem.deserializePrivateKey(bytes(request.secretKey));
  const recipient = await suite.createRecipientContext({ recipientKey, enc: bytes(request.encapsulated), info: INFO });
  const key = new Uint8Array(await recipient.open(bytes(request.wrapped), aad));
  answer = { plaintext: hex(await openBody(key, aad, bytes(request.body))) };
}
process.stdout.write(JSON.stringify(answer));
