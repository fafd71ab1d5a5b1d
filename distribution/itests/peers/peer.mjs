// A Nostr peer we did not write (nostr-tools), driven from the integration tests.
// Usage: node peer.mjs COMMAND JSON-ARGUMENTS; prints one line of JSON.
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay'
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent, getEventHash } from 'nostr-tools/pure'
import { nip17, nip19, nip44, nip59 } from 'nostr-tools'
import * as nip49 from 'nostr-tools/nip49'
import WebSocket from 'ws'

useWebSocketImplementation(WebSocket)

const hex = bytes => Buffer.from(bytes).toString('hex')
const bytes = text => Uint8Array.from(Buffer.from(text, 'hex'))
const now = () => Math.floor(Date.now() / 1000)

async function connect(url, sk) {
  const relay = await Relay.connect(url)
  if (sk) {
    await authenticate(relay, sk)
  }
  return relay
}

// The challenge arrives with the connection; ask again until it is there.
async function authenticate(relay, sk) {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      return await relay.auth(async template => finalizeEvent(template, sk))
    } catch (error) {
      if (Date.now() > deadline || !String(error).includes('challenge')) throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

function collect(relay, filters, timeout = 10_000) {
  return new Promise((resolve, reject) => {
    const events = []
    const timer = setTimeout(() => reject(new Error('no EOSE')), timeout)
    const done = outcome => {
      clearTimeout(timer)
      resolve(outcome)
    }
    const sub = relay.subscribe(filters, {
      onevent: event => events.push(event),
      oneose: () => {
        done({ events, closed: null })
        sub.close()
      },
      onclose: reason => done({ events, closed: reason }),
    })
  })
}

function unwrapAll(events, sk) {
  return events.map(wrap => {
    const seal = JSON.parse(nip44.decrypt(wrap.content, nip44.getConversationKey(sk, wrap.pubkey)))
    const rumor = nip59.unwrapEvent(wrap, sk)
    return {
      wrap: wrap.id,
      wrapVerified: verifyEvent(wrap),
      sealVerified: verifyEvent(seal) && seal.kind === 13 && seal.pubkey === rumor.pubkey,
      rumorIdOk: getEventHash(rumor) === rumor.id,
      id: rumor.id,
      from: rumor.pubkey,
      kind: rumor.kind,
      text: rumor.content,
      tags: rumor.tags,
      createdAt: rumor.created_at,
    }
  })
}

const commands = {
  // Opens a key that was sealed elsewhere, and seals it again with another password.
  reseal({ ncryptsec, password, next }) {
    const secret = nip49.decrypt(ncryptsec, password)
    return { pk: getPublicKey(secret), ncryptsec: nip49.encrypt(secret, next, 14) }
  },
  key() {
    const sk = generateSecretKey()
    const pk = getPublicKey(sk)
    return { sk: hex(sk), pk, npub: nip19.npubEncode(pk) }
  },

  async publish({ url, sk, kind = 1, tags = [], content = '', count = 1 }) {
    const relay = await connect(url)
    const ids = []
    for (let i = 0; i < count; i++) {
      const event = finalizeEvent({ kind, tags, content: content + (count > 1 ? ` ${i}` : ''), created_at: now() }, bytes(sk))
      await relay.publish(event)
      ids.push(event.id)
    }
    relay.close()
    return { ids }
  },

  async query({ url, sk, filter }) {
    const relay = await connect(url, sk && bytes(sk))
    const { events, closed } = await collect(relay, [filter])
    relay.close()
    return { events, closed, verified: events.every(event => verifyEvent(event)) }
  },

  // Publishes a list of inbox relays (kind 10050), as a NIP-17 client does before it can be written to.
  async inboxRelays({ url, sk, relays }) {
    return commands.publish({ url, sk, kind: 10050, tags: relays.map(r => ['relay', r]) })
  },

  // A list as no honest client writes it: these addresses, and then one more for each number up to that many in all.
  async longInboxRelays({ url, sk, relays, more, total }) {
    const all = [...relays]
    while (all.length < total) all.push(more + all.length)
    return commands.publish({ url, sk, kind: 10050, tags: all.map(r => ['relay', r]) })
  },

  async send({ url, sk, to, text }) {
    const relay = await connect(url)
    const wrap = nip17.wrapEvent(bytes(sk), { publicKey: to }, text)
    await relay.publish(wrap)
    relay.close()
    return { id: wrap.id, createdAt: wrap.created_at }
  },

  // Any rumor, as an answer (14 with an e tag), a reaction (7) or a deletion (5) is one; its id is the same for everybody.
  async sendRumor({ url, sk, to, kind, text = '', tags = [] }) {
    const secret = bytes(sk)
    const rumor = nip59.createRumor({ kind, tags: [['p', to], ...tags], content: text, created_at: now() }, secret)
    const wrap = nip59.createWrap(nip59.createSeal(rumor, secret, to), to)
    const relay = await connect(url)
    await relay.publish(wrap)
    relay.close()
    return { id: rumor.id }
  },

  // A wrap whose own created_at lies so many hours back; NIP-59 allows two days.
  async sendBackdated({ url, sk, to, text, hours }) {
    const secret = bytes(sk)
    const rumor = nip59.createRumor({ kind: 14, tags: [['p', to]], content: text, created_at: now() }, secret)
    const seal = nip59.createSeal(rumor, secret, to)
    const oneTime = generateSecretKey()
    const wrap = finalizeEvent(
      {
        kind: 1059,
        created_at: now() - hours * 3600,
        tags: [['p', to]],
        content: nip44.encrypt(JSON.stringify(seal), nip44.getConversationKey(oneTime, to)),
      },
      oneTime,
    )
    const relay = await connect(url)
    await relay.publish(wrap)
    relay.close()
    return { id: wrap.id, createdAt: wrap.created_at }
  },

  // Authenticates, waits until that many wraps are there, and opens them.
  async inbox({ url, sk, atLeast = 1, timeout = 20_000 }) {
    const secret = bytes(sk)
    const relay = await connect(url, secret)
    const deadline = Date.now() + timeout
    for (;;) {
      const { events, closed } = await collect(relay, [{ kinds: [1059], '#p': [getPublicKey(secret)] }])
      if (closed) throw new Error('closed: ' + closed)
      if (events.length >= atLeast || Date.now() > deadline) {
        relay.close()
        return { messages: unwrapAll(events, secret) }
      }
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  },

  // Gift wraps and unwraps per CPU second of this process, one thread.
  bench({ seconds = 3 }) {
    const a = generateSecretKey()
    const b = generateSecretKey()
    const to = { publicKey: getPublicKey(b) }
    const text = 'x'.repeat(100)
    const run = work => {
      for (let i = 0; i < 20; i++) work()
      const start = process.cpuUsage()
      let n = 0
      for (;;) {
        work()
        n++
        const used = process.cpuUsage(start)
        const cpu = (used.user + used.system) / 1e6
        if (cpu >= seconds) return n / cpu
      }
    }
    const wrap = nip17.wrapEvent(a, to, text)
    return { wrapsPerCpuSecond: run(() => nip17.wrapEvent(a, to, text)), unwrapsPerCpuSecond: run(() => nip59.unwrapEvent(wrap, b)) }
  },
}

const [name, argument] = process.argv.slice(2)
if (!commands[name]) {
  console.error('unknown command: ' + name)
  process.exit(2)
}
try {
  console.log(JSON.stringify(await commands[name](JSON.parse(argument ?? '{}'))))
  process.exit(0)
} catch (error) {
  console.error(error?.stack ?? String(error))
  process.exit(1)
}
