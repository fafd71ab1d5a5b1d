// Makes the cross-check data that a clone without the official vectors still tests against: written by software we did
// not write (nostr-tools and its curve; libsecp256k1 through schnorr.c), from numbers that always come out the same but
// for gift wraps, whose keys nostr-tools draws itself.
//
//   apt-get install gcc libsecp256k1-dev && npm ci && node generate.mjs DIRECTORY
//
// DIRECTORY is plugin-api/testkit/src/main/resources/im/parley/testkit/peers in this project.
import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getPublicKey, verifyEvent } from 'nostr-tools/pure'
import { nip17, nip19, nip44, nip59 } from 'nostr-tools'

const target = process.argv[2]
const here = dirname(fileURLToPath(import.meta.url))
const hex = bytes => Buffer.from(bytes).toString('hex')
const bytes = text => Uint8Array.from(Buffer.from(text, 'hex'))
const seeded = name => createHash('sha256').update('parley peers ' + name).digest()
const key = name => Uint8Array.from(seeded('key ' + name))
const write = (name, value) => writeFileSync(join(target, name), JSON.stringify(value, null, 1) + '\n')

const texts = [
  'a', 'Hello, Bob', 'مرحبا بالعالم', 'नमस्ते दुनिया', '👋🏽 👨‍👩‍👧', 'e\u0301 and \u00e9', 'line\nbreak\ttab "quoted" \\',
  'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(33), 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(255), 'x'.repeat(256),
  'x'.repeat(257), 'ش'.repeat(1000), 'x'.repeat(5000), '\u2028\u2029\u007f\ufeff',
]

write('nip44.json', texts.map((text, i) => {
  const one = key('nip44 one ' + i)
  const two = key('nip44 two ' + i)
  const conversation = nip44.v2.utils.getConversationKey(one, getPublicKey(two))
  const nonce = Uint8Array.from(seeded('nonce ' + i))
  return {
    sec1: hex(one), sec2: hex(two), conversationKey: hex(conversation), nonce: hex(nonce), plaintext: text,
    payload: nip44.v2.encrypt(text, conversation, nonce),
  }
}))

write('nip59.json', texts.map((text, i) => {
  const sender = key('nip59 sender ' + i)
  const recipient = key('nip59 recipient ' + i)
  const wrap = nip17.wrapEvent(sender, { publicKey: getPublicKey(recipient) }, text)
  const rumor = nip59.unwrapEvent(wrap, recipient)
  if (!verifyEvent(wrap)) throw new Error('the wrap does not verify')
  return { recipient: hex(recipient), sender: getPublicKey(sender), text, rumorId: rumor.id, createdAt: rumor.created_at, wrap }
}))

const relays = ['wss://relay.example.com', 'wss://other.example/path']
write('nip19.json', texts.slice(0, 6).map((text, i) => {
  const secret = key('nip19 ' + i)
  const pubkey = getPublicKey(secret)
  const id = hex(seeded('id ' + i))
  return {
    secret: hex(secret), pubkey, id, identifier: text, kind: 30000 + i, relays: relays.slice(0, i % 3),
    npub: nip19.npubEncode(pubkey),
    nsec: nip19.nsecEncode(secret),
    note: nip19.noteEncode(id),
    nprofile: nip19.nprofileEncode({ pubkey, relays: relays.slice(0, i % 3) }),
    nevent: nip19.neventEncode({ id, relays: relays.slice(0, i % 3), author: pubkey, kind: 30000 + i }),
    naddr: nip19.naddrEncode({ identifier: text, pubkey, kind: 30000 + i, relays: relays.slice(0, i % 3) }),
  }
}))

const folder = mkdtempSync(join(tmpdir(), 'schnorr'))
const program = join(folder, 'schnorr')
execFileSync('gcc', ['-O2', '-o', program, join(here, 'schnorr.c'), '-lsecp256k1'])
const input = Array.from({ length: 40 }, (_, i) =>
  [hex(key('bip340 ' + i)), hex(seeded('message ' + i)), hex(seeded('aux ' + i))].join(' ')).join('\n') + '\n'
write('bip340.json', execFileSync(program, { input }).toString().trim().split('\n').map(line => {
  const [secret, message, aux, pubkey, signature, peer, shared] = line.split(' ')
  return { secret, message, aux, pubkey, signature, peer, shared }
}))
