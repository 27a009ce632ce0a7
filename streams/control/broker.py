"""The connection to Kafka for Faust, whose client is aiokafka: the same settings in its own words."""

from __future__ import annotations

import ssl
from typing import Any, Final

import faust

from schemas.errors import ConfigError
from streams.settings import KafkaSettings

__all__ = ["broker_urls", "connection"]

PASSWORD_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""The others need a library of the system's (GSSAPI) or a source of tokens (OAUTHBEARER)."""


def broker_urls(kafka: KafkaSettings) -> list[str]:
    """The addresses in `kafka.bootstrap`."""
    addresses = [address.strip().rpartition("://")[2] for address in kafka.bootstrap.split(",")]
    return [f"aiokafka://{address}" for address in addresses if address]


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Arguments of `faust.App` that secure the connection; none for PLAINTEXT.

    Raises ConfigError TS-C101 for a mechanism that aiokafka cannot do by itself, and for files that cannot be read.
    """
    try:
        context = _context(kafka) if kafka.security_protocol.endswith("SSL") else None
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("TS-C101", f"A file of the settings kafka.ssl_… cannot be used: {error}") from None
    if not kafka.security_protocol.startswith("SASL"):
        return {} if context is None else {"broker_credentials": faust.SSLCredentials(context)}
    if kafka.sasl_mechanism not in PASSWORD_MECHANISMS:
        known = ", ".join(PASSWORD_MECHANISMS)
        raise ConfigError(
            "TS-C101", f"The control role can use {known} in kafka.sasl_mechanism, not {kafka.sasl_mechanism}"
        )
    password = kafka.sasl_password.get_secret_value() if kafka.sasl_password is not None else None
    credentials = faust.SASLCredentials(
        username=kafka.sasl_username, password=password, ssl_context=context, mechanism=kafka.sasl_mechanism
    )
    return {"broker_credentials": credentials}


def _context(kafka: KafkaSettings) -> ssl.SSLContext:
    """As librdkafka has it by default: the broker's certificate and its name are checked."""
    context = ssl.create_default_context(cafile=kafka.ssl_ca_location)
    if kafka.ssl_certificate_location is not None:
        password = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password is not None else None
        context.load_cert_chain(kafka.ssl_certificate_location, kafka.ssl_key_location, password)
    return context
