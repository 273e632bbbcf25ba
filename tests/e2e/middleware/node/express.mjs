// An API that serves who holds a good access token. From the environment: ISSUER, AUDIENCE, ALGORITHM, PORT.
// --8<-- [start:app]
import express from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { ISSUER: issuer, AUDIENCE: audience, ALGORITHM: algorithm, PORT: port } = process.env
const found = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
const keys = createRemoteJWKSet(new URL(found.jwks_uri))

async function loggedIn(request, response, next) {
  try {
    const token = /^Bearer (\S+)$/i.exec(request.get('Authorization') ?? '')?.[1] ?? ''
    request.user = (await jwtVerify(token, keys, { issuer, audience, algorithms: [algorithm] })).payload
  } catch {
    return response.set('WWW-Authenticate', 'Bearer').sendStatus(401)
  }
  next()
}

const app = express()
app.get('/me', loggedIn, (request, response) => response.json({ id: request.user.sub, roles: request.user.roles }))
// --8<-- [end:app]
app.listen(Number(port), '127.0.0.1')
