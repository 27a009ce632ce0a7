"""How the settings of Kafka reach Faust's client."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import faust
import pytest

from schemas.errors import ConfigError
from streams.control.broker import broker_urls, connection
from streams.settings import KafkaSettings


def test_all_addresses_are_taken() -> None:
    kafka = KafkaSettings(bootstrap="a:9092, PLAINTEXT://b:9093,")
    assert broker_urls(kafka) == ["aiokafka://a:9092", "aiokafka://b:9093"]


def test_a_plain_connection_needs_nothing() -> None:
    assert connection(KafkaSettings()) == {}


def test_tls_checks_the_broker() -> None:
    credentials = connection(KafkaSettings(security_protocol="SSL"))["broker_credentials"]
    assert isinstance(credentials, faust.SSLCredentials)
    assert credentials.context.verify_mode == ssl.CERT_REQUIRED and credentials.context.check_hostname


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_user_and_password_are_handed_over(protocol: Any) -> None:
    kafka = KafkaSettings(
        security_protocol=protocol, sasl_mechanism="SCRAM-SHA-512", sasl_username="u", sasl_password="p"
    )
    credentials = connection(kafka)["broker_credentials"]
    assert (credentials.username, credentials.password, credentials.mechanism.value) == ("u", "p", "SCRAM-SHA-512")
    assert (credentials.protocol.value, credentials.ssl_context is None) == (protocol, protocol == "SASL_PLAINTEXT")


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "GSSAPI", None])
def test_a_mechanism_that_it_cannot_do_is_an_error_at_the_start(mechanism: Any) -> None:
    with pytest.raises(ConfigError, match="TS-C101"):
        connection(KafkaSettings(security_protocol="SASL_SSL", sasl_mechanism=mechanism))


def test_a_file_of_certificates_that_is_not_there_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TS-C101"):
        connection(KafkaSettings(security_protocol="SSL", ssl_ca_location=tmp_path / "none.pem"))
