// What the two servers share: settings (variables of the environment; bench/suites/peers.py sets them), and a process a CPU.
const cluster = require('node:cluster')
const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')

const { PORT, TLS_CERT, TLS_KEY, JWKS, ISSUER, AUDIENCE, PASSWORD_HASH } = process.env

exports.issuer = ISSUER
exports.audience = AUDIENCE
exports.passwordHash = PASSWORD_HASH
exports.address = { host: '127.0.0.1', port: Number(PORT) }
exports.readTls = () => ({ cert: fs.readFileSync(TLS_CERT), key: fs.readFileSync(TLS_KEY) })

// Key id -> KeyObject.
exports.readKeys = () =>
  new Map(JSON.parse(fs.readFileSync(JWKS)).keys.map(jwk => [jwk.kid, crypto.createPublicKey({ key: jwk, format: 'jwk' })]))

exports.bearer = header => (header?.startsWith('Bearer ') ? header.slice('Bearer '.length) : '')

exports.onEachCpu = serve => {
  if (!cluster.isPrimary) return serve()
  for (let i = 0; i < os.availableParallelism(); i++) cluster.fork()
}
