// Judges the tokens on stdin, one a line, knowing only the issuer: "good SUBJECT" or "bad WHY" for each.
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { createInterface } from 'node:readline'

const [issuer, audience, algorithm] = process.argv.slice(2)

const found = await fetch(`${issuer}/.well-known/openid-configuration`)
const keys = createRemoteJWKSet(new URL((await found.json()).jwks_uri))
const verify = token => jwtVerify(token, keys, { issuer, audience, algorithms: [algorithm] })

for await (const token of createInterface({ input: process.stdin })) {
  try {
    console.log(`good ${(await verify(token)).payload.sub}`)
  } catch (error) {
    console.log(`bad ${error.code}`)
  }
}
