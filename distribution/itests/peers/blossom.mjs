// The Blossom client of the protocol's author (blossom-client-sdk), with keys of nostr-tools.
// Usage: node blossom.mjs COMMAND JSON-ARGUMENTS; prints one line of JSON.
import { Actions, createDeleteAuth, createListAuth, createUploadAuth, encodeAuthorizationHeader } from 'blossom-client-sdk'
import { finalizeEvent } from 'nostr-tools/pure'
import { createHash } from 'node:crypto'

const bytes = text => Uint8Array.from(Buffer.from(text, 'hex'))
const signer = sk => async draft => finalizeEvent(draft, bytes(sk))
const sha256 = data => createHash('sha256').update(data).digest('hex')

// Bytes that differ from each other, the same for the same number.
function blob(number, size, type) {
  const data = Buffer.alloc(size)
  for (let i = 0; i < size; i++) data[i] = (i * 31 + number + (i >> 8)) & 0xff
  return new Blob([data], { type })
}

const uploadAuth = sk => (server, hash, kind, file) => createUploadAuth(signer(sk), file ?? hash)

// What a call came to: 'ok', or the status and the words of the server.
async function outcome(call) {
  try {
    await call()
    return { ok: true }
  } catch (error) {
    return { ok: false, status: error.status ?? 0, reason: error.message }
  }
}

const commands = {
  // Everything that a client does with one blob.
  async cycle({ url, sk, pk, size = 1_000_000, number = 1 }) {
    const file = blob(number, size, 'image/png')
    const hash = sha256(Buffer.from(await file.arrayBuffer()))
    const before = await Actions.hasBlob(url, hash)
    const first = await Actions.uploadBlob(url, file, { onAuth: uploadAuth(sk) })
    const second = await Actions.uploadBlob(url, file, { onAuth: uploadAuth(sk), auth: true })
    const after = await Actions.hasBlob(url, hash)
    const response = await Actions.downloadBlob(url, hash)
    const downloaded = sha256(Buffer.from(await response.arrayBuffer()))
    const range = await fetch(new URL('/' + hash, url), { headers: { Range: 'bytes=10-19' } })
    const part = Buffer.from(await range.arrayBuffer())
    const head = await fetch(new URL('/' + hash + '.png', url), { method: 'HEAD' })
    const listed = await Actions.listBlobs(url, pk, { onAuth: () => createListAuth(signer(sk)) })
    const deleted = await Actions.deleteBlob(url, hash, { onAuth: () => createDeleteAuth(signer(sk), hash) })
    return {
      hash,
      before,
      first,
      second,
      after,
      downloaded,
      type: response.headers.get('content-type'),
      range: range.status,
      contentRange: range.headers.get('content-range'),
      part: part.equals(Buffer.from(await file.arrayBuffer()).subarray(10, 20)),
      length: Number(head.headers.get('content-length')),
      acceptRanges: head.headers.get('accept-ranges'),
      listed: listed.map(each => each.sha256),
      deleted,
      gone: !(await Actions.hasBlob(url, hash)),
    }
  },

  async upload({ url, sk, size, number }) {
    return await Actions.uploadBlob(url, blob(number, size), { onAuth: uploadAuth(sk) })
  },

  token({ sk, verb, hash, now }) {
    const tags = [['t', verb], ['expiration', String(now + 600)], ['x', hash]]
    return finalizeEvent({ kind: 24242, created_at: now, tags, content: verb }, bytes(sk))
  },

  // Pages through a list as the client does it.
  async list({ url, sk, pk, limit }) {
    const pages = []
    for await (const page of Actions.iterateBlobs(url, pk, { limit, onAuth: () => createListAuth(signer(sk)) })) {
      pages.push(page.map(each => each.sha256))
    }
    return { pages }
  },

  async failures({ url, sk, stranger, pk, hash }) {
    const file = blob(7, 1000)
    const other = blob(8, 1000)
    const past = Math.floor(Date.now() / 1000) - 10
    const put = async (auth, headers = {}) => {
      const response = await fetch(new URL('/upload', url), {
        method: 'PUT',
        body: file,
        headers: { Authorization: encodeAuthorizationHeader(auth), ...headers },
      })
      return { status: response.status, reason: response.headers.get('x-reason') }
    }
    return {
      stranger: await outcome(() => Actions.uploadBlob(url, file, { onAuth: uploadAuth(stranger) })),
      unsigned: await outcome(() => Actions.uploadBlob(url, file, { auth: false })),
      expired: await put(await createUploadAuth(signer(sk), file, { expiration: past })),
      otherHash: await put(await createUploadAuth(signer(sk), other)),
      otherServer: await put(await createUploadAuth(signer(sk), file, { servers: 'https://cdn.example.com' })),
      ownServer: await put(await createUploadAuth(signer(sk), file, { servers: url })),
      wrongVerb: await put(await createDeleteAuth(signer(sk), file)),
      foreignDelete: await outcome(() =>
        Actions.deleteBlob(url, hash, { onAuth: () => createDeleteAuth(signer(stranger), hash) }),
      ),
      foreignList: await outcome(() =>
        Actions.listBlobs(url, pk, { onAuth: () => createListAuth(signer(stranger)) }),
      ),
      absent: await outcome(() => Actions.downloadBlob(url, 'ab'.repeat(32))),
      mirror: await outcome(() => Actions.mirrorBlob(url, { url: 'http://127.0.0.1/x', sha256: hash })),
    }
  },

  async report({ url, sk, hash }) {
    const event = finalizeEvent(
      { kind: 1984, created_at: Math.floor(Date.now() / 1000), tags: [['x', hash, 'malware']], content: 'look' },
      bytes(sk),
    )
    const results = await Actions.reportBlobs([url], event)
    return { taken: results.get(url) === true }
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
