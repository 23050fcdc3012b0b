"""Puts TLS before a server of this machine. Arguments: a folder for the certificate of its authority, `authority.pem`; the
port of the server. Prints its own port."""

import datetime
import ipaddress
import pathlib
import socket
import ssl
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])


def certificate(name, key, issuer, issuer_key, *extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    named = lambda name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def pem(key):
    no = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no)


authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ca = x509.BasicConstraints(ca=True, path_length=None)
(folder / "authority.pem").write_bytes(certificate("authority", authority, "authority", authority, ca))
names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
leaf = certificate("front", own, "authority", authority, names)
(folder / "front.pem").write_bytes(leaf + pem(own))

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "front.pem")


def copy(source, target):
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
    except OSError:
        pass
    finally:
        target.close()


def serve(accepted):
    try:
        inside = context.wrap_socket(accepted, server_side=True)
    except OSError:
        return
    outside = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=copy, args=(inside, outside), daemon=True).start()
    copy(outside, inside)


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
