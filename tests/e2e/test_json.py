"""One strict JSON parser for every body."""
import pytest

JSON = {"Content-Type": "application/json"}


def post(client, body, path="/login"):
    return client.post(path, content=body, headers=JSON)


BROKEN = [
    b"{", b"}", b"[", b"{\"a\"", b"{\"a\":}", b"{\"a\":1,}", b"{,}", b"{'a':1}", b"{a:1}", b"nul", b"tru", b"{}x", b"{}{}",
    b"{\"username\":\"a\",\"username\":\"b\",\"password\":\"x\"}",
    b"{\"username\":\"\xff\",\"password\":\"x\"}", b"{\"username\":\"\xc0\x80\"}", b"{\"username\":\"\xed\xa0\x80\"}",
    b"{\"username\":\"\\ud800\"}", b"{\"username\":\"\\udc00\\ud800\"}", b"{\"username\":\"\\x41\"}", b"{\"username\":\"a\nb\"}",
    b"\xef\xbb\xbf{}", b"{\"a\":01}", b"{\"a\":+1}", b"{\"a\":.5}", b"{\"a\":1.}", b"{\"a\":0x1}", b"{\"a\":NaN}", b"{\"a\":Infinity}",
    b"{\"a\":1e}", b"// comment\n{}", b"{/**/}", b"{\"a\":\"\\u00\"}", b"\x00", b"{\"a\":1}\x00", b"{\x00}",
    b"[" * 4000, b"{\"a\":" * 600 + b"1" + b"}" * 600, b"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
]


@pytest.mark.parametrize("body", BROKEN, ids=lambda b: repr(b[:24]))
@pytest.mark.parametrize("path", ["/login", "/register", "/refresh-token"])
def test_what_is_not_json_is_400(client, body, path):
    answer = post(client, body, path)
    assert answer.status_code == 400 and answer.json()["code"] == "invalid_json", answer.text


@pytest.mark.parametrize("body", [b"[]", b"1", b"\"text\"", b"null", b"true", b"[{}]"])
@pytest.mark.parametrize("path", ["/login", "/register", "/refresh-token"])
def test_what_is_json_but_no_object_is_422(client, body, path):
    answer = post(client, body, path)
    assert answer.status_code == 422 and answer.json()["code"] == "invalid_input", answer.text


def test_unknown_members_are_refused_by_name(client):
    answer = post(client, b"{\"username\":\"a\",\"password\":\"long enough\",\"pasword\":\"typo\"}")
    assert answer.status_code == 422
    assert ("pasword" in {e["field"] for e in answer.json()["errors"]})


def test_white_space_and_escapes_are_read(service, client):
    name = service.register()["username"]
    from service import PASSWORD
    escaped = "".join(f"\\u{ord(c):04x}" for c in PASSWORD)
    answer = post(client, f" {{\r\n\t\"username\" : \"{name}\" , \"password\":\"{escaped}\" }} ".encode())
    assert answer.status_code == 200, answer.text


def test_an_error_never_repeats_the_input(client):
    answer = post(client, b"{\"username\":\"<script>\",\"password\":5,\"extra-canary\":\"canary-value\"}")
    assert answer.status_code == 422
    assert "canary-value" not in answer.text and "<script>" not in answer.text
