// Fastify with fast-jwt, which can keep a cache of verified tokens as well; it is off unless asked for.
const bcrypt = require('bcrypt')
const fastify = require('fastify')
const { createDecoder, createVerifier } = require('fast-jwt')
const { address, audience, bearer, issuer, onEachCpu, passwordHash, readKeys, readTls } = require('./common')

function makeVerify () {
  const rules = { algorithms: ['ES256'], allowedIss: issuer, allowedAud: audience, requiredClaims: ['exp', 'iss', 'aud'] }
  const decode = createDecoder({ complete: true })
  const pem = key => key.export({ type: 'spki', format: 'pem' })
  const verifiers = new Map([...readKeys()].map(([id, key]) => [id, createVerifier({ key: pem(key), ...rules })]))
  return token => verifiers.get(decode(token).header.kid)(token)
}

onEachCpu(() => {
  const app = fastify({ https: readTls() })
  const verify = makeVerify()

  app.get('/verify', (request, reply) => {
    try {
      reply.header('X-Auth-User', verify(bearer(request.headers.authorization)).sub).send()
    } catch {
      reply.code(401).send()
    }
  })
  app.post('/login', async (request, reply) =>
    reply.code(await bcrypt.compare(request.body.password, passwordHash) ? 200 : 401).send())
  app.listen(address)
})
