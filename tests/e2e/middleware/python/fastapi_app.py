"""An API that serves who holds a good access token. From the environment: ISSUER, AUDIENCE, ALGORITHM."""
# --8<-- [start:app]
import json
import os
import urllib.request
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

issuer, audience, algorithm = (os.environ[name] for name in ("ISSUER", "AUDIENCE", "ALGORITHM"))
found = json.load(urllib.request.urlopen(issuer + "/.well-known/openid-configuration"))
keys = jwt.PyJWKClient(found["jwks_uri"])
refused = HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


def logged_in(given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]):
    try:
        token = given.credentials if given else ""
        key = keys.get_signing_key_from_jwt(token).key
        return jwt.decode(token, key, algorithms=[algorithm], issuer=issuer, audience=audience)
    except jwt.PyJWTError:
        raise refused from None


app = FastAPI()


@app.get("/me")
def me(user: Annotated[dict, Depends(logged_in)]):
    return {"id": user["sub"], "roles": user["roles"]}
# --8<-- [end:app]
