// What the JavaScript SDK does with the local sandbox server; run by scripts/js_smoke.
import assert from 'node:assert/strict'
import { Sandbox } from 'e2b'

const sandbox = await Sandbox.create({ metadata: { who: 'js' }, envs: { COLOUR: 'blue' }, timeoutMs: 120_000 })
const step = (name) => console.log('ok', name)

assert.equal((await sandbox.commands.run('echo $COLOUR')).stdout, 'blue\n')
await assert.rejects(sandbox.commands.run('exit 3'), (error) => error.exitCode === 3)
step('create and run')

const cat = await sandbox.commands.run('cat', { background: true, stdin: true })
await sandbox.commands.sendStdin(cat.pid, 'given\n')
await sandbox.commands.closeStdin(cat.pid)
assert.equal((await cat.wait()).stdout, 'given\n')
step('stdin')

await sandbox.files.makeDir('watched')
let watched
const written = new Promise((resolve) => { watched = resolve })
const watcher = await sandbox.files.watchDir('watched', (event) => event.name === 'a.txt' && watched(event))
await sandbox.files.write('watched/a.txt', 'hello')
await written
await watcher.stop()
assert.equal(await sandbox.files.read('watched/a.txt'), 'hello')
assert.equal((await sandbox.files.list('watched'))[0].name, 'a.txt')
step('files and watch')

let shown = ''
const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: (data) => { shown += Buffer.from(data) } })
await sandbox.pty.resize(terminal.pid, { cols: 100, rows: 30 })
await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode('stty size\nexit\n'))
await terminal.wait()
assert.match(shown, /30 100/)
step('pty')

const url = await sandbox.downloadUrl('watched/a.txt')
assert.equal(await (await fetch(url)).text(), 'hello')
step('signed URL')

assert.equal((await Sandbox.getInfo(sandbox.sandboxId)).metadata.who, 'js')
await sandbox.pause()
assert.equal(await sandbox.isRunning(), false)
const again = await Sandbox.connect(sandbox.sandboxId)
assert.equal(await again.files.read('watched/a.txt'), 'hello')
step('pause and connect')

const sleeping = await again.commands.run('sleep 60', { background: true })
const ended = assert.rejects(sleeping.wait())
assert.equal(await again.kill(), true)
await ended
await assert.rejects(again.commands.run('true'))
assert.equal(await Sandbox.kill(sandbox.sandboxId), false)
step('kill in mid-stream')
