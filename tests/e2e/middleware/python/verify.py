"""Judges the tokens on stdin, one a line, knowing only the issuer: "good SUBJECT" or "bad WHY" for each."""
import json
import sys
import urllib.request

import jwt

issuer, audience, algorithm = sys.argv[1:]

found = json.load(urllib.request.urlopen(issuer + "/.well-known/openid-configuration"))
keys = jwt.PyJWKClient(found["jwks_uri"])


def verify(token):
    key = keys.get_signing_key_from_jwt(token).key
    return jwt.decode(token, key, algorithms=[algorithm], issuer=issuer, audience=audience)


for line in sys.stdin:
    try:
        print("good", verify(line.strip())["sub"])
    except jwt.PyJWTError as error:
        print("bad", error)
