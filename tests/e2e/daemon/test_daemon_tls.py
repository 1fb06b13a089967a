"""TLS as libpq's sslmode means it, against a proxy that speaks TLS for any server."""

import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from e2e.support import equal
from e2e.support.daemon_process import daemon_login, run
from harness.progress import HarnessError

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def test_certificates_are_verified_as_asked(env):
    with authority("ours", "localhost", "db.example") as ours, authority("theirs") as theirs:
        with proxy(env, ours / "localhost") as port:
            good = f"sslrootcert={ours}/ca.pem"
            bad = f"sslrootcert={theirs}/ca.pem"
            for host, options, connects in (
                ("localhost", f"sslmode=verify-full {good}", True),
                ("localhost", f"sslmode=verify-full {bad}", False),
                ("localhost", "sslmode=verify-full", False),
                ("localhost", f"sslmode=verify-ca {good}", True),
                ("localhost", f"sslmode=verify-ca {bad}", False),
                ("localhost", f"sslmode=require {good}", True),
                # As with libpq: who names an authority wants it asked.
                ("localhost", f"sslmode=require {bad}", False),
                ("localhost", "sslmode=require", True),
                ("localhost", "sslmode=prefer", True),
                # A certificate of another host: only its name is wrong.
                ("127.0.0.1", f"sslmode=verify-full {good}", False),
                ("127.0.0.1", f"sslmode=verify-ca {good}", True),
                # Not said for a host that is not this machine: everything is verified.
                ("other.example hostaddr=127.0.0.1", good, False),
                ("other.example hostaddr=127.0.0.1", "", False),
            ):
                check(env, f"host={host} port={port} {options}", connects)
        with proxy(env, ours / "db.example") as port:
            check(env, f"host=db.example hostaddr=127.0.0.1 port={port} {good}", True)


def test_a_server_without_tls_is_taken_only_if_that_was_asked_for(env):
    with proxy(env, None) as port:
        for options, connects in (
            ("host=localhost", True),
            ("host=localhost sslmode=disable", True),
            ("host=localhost sslmode=prefer", True),
            ("host=localhost sslmode=require", False),
            ("host=db.example hostaddr=127.0.0.1", False),
            ("host=db.example hostaddr=127.0.0.1 sslmode=disable", True),
        ):
            check(env, f"{options} port={port}", connects)


def test_a_server_that_asks_for_a_certificate_gets_it(env):
    with authority("ours", "localhost", "sendgated") as ours, authority("theirs", "sendgated") as theirs:
        key = ours / "sendgated.key"
        with proxy(env, ours / "localhost", clients=ours / "ca.pem") as port:
            to = f"host=localhost port={port} sslmode=verify-full sslrootcert={ours}/ca.pem"
            for options, connects in (
                (f"sslcert={ours}/sendgated.pem sslkey={key}", True),
                ("", False),
                (f"sslcert={theirs}/sendgated.pem sslkey={theirs}/sendgated.key", False),
                # Of another pair.
                (f"sslcert={ours}/sendgated.pem sslkey={theirs}/sendgated.key", False),
                (f"sslcert={ours}/sendgated.pem", False),
                (f"sslcert={ours}/nothing.pem sslkey={key}", False),
                (f"sslcert={ours}/sendgated.pem sslkey={ours}/sendgated.pem", False),
            ):
                check(env, f"{to} {options}", connects)
            key.chmod(0o640)
            url = f"{to} sslcert={ours}/sendgated.pem sslkey={key} user=x dbname={env.dbname}"
            done = run(env, "tick", url=url)
            equal((done.returncode, "can be read by others" in done.stderr), (2, True), done.stderr)


def check(env, where: str, connects: bool) -> None:
    """Run a tick over that connection."""
    url = f"{where} user={daemon_login(env)} dbname={env.dbname}"
    done = run(env, "tick", url=url)
    equal(done.returncode == 0, connects, f"{where}: {done.stderr}")


@contextmanager
def authority(name: str, *hosts: str):
    """A directory with an authority's certificate, and one for each host that it signed."""
    directory = Path(tempfile.mkdtemp(prefix="sendgate-tls-"))
    if shutil.which("openssl") is None:
        raise HarnessError("openssl is missing; on Debian: apt-get install openssl")
    new = ["req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    try:
        openssl(directory, *new, "-x509", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
        for host in hosts:
            openssl(directory, *new, "-subj", f"/CN={host}",
                    "-keyout", f"{host}.key", "-out", f"{host}.csr")  # fmt: skip
            extensions = f"subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n"
            (directory / "extensions").write_text(extensions)
            openssl(directory, "x509", "-req", "-days", "2", "-in", f"{host}.csr", "-CA", "ca.pem",
                    "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions",
                    "-out", f"{host}.pem")  # fmt: skip
        yield directory
    finally:
        shutil.rmtree(directory)


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@contextmanager
def proxy(env, certificate: Path | None, clients: Path | None = None):
    """A port that leads to the server, with TLS or, without a certificate, refusing it; clients may
    have to show a certificate of an authority."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:  # closed: the test is over
                    return
                serve = (env.cluster.host, env.cluster.port), client, context
                threading.Thread(target=carry, args=serve, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def carry(server: tuple[str, int], client: socket.socket, context: ssl.SSLContext | None) -> None:
    """One connection, to its end."""
    try:
        first = client.recv(8, socket.MSG_WAITALL)
        if first == SSL_REQUEST:
            client.sendall(b"S" if context else b"N")
            first = b""
            if context:
                client = context.wrap_socket(client, server_side=True)
        with socket.create_connection(server) as behind:
            behind.sendall(first)
            back = threading.Thread(target=pump, args=(behind, client), daemon=True)
            back.start()
            pump(client, behind)
            back.join()
    except OSError:
        pass
    finally:
        client.close()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes one way until there are no more."""
    try:
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
