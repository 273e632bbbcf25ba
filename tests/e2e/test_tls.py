"""What a TLS client may ask for, and what it gets."""
import socket
import ssl
import warnings

import pytest

from service import PATIENCE_S, free_port, read_answer

SETTINGS = {"METRICS_PORT": free_port()}
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(service, context, session=None):
    plain = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S)
    secure = context.wrap_socket(plain, server_hostname="localhost", session=session)
    secure.sendall(GET)
    assert read_answer(secure)[0] == 200
    return secure


def only(context, version):
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken_and_sessions_resume(service, version, name):
    context = only(service.tls(), version)
    with connect(service, context) as first:
        assert first.version() == name and not first.session_reused
        session = first.session
    with connect(service, context, session) as second:
        assert second.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(service, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = only(service.tls(), version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(service, context)


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "NULL", "aNULL"])
def test_ciphers_without_forward_secrecy_or_authentication_of_data_are_refused(service, ciphers):
    context = only(service.tls(), ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(service, context)


def test_http_1_1_is_chosen_of_what_is_offered(service):
    context = service.tls()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(service, context) as secure:
        assert secure.selected_alpn_protocol() == "http/1.1"


def test_noise_instead_of_a_handshake_costs_nothing(service):
    for noise in (b"\x00" * 300, b"\x16\x03\x01\xff\xff" + b"A" * 400, bytes(range(256))):
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as plain:
            plain.sendall(noise)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(1000):
                pass
    with connect(service, service.tls()):
        pass


def test_handshakes_are_counted_by_outcome(service):
    text = service.metrics()
    for outcome in ("full", "resumed", "failed"):
        assert f'doorward_tls_handshakes_total{{outcome="{outcome}"}}' in text
