// A Nostr relay we did not write (@nostr-relay), with NIP-42 and a database of its own.
// Usage: node relay.mjs serve {"port","file"} runs it until it is killed and prints a line once it listens;
//        node relay.mjs kinds {"file"} prints how many events of each kind a killed one has kept.
import { WebSocketServer } from 'ws'
import { NostrRelay } from '@nostr-relay/core'
import { LogLevel } from '@nostr-relay/common'
import { EventRepositorySqlite } from '@nostr-relay/event-repository-sqlite'

const host = '127.0.0.1'

async function open(file) {
  const events = new EventRepositorySqlite(file)
  await events.init()
  return events
}

// By itself it guards kind 4 only; who is authenticated is for it to say.
async function take(relay, socket, message) {
  const [type, id, ...filters] = message
  if (type === 'REQ' && filters.some(filter => filter.kinds?.includes(1059)) && !relay.isAuthorized(socket)) {
    socket.send(JSON.stringify(['CLOSED', id, 'auth-required: wraps are for those they are addressed to']))
    return
  }
  await relay.handleMessage(socket, message)
}

const commands = {
  async serve({ port, file }) {
    const events = await open(file)
    const relay = new NostrRelay(events, { hostname: host, logLevel: LogLevel.ERROR })
    const server = new WebSocketServer({ host, port })
    server.on('connection', (socket, request) => {
      relay.handleConnection(socket, request.socket.remoteAddress)
      socket.on('message', data => take(relay, socket, JSON.parse(data)).catch(error => console.error(error)))
      socket.on('close', () => relay.handleDisconnect(socket))
      socket.on('error', error => console.error(error))
    })
    await new Promise((resolve, reject) => server.on('listening', resolve).on('error', reject))
    return { listening: port }
  },
  async kinds({ file }) {
    const events = await open(file)
    const rows = events.getDatabase().prepare('SELECT kind, count(*) AS n FROM events GROUP BY kind').all()
    return Object.fromEntries(rows.map(row => [row.kind, row.n]))
  },
}

const [name, argument] = process.argv.slice(2)
try {
  console.log(JSON.stringify(await commands[name](JSON.parse(argument ?? '{}'))))
  if (name !== 'serve') process.exit(0)
} catch (error) {
  console.error(error?.stack ?? String(error))
  process.exit(1)
}
