// Both ends of NIP-46 on nostr-tools, driven from the integration tests.
// Usage: node nip46.mjs COMMAND JSON-ARGUMENTS; prints one line of JSON.
import { BunkerSigner, parseBunkerInput, toBunkerURL } from 'nostr-tools/nip46'
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool'
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure'
import { nip44 } from 'nostr-tools'
import WebSocket from 'ws'

useWebSocketImplementation(WebSocket)

const hex = bytes => Buffer.from(bytes).toString('hex')
const bytes = text => Uint8Array.from(Buffer.from(text, 'hex'))
const now = () => Math.floor(Date.now() / 1000)

async function within(promise, ms = 10_000) {
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject('timeout'), ms)))
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

const outcome = async promise => {
  try {
    return { ok: true, value: (await within(promise)) ?? null }
  } catch (error) {
    return { ok: false, error: String(error?.message ?? error) }
  }
}

const commands = {
  // A client of a bunker that is not ours to look into. `sk` goes on with a connection made before.
  async client({ bunker, sk, connect = true, patience = 10_000, logout = false }) {
    const key = sk ? bytes(sk) : generateSecretKey()
    const pointer = await parseBunkerInput(bunker)
    const signer = BunkerSigner.fromBunker(key, pointer, { pool: new SimplePool() })
    const told = { sk: hex(key), signer: pointer.pubkey, secret: pointer.secret }
    if (connect) {
      told.connected = await outcome(within(signer.connect(), patience))
      if (!told.connected.ok) return told
    }
    told.ping = await outcome(within(signer.ping(), patience))
    if (!told.ping.ok) return told
    told.user = await within(signer.getPublicKey())
    const note = { kind: 1, content: 'signed "elsewhere" ✓\n', tags: [['t', 'x']], created_at: now() }
    const signed = await outcome(signer.signEvent(note))
    told.signed = signed
    told.verified = signed.ok && verifyEvent(signed.value)
    told.seal = await outcome(signer.signEvent({ ...note, kind: 13 }))
    told.other = await outcome(signer.signEvent({ ...note, pubkey: getPublicKey(generateSecretKey()) }))
    const peer = generateSecretKey()
    const encrypted = await outcome(signer.nip44Encrypt(getPublicKey(peer), 'for a peer'))
    told.encrypted = encrypted.ok && nip44.decrypt(encrypted.value, nip44.getConversationKey(peer, told.user))
    const secret = nip44.encrypt('for the user', nip44.getConversationKey(peer, told.user))
    told.decrypted = await outcome(signer.nip44Decrypt(getPublicKey(peer), secret))
    told.legacy = await outcome(signer.nip04Encrypt(getPublicKey(peer), 'x'))
    told.unknown = await outcome(signer.sendRequest('make_coffee', []))
    told.moved = await outcome(signer.switchRelays())
    if (logout) {
      told.logout = await outcome(signer.logout())
    }
    return told
  },
}

// A bunker made of primitives; prints its URL and goes on. Its user is not its signer.
async function serve({ relay, sk, user, secret, approval = '', change = '', known = false }) {
  const signerKey = bytes(sk)
  const userKey = bytes(user)
  const pool = new SimplePool()
  let left = secret
  let client = null
  const answer = async (to, response) =>
    Promise.any(
      pool.publish([relay], finalizeEvent(
        {
          kind: 24133,
          created_at: now(),
          tags: [['p', to]],
          content: nip44.encrypt(JSON.stringify(response), nip44.getConversationKey(signerKey, to)),
        },
        signerKey,
      )),
    )
  const methods = {
    connect: ([, given], from) => {
      if (client === from) return 'ack'
      if (client || given !== left) throw new Error('wrong secret')
      client = from
      left = null
      return secret
    },
    get_public_key: () => getPublicKey(userKey),
    ping: () => 'pong',
    switch_relays: () => JSON.stringify([relay]),
    sign_event: ([template]) => {
      const event = JSON.parse(template)
      if (change) event.content += change
      return JSON.stringify(finalizeEvent(event, userKey))
    },
    nip44_encrypt: ([to, text]) => nip44.encrypt(text, nip44.getConversationKey(userKey, to)),
    nip44_decrypt: ([from, text]) => nip44.decrypt(text, nip44.getConversationKey(userKey, from)),
  }
  await new Promise(resolve =>
    pool.subscribe([relay], { kinds: [24133], '#p': [getPublicKey(signerKey)], limit: 0 }, {
      oneose: resolve,
      onevent: async event => {
        const { id, method, params } = JSON.parse(
          nip44.decrypt(event.content, nip44.getConversationKey(signerKey, event.pubkey)),
        )
        // One that was restarted takes the first that comes for the client it knew.
        if (known && !client) client = event.pubkey
        if (method !== 'connect' && event.pubkey !== client) return
        try {
          if (!methods[method]) throw new Error('unknown method')
          if (method === 'connect' && approval) {
            await answer(event.pubkey, { id, result: 'auth_url', error: approval })
            await new Promise(done => setTimeout(done, 3_000))
          }
          await answer(event.pubkey, { id, result: methods[method](params, event.pubkey) })
        } catch (error) {
          await answer(event.pubkey, { id, result: '', error: String(error.message ?? error) })
        }
      },
    }),
  )
  console.log(JSON.stringify({ url: toBunkerURL({ pubkey: getPublicKey(signerKey), relays: [relay], secret }) }))
}

const [name, argument] = process.argv.slice(2)
try {
  if (name === 'serve') {
    await serve(JSON.parse(argument))
  } else {
    console.log(JSON.stringify(await commands[name](JSON.parse(argument ?? '{}'))))
    process.exit(0)
  }
} catch (error) {
  console.error(error?.stack ?? String(error))
  process.exit(1)
}
