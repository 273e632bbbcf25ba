"""Requests as bytes: what is malformed is refused, and the connection ends, so that nothing is smuggled behind it."""
import pytest

from service import PATIENCE_S, bearer, read_all, read_answer, status_of

pytestmark = pytest.mark.concurrent
GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def post(headers, body=b"", line=b"POST /login HTTP/1.1"):
    return line + b"\r\nHost: a\r\nContent-Type: application/json\r\n" + headers + b"\r\n" + body


MALFORMED = {
    "length with chunks": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}x"),
    "two equal lengths": post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
    "list of lengths": post(b"Content-Length: 2, 2\r\n", b"{}"),
    "length with sign": post(b"Content-Length: +2\r\n", b"{}"),
    "length in hex": post(b"Content-Length: 0x2\r\n", b"{}"),
    "length negative": post(b"Content-Length: -1\r\n"),
    "length empty": post(b"Content-Length: \r\n"),
    "length with space": post(b"Content-Length: 1 2\r\n", b"{}"),
    "length over 2^64": post(b"Content-Length: 18446744073709551618\r\n", b"{}"),
    "chunked not last": post(b"Transfer-Encoding: chunked, x\r\n", b"0\r\n\r\n"),
    "unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "coding identity": post(b"Transfer-Encoding: identity\r\n"),
    "two codings": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunks in 1.0": b"POST /login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk size too large": post(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff1\r\n"),
    "chunk size not hex": post(b"Transfer-Encoding: chunked\r\n", b"g\r\n"),
    "chunk without its end": post(b"Transfer-Encoding: chunked\r\n", b"2\r\n{}x\r\n"),
    "chunk extension of 64 kB": post(b"Transfer-Encoding: chunked\r\n", b"2;" + b"x" * 65536 + b"\r\n{}\r\n0\r\n\r\n"),
    "space before colon": b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
    "folded header": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "space before first header": b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
    "bare LF": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "bare LF in a header": b"GET /healthz HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare CR in a value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "NUL in a value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "control in a value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "bad host": b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n",
    "two authorizations": b"GET /verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "leading line feed": b"\r\n" + GOOD,
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a response": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "unknown method": b"BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "method in lower case": b"get /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the target": b"GET /health z HTTP/1.1\r\nHost: a\r\n\r\n",
    "noise": bytes(range(256)),
    "header without colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nNonsense\r\n\r\n",
    "empty header name": b"GET /healthz HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_400_and_what_follows_never_runs(service, name):
    answer = service.exchange(MALFORMED[name] + GOOD)
    assert status_of(answer) in (400, 501), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b'"bad_request"' in answer and b"onnection: close" in answer


@pytest.mark.parametrize("name", MALFORMED)
def test_the_second_request_of_a_connection_is_read_as_strictly(service, name):
    answer = service.exchange(GOOD + MALFORMED[name] + GOOD)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 2 and (b"HTTP/1.1 400 " in answer or b"HTTP/1.1 501 " in answer)


@pytest.mark.parametrize("headers, status, code", [
    (b"X-Long: " + b"a" * 17000 + b"\r\n", 431, b"headers_too_large"),
    (b"".join(b"X-%d: a\r\n" % i for i in range(70)), 431, b"headers_too_large"),
    (b"Content-Length: 16385\r\nContent-Type: application/json\r\n", 413, b"body_too_large"),
    (b"Content-Length: 1000000000\r\nContent-Type: application/json\r\n", 413, b"body_too_large"),
    (b"Expect: something\r\nContent-Length: 2\r\n", 417, b"expectation_failed"),
])
def test_what_is_over_a_limit_is_told_without_waiting_for_the_rest(service, headers, status, code):
    answer = service.exchange(b"POST /login HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")
    assert status_of(answer) == status and code in answer


