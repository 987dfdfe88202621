"""An authority of the tests' own: certificates that are right, for another name, or expired."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
HOST = "localhost"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass
class Authority:
    """Writes what it issues into *directory*; ``file`` is what has to be believed."""

    directory: Path
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        name = _name("The tests' authority")
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(name, name, self.key, DAY).add_extension(basic, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        # A name with what means something in an address.
        self.file = self.directory / "authority 100%.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(self, *hosts: str, ends_in: timedelta = DAY) -> Path:
        """A certificate for *hosts*, names or addresses, with its key in one file."""
        key, certificate = self._issue(hosts or (HOST,), ends_in)
        file = self.directory / f"{certificate.serial_number}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        return file

    def key_store(self, *hosts: str, password: str) -> Path:
        """The same as Java reads it."""
        key, certificate = self._issue(hosts, DAY)
        file = self.directory / f"{certificate.serial_number}.p12"
        encryption = BestAvailableEncryption(password.encode())
        text = pkcs12.serialize_key_and_certificates(
            b"server", key, certificate, [self.certificate], encryption
        )
        file.write_bytes(text)
        return file

    def server(self, certificate: Path, *, wants_client: bool = False) -> ssl.SSLContext:
        """What a server with *certificate* does; one that *wants_client* asks for one of ours."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.file)
        return context

    def _issue(
        self, hosts: Sequence[str], ends_in: timedelta
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        builder = self._builder(_name(hosts[0]), self.certificate.subject, key, ends_in)
        return key, builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        ends_in: timedelta,
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * DAY)
            .not_valid_after(now + ends_in)
        )
