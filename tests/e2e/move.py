"""What the tests of `doorward export` and `doorward import` share."""
import json

from service import PASSWORD, bearer, unique_name

HASH = "$2b$04$SiVjeSZ7qvyJs2DQVVA/Dud.kmWD41pzb/K33kjOMt1M6vwdygoFC"  # of "password"
HEADER = {"type": "header", "format": "doorward", "version": 1}


def export(service, *options):
    return service.cli("export", *options).stdout


def load(service, text, *options, code=0):
    """Imports; what it said."""
    return service.cli("import", *options, stdin=text, code=code).stderr


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def records_of(text):
    """What is to be the same before and after: all but the header, which has the time in it."""
    return text.partition("\n")[2]


def file_of(*records, end=True):
    closing = [{"type": "end", "records": len(records)}] if end else []
    return "".join(json.dumps(line) + "\n" for line in [HEADER, *records, *closing])


def person(**members):
    return {"type": "user", "username": unique_name(), "password_hash": HASH, **members}


def status_of_login(service, name, password=PASSWORD):
    with service.client() as client:
        member = "email" if "@" in name else "username"
        return client.post("/login", json={member: name, "password": password}).status_code


def statuses(service, tokens):
    """Of /verify with the access token and of a refresh."""
    with service.client() as client:
        seen = client.get("/verify", headers=bearer(tokens)).status_code
        return seen, client.post("/refresh-token", json={"refresh_token": tokens["refresh_token"]}).status_code