def test_a_target_over_the_limit_is_414(service):
    answer = service.exchange(b"GET /verify?" + b"a" * 2048 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status_of(answer) == 414 and b"uri_too_long" in answer
    answer = service.exchange(b"GET /verify?" + b"a" * (2048 - 8) + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 401


def test_a_chunked_body_is_counted_as_it_comes(service):
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    answer = service.exchange(post(b"Transfer-Encoding: chunked\r\n", chunk * 5))
    assert status_of(answer) == 413 and b"body_too_large" in answer


def test_an_unknown_path_wins_over_a_body_that_is_too_large(service):
    answer = service.exchange(post(b"Content-Length: 1000000\r\n", line=b"POST /nowhere HTTP/1.1"))
    assert status_of(answer) == 404
    answer = service.exchange(post(b"Content-Length: 1000000\r\n", line=b"POST /healthz HTTP/1.1"))
    assert status_of(answer) == 405


@pytest.mark.parametrize("body, status", [
    (b"2\r\n{}\r\n0\r\n\r\n", 422),
    (b"1\r\n{\r\n1;ext=1\r\n}\r\n0\r\nTrailer: x\r\n\r\n", 422),
    (b"0\r\nAuthorization: Bearer x\r\n\r\n", 422),
])
def test_chunks_are_read(service, body, status):
    assert status_of(service.exchange(post(b"Transfer-Encoding: chunked\r\nConnection: close\r\n", body))) == status


def test_a_trailer_is_no_header(service, newcomer):
    token = newcomer[1]["access_token"].encode()
    answer = service.exchange(b"POST /verify HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                              b"0\r\nAuthorization: Bearer " + token + b"\r\n\r\n")
    assert status_of(answer) == 401


def test_a_request_may_come_byte_by_byte(service):
    with service.raw() as connection:
        for byte in LAST:
            connection.sendall(bytes([byte]))
        assert status_of(read_all(connection)) == 200


def test_a_hundred_pipelined_requests_are_answered_in_order(service, newcomer):
    other = service.newcomer()
    users = [newcomer, other]
    request = lambda i: (b"GET /profile?%d HTTP/1.1\r\nHost: a\r\nX-Request-Id: n%d\r\nAuthorization: Bearer %s\r\n\r\n"
                         % (i, i, users[i % 2][1]["access_token"].encode()))
    with service.raw() as connection:
        connection.sendall(b"".join(request(i) for i in range(100)))
        pending = b""
        for i in range(100):
            status, headers, body, pending = read_answer(connection, pending)
            assert status == 200 and headers["x-request-id"] == f"n{i}"
            assert users[i % 2][0].encode() in body and users[1 - i % 2][0].encode() not in body


def test_http_1_0_is_answered_and_closed_unless_it_asks_otherwise(service):
    answer = service.exchange(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 200
    with service.raw() as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            status, headers, _, _ = read_answer(connection)
            assert status == 200 and headers["connection"].lower() == "keep-alive"


def test_an_expectation_of_100_is_answered_before_the_body(service):
    with service.raw() as connection:
        connection.sendall(post(b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert status_of(read_all(connection)) == 422


def test_an_absolute_target_is_accepted(service):
    answer = service.exchange(b"GET http://other/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 200


def test_an_upgrade_is_ignored(service):
    answer = service.exchange(b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade, close\r\n\r\n")
    assert status_of(answer) == 200
    assert status_of(service.exchange(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + GOOD)) in (400, 404, 405)


def test_plain_http_on_the_tls_port_gets_nothing(service):
    import socket
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as plain:
        plain.sendall(LAST)
        assert b"HTTP/1.1 200" not in read_all(plain)


@pytest.mark.parametrize("content_type, status", [
    (b"application/json", 422), (b"Application/JSON; charset=UTF-8", 422), (b"text/plain", 415),
    (b"application/x-www-form-urlencoded", 415), (b"application/json; charset=latin1", 415), (b"", 415),
])
def test_a_body_must_be_json_by_its_type(service, content_type, status):
    answer = service.exchange(b"POST /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: " + content_type
                              + b"\r\nContent-Length: 2\r\n\r\n{}")
    assert status_of(answer) == status


def test_a_compressed_body_is_refused(service):
    assert status_of(service.exchange(post(b"Content-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n", b"{}"))) == 415


def test_a_token_of_one_request_is_not_remembered_for_the_next(service, newcomer):
    with service.raw() as connection:
        with_token = b"GET /verify HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n"
        connection.sendall(with_token % bearer(newcomer[1])["Authorization"].encode())
        assert read_answer(connection)[0] == 200
        connection.sendall(b"GET /verify HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_answer(connection)[0] == 401
