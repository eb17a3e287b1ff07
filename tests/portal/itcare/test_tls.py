"""TLS: only a trusted certificate of the right name gets a request, and deadlines hold there too."""

import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.itcare import Client, NotSent, Timeouts, Unclear
from tests.portal.itcare.conftest import Tokens
from tests.portal.itcare.scripted import Answer, answer, drip


def certificate(folder: Path, address: str, *, ends: timedelta = timedelta(hours=1)) -> Path:
    """Write a self-signed certificate for an address, with its key, into one file; it ends so long from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "itcare")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{address}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def whole_request(connection: socket.socket) -> bytes:
    """Read a request with its body: closing on bytes that were not read resets the connection and loses the answer."""
    request = b""
    while piece := connection.recv(65_536):
        request += piece
        head, end, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if end and len(body) >= (int(length[1]) if length else 0):
            break
    return request


@contextmanager
def tls_server(pem: Path, reply: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection after another over TLS; gives the address and the requests that came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    requests: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                requests.append(whole_request(connection))
                if callable(reply):
                    reply(connection)
                else:
                    connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", requests
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def client(address: str, total: float = 5.0) -> Client:
    return Client(base_url=address, tokens=Tokens(), timeouts=Timeouts(connect=1.0, read=total, total=total))


def test_a_trusted_server_is_spoken_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with tls_server(pem, answer(202, {"id": 5})) as (address, requests):
        accepted = client(address).patch(7, "stop")
    assert accepted.action is not None
    assert accepted.action.id == 5
    assert [request.partition(b"\r\n")[0] for request in requests] == [b"PATCH /databases/postgresql/7 HTTP/1.1"]


@pytest.mark.parametrize("wrong", ["unknown authority", "another name"])
def test_nothing_is_sent_to_a_server_that_is_not_itcare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    pem = certificate(tmp_path, "127.0.0.1" if wrong == "unknown authority" else "192.0.2.1")
    if wrong == "another name":
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with tls_server(pem, answer(202)) as (address, requests), pytest.raises(NotSent):
        client(address).patch(7, "stop")
    assert b"".join(requests) == b""


def test_an_answer_that_drips_over_tls_ends_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with tls_server(pem, drip(b"HTTP/1.1", b" ")) as (address, requests):
        with pytest.raises(Unclear) as caught:
            client(address, total=0.3).patch(7, "stop")
        assert (caught.value.reason, len(requests)) == ("deadline", 1)
