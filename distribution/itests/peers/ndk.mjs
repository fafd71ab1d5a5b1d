// A second Nostr peer we did not write (NDK). Usage: node ndk.mjs COMMAND JSON-ARGUMENTS; prints one line of JSON.
import WebSocket from 'ws'

globalThis.WebSocket ??= WebSocket
const { default: NDK, NDKEvent, NDKPrivateKeySigner, NDKRelayAuthPolicies, NDKUser, giftWrap, giftUnwrap } = await import(
  '@nostr-dev-kit/ndk'
)

async function connect(url, sk) {
  const signer = new NDKPrivateKeySigner(sk)
  const ndk = new NDK({ explicitRelayUrls: [url], signer, enableOutboxModel: false })
  ndk.relayAuthDefaultPolicy = NDKRelayAuthPolicies.signIn({ ndk, signer })
  await ndk.connect(5000)
  return { ndk, signer }
}

const within = (promise, ms, what) =>
  Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error('no ' + what + ' in time')), ms))])

const commands = {
  async publishAndFetch({ url, sk, content }) {
    const { ndk, signer } = await connect(url, sk)
    const event = new NDKEvent(ndk, { kind: 1, content, tags: [], created_at: Math.floor(Date.now() / 1000) })
    await event.sign()
    const relays = await within(event.publish(), 10_000, 'OK')
    const found = await within(ndk.fetchEvents({ authors: [(await signer.user()).pubkey], kinds: [1] }), 10_000, 'answer')
    return { published: relays.size, found: [...found].map(each => ({ id: each.id, content: each.content, ok: each.verifySignature(false) })), id: event.id }
  },
  async sendMessage({ url, sk, to, text }) {
    const { ndk, signer } = await connect(url, sk)
    const me = await signer.user()
    const inbox = new NDKEvent(ndk, { kind: 10050, content: '', tags: [['relay', url]], created_at: Math.floor(Date.now() / 1000) })
    await within(inbox.publish(), 10_000, 'OK for the relay list')
    const rumor = new NDKEvent(ndk, { kind: 14, content: text, tags: [['p', to]], created_at: Math.floor(Date.now() / 1000), pubkey: me.pubkey })
    const wrap = await giftWrap(rumor, new NDKUser({ pubkey: to }), signer)
    await within(wrap.publish(), 10_000, 'OK')
    return { wrap: wrap.id, pk: me.pubkey }
  },
  async readMessages({ url, sk, count }) {
    const { ndk, signer } = await connect(url, sk)
    const me = await signer.user()
    const texts = []
    const done = new Promise(resolve => {
      const subscription = ndk.subscribe({ kinds: [1059], '#p': [me.pubkey] }, { closeOnEose: false })
      subscription.on('event', async wrap => {
        const rumor = await giftUnwrap(wrap, undefined, signer)
        texts.push({ from: rumor.pubkey, kind: rumor.kind, text: rumor.content })
        if (texts.length >= count) resolve()
      })
    })
    await within(done, 20_000, 'message')
    return { texts }
  },
}

const [name, argument] = process.argv.slice(2)
try {
  console.log(JSON.stringify(await commands[name](JSON.parse(argument ?? '{}'))))
  process.exit(0)
} catch (error) {
  console.error(error?.stack ?? String(error))
  process.exit(1)
}
