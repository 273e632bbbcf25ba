// Express with jsonwebtoken.
const https = require('node:https')
const bcrypt = require('bcrypt')
const express = require('express')
const jwt = require('jsonwebtoken')
const { address, audience, bearer, issuer, onEachCpu, passwordHash, readKeys, readTls } = require('./common')

onEachCpu(() => {
  const app = express()
  const keys = readKeys()
  const findKey = (header, found) => found(null, keys.get(header.kid))

  app.get('/verify', (request, response) => {
    jwt.verify(bearer(request.headers.authorization), findKey, { algorithms: ['ES256'], issuer, audience }, (error, claims) => {
      if (error || !claims.exp) return response.status(401).end()
      response.set('X-Auth-User', claims.sub).end()
    })
  })
  app.post('/login', express.json(), async (request, response) =>
    response.status(await bcrypt.compare(request.body.password, passwordHash) ? 200 : 401).end())
  https.createServer(readTls(), app).listen(address)
})
