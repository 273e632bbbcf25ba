"""The pages that are built in: the web client at /app, the live documentation at /docs."""
import gzip
import os
import pathlib
import re
import socket
import subprocess

import pytest

from service import BINARY, check_conditional, read_answer

PAGES = ["/app", "/app/", "/app/sessions", "/docs", "/docs/"]


@pytest.fixture(autouse=True)
def _has_pages():
    if "pages      none" in subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this build has no pages")


def scripts_of(page):
    return re.findall(r'<script[^>]* src="([^"]+)"', page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_that_may_load_only_what_is_ours(client, path):
    answer = client.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    scripts = scripts_of(answer.text)
    assert scripts and answer.text.count("<script") == len(scripts) and " style=" not in answer.text
    for script in scripts:
        assert client.get(script).headers["content-type"] == "text/javascript; charset=utf-8"


def test_what_is_named_by_its_content_is_kept_and_pages_are_asked_for_again(client):
    page = client.get("/app/")
    assert page.headers["cache-control"] == "public, max-age=0"
    for script in scripts_of(page.text):
        assert client.get(script).headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", PAGES)
def test_pages_answer_304_to_who_has_them(service, client, path):
    check_conditional(service, path, client.get(path, headers={"Accept-Encoding": "identity"}).headers["etag"])


def test_pages_are_compressed_for_who_accepts_that(service, client):
    path = scripts_of(client.get("/docs").text)[0]
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and "Accept-Encoding" in plain.headers["vary"]
    with service.raw() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n"
                           "Accept-Encoding: br, deflate\r\nAccept-Encoding: gzip;q=0.5\r\n\r\n".encode())
        status, headers, small, _ = read_answer(connection)
    assert status == 200 and headers["content-encoding"] == "gzip"
    assert gzip.decompress(small) == plain.content and len(small) < len(plain.content) / 2
    assert headers["etag"] != plain.headers["etag"]
    for refused in ("gzip;q=0", "gzip; q=0.000", "br", ""):
        assert "content-encoding" not in client.get(path, headers={"Accept-Encoding": refused}).headers


@pytest.mark.parametrize("path", ["/app/assets/none.js", "/docs/none.js", "/application"])
def test_what_is_no_page_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_pages_can_be_turned_off(start_service):
    with start_service(PAGES="off").client() as client:
        for path in PAGES:
            assert client.get(path).status_code == 404
        assert client.get("/openapi.yaml").status_code == 200


def resident_bytes(service):
    return 1024 * int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{service.process.pid}/status").read_text())[1])


def test_readers_who_stop_in_the_middle_of_a_page_hold_little_memory(start_service):
    """Each asks for a megabyte; the kernel's and our buffers hold a small part of it."""
    service = start_service(binary=os.environ.get("DOORWARD_RELEASE"))
    with service.client() as client:
        path = scripts_of(client.get("/docs").text)[0]
        size = len(client.get(path, headers={"Accept-Encoding": "identity"}).content)
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    held = []
    try:
        before = resident_bytes(service)
        for _ in range(40):
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.connect(("127.0.0.1", service.port))
            connection = service.tls().wrap_socket(plain, server_hostname="localhost")
            connection.sendall(request)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            held.append(connection)
        assert resident_bytes(service) - before < 40 * size / 4
    finally:
        for connection in held:
            connection.close()
