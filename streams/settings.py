"""Every setting, with its type, its default and what it does; read and checked once, at start.

A setting is looked for in this order, the first place that has it wins:

1. the environment: `TAGSTREAM_` and the path in capitals with `__` between, such as `TAGSTREAM_KAFKA__BOOTSTRAP`;
2. a file of that same name without the prefix (`kafka__sasl_password`) in the directory `TAGSTREAM_SECRETS_DIR`,
   by default `/run/secrets`, where Docker and Kubernetes put secrets;
3. the file named by `--config` or `TAGSTREAM_CONFIG`, else `tagstream.toml` or `tagstream.yaml` in the working
   directory: TOML or YAML, one table a section;
4. the default below.

A name that is no setting is an error, in all of these places but the directory of secrets, which others share.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, NestedSecretsSettingsSource, SettingsConfigDict

from schemas.errors import ConfigError

__all__ = ["Loaded", "Row", "Settings", "load"]

PREFIX: Final = "TAGSTREAM_"
CONFIG_VARIABLE: Final = "TAGSTREAM_CONFIG"
SECRETS_VARIABLE: Final = "TAGSTREAM_SECRETS_DIR"
DEFAULT_SECRETS_DIR: Final = Path("/run/secrets")
DEFAULT_FILES: Final = ("tagstream.toml", "tagstream.yaml")
DEFAULT_ORIGIN: Final = "default"


class Section(BaseModel):
    """A group of settings: no names but its own, unchangeable once read, and the text under a field is its doc."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


class KafkaSettings(Section):
    """How to reach Kafka, and what our topics and groups are called there."""

    bootstrap: str = Field("localhost:9092", min_length=1)
    """Addresses of some of the brokers, `host:port`, with commas between."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the connection is secured."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] | None = None
    """How we prove who we are; needed with `SASL_PLAINTEXT` and `SASL_SSL`."""
    sasl_username: str | None = None
    """The user's name for SASL."""
    sasl_password: SecretStr | None = None
    """The user's password for SASL."""
    ssl_ca_location: Path | None = None
    """File with the certificates of the authorities that may sign the brokers'; none: the system's."""
    ssl_certificate_location: Path | None = None
    """File with our own certificate, for brokers that ask for one."""
    ssl_key_location: Path | None = None
    """File with the private key of our certificate."""
    ssl_key_password: SecretStr | None = None
    """The password of that key."""
    extra: dict[str, str] = {}
    """Further settings of librdkafka, by its own names, for all clients but the control role's, which is none of
    librdkafka. They win over ours: with care."""
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", max_length=100)
    """Put before the name of every topic, so that several installations can share a cluster."""
    partitions: int = Field(6, ge=1, le=10_000)
    """Partitions of each topic, when the topics are created; fixed for life. The most taggers that can work at once."""
    replication_factor: int = Field(1, ge=1, le=32_767)
    """Copies of each topic, when the topics are created. 3 in production."""
    group_id: str = Field("tagstream", min_length=1)
    """Prefix of the consumer groups and of the transactional ids. Two installations must differ in it."""
    instance_id: str | None = Field(None, min_length=1)
    """This process' name in its group: stable over restarts, unique among the processes. None: the host's name and the
    number of the process, which costs a rebalance after each restart."""

    def client_config(self) -> dict[str, str]:
        """What every Kafka client of ours gets: librdkafka's names to values, secrets in clear."""
        given = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password and self.sasl_password.get_secret_value(),
            "ssl.ca.location": self.ssl_ca_location,
            "ssl.certificate.location": self.ssl_certificate_location,
            "ssl.key.location": self.ssl_key_location,
            "ssl.key.password": self.ssl_key_password and self.ssl_key_password.get_secret_value(),
        }
        return {name: str(value) for name, value in given.items() if value is not None} | self.extra


class RedisSettings(Section):
    """Where the projector puts the tags."""

    url: str = Field("redis://localhost:6379/0", pattern=r"^(redis|rediss|unix)://")
    """The server: `redis://host:port/database`, `rediss://` with TLS, `unix://` for a socket."""
    username: str | None = None
    """The ACL user; none: the default user."""
    password: SecretStr | None = None
    """The user's password. Better here than in the address, which is shown and logged."""
    key_prefix: str = ""
    """Put before every key, so that several installations can share a server."""


class SchemaRegistrySettings(Section):
    """Confluent's schema registry, if there is one."""

    url: str | None = Field(None, pattern=r"^https?://")
    """Its address. None: Avro is written in single-object encoding, and records framed with an id are dead."""


class RulesSettings(Section):
    """The tags' definitions."""

    dir: Path = Path("rules")
    """The directory with the YAML files."""
    default_currency: str = Field("CNY", pattern=r"^[A-Z]{3}$")
    """The currency of a purchase that names none, and of a rule that names none."""
    time_zone: str = "UTC"
    """The zone (such as `Asia/Shanghai`) in which rules see hours, weekdays and birthdays."""

    @field_validator("time_zone")
    @classmethod
    def _exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {name!r}; zones are named like Asia/Shanghai") from None
        return name


class TaggerSettings(Section):
    """The work on events, and its bounds."""

    max_step_events: int = Field(50_000, ge=1, le=1_000_000)
    """Events in one step, which is one transaction, per partition. More: faster; fewer: sooner."""
    max_step_timers: int = Field(50_000, ge=1, le=10_000_000)
    """Timers that fire in one step, so that a million windows that end at midnight do not stall the live events."""
    commit_interval_ms: int = Field(20, ge=1, le=5_000)
    """How long the tagger gathers events for a step when few come. A transaction takes some 5 ms by itself."""
    dedupe_max_ids: int = Field(5_000_000, ge=1_000, le=1_000_000_000)
    """Event ids that a partition remembers to drop repeats, at some 16 bytes each; beyond, the oldest are forgotten."""
    session_timeout_ms: int = Field(10_000, ge=1_000, le=300_000)
    """A tagger that the broker does not hear of for so long loses its partitions to the others."""
    transaction_timeout_ms: int = Field(10_000, ge=1_000, le=900_000)
    """The broker aborts a transaction that is open for so long; readers wait behind it until then."""
    snapshot_interval_s: int = Field(300, ge=1, le=86_400)
    """Seconds between two snapshots of a partition's state. A recovery applies again what came since the newest one."""
    snapshots_kept: int = Field(2, ge=1, le=1_000)
    """Whole snapshots of a partition that stay readable: if the newest is damaged, the one before it is used."""
    accept_lost_events: bool = False
    """Whether a partition goes on though events are gone from which its state would have to be made again (TS-S104)."""
    erasure_key: SecretStr | None = None
    """The key under which the ids of erased customers are hashed: 32 hexadecimal digits, the same for all taggers, and
    for as long as an erasure is remembered. None: who has a snapshot can try ids, and see which were erased."""
    erasure_term_days: int = Field(90, ge=1, le=3_650)
    """How long it is remembered that a customer was erased, so that what comes late of them is dropped."""

    @field_validator("erasure_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[0-9a-fA-F]{32}", key.get_secret_value()):
            raise ValueError("it is not 32 hexadecimal digits, such as `openssl rand -hex 16` prints")
        return key


class EncryptionSettings(Section):
    """Encryption at rest: of snapshots, and of the evidence of sensitive tags."""

    keys: SecretStr | None = None
    """A line for each key: its id, a space, and 64 hexadecimal digits. The first one encrypts, and all of them decrypt.
    The same for all processes. None: nothing is encrypted."""
    required: bool = False
    """Whether the tagger refuses to start without keys."""

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        ids = set()
        for number, line in enumerate(_lines(keys), 1):
            found = re.fullmatch(r"([A-Za-z0-9._-]{1,64})\s+[0-9a-fA-F]{64}", line)
            if found is None:
                raise ValueError(
                    f"line {number} is not an id (letters, digits, . _ -; 64 at most), a space, and 64 hexadecimal "
                    "digits, such as `openssl rand -hex 32` prints"
                )
            if found[1] in ids:
                raise ValueError(f"line {number} has the id {found[1]} once more")
            ids.add(found[1])
        return keys

    @model_validator(mode="after")
    def _has_what_is_required(self) -> Self:
        if self.required and not _lines(self.keys):
            raise ValueError("encryption.required is set, and encryption.keys has no key")
        return self

    def keys_by_id(self) -> dict[str, bytes]:
        """The keys in their order, 32 bytes each."""
        pairs = (line.split() for line in _lines(self.keys))
        return {key_id: bytes.fromhex(digits) for key_id, digits in pairs}


def _lines(secret: SecretStr | None) -> list[str]:
    """Its lines that are not empty."""
    text = "" if secret is None else secret.get_secret_value()
    return [line.strip() for line in text.splitlines() if line.strip()]


class ProjectorSettings(Section):
    """Comparing Redis with `tags.current` in the background, beside writing to it."""

    reconcile_every_minutes: int = Field(60, ge=0, le=100_000)
    """From the end of one comparison of everything to the beginning of the next; 0: only when `tagstream reconcile`
    asks for it."""
    reconcile_per_second: int = Field(1_000, ge=1, le=1_000_000)
    """How many customers are compared in a second at most. At 1,000 a million customers take some 35 minutes, and two
    or three hundredths of a core. A comparison that was asked for goes as fast as it can."""


class ControlSettings(Section):
    """Requests to set or remove a tag by hand."""

    session_timeout_ms: int = Field(10_000, ge=6_000, le=300_000)
    """A control role that the broker does not hear of for so long loses its partitions to the others."""
    remember_days: int = Field(14, ge=8, le=400)
    """How long a request's id is remembered, so that the same request sent again is not obeyed twice. More than the 7
    days for which requests are kept."""
    remember_most: int = Field(50_000, ge=1_000, le=10_000_000)
    """Ids that a partition remembers at most, at some 700 bytes each; beyond, the oldest are forgotten. A start reads
    all of them, at some 5,000 a second."""


class ClockSettings(Section):
    """How a partition's clock moves."""

    follow_wall: bool = True
    """Whether it follows wall time while no events come, so that tags leave on time. False: only events move it, as
    for history, benchmarks and verification on old data."""


class MetricsSettings(Section):
    """The port with `/metrics`, `/healthz` and `/readyz`."""

    host: str = "127.0.0.1"
    """The address to listen on; `0.0.0.0` for all, as in a container."""
    port: int = Field(0, ge=0, le=65_535)
    """The port; 0 takes a free one, which is logged."""


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is written."""
    format: Literal["text", "json"] = "text"
    """`text`: one line of key=value for people; `json`: one object a line for collectors."""


class Settings(BaseSettings):
    """All of them. Make one with `load`, which knows where each value came from."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()
    schemas_dir: Path | None = None
    """A directory with further Avro schemas (.avsc) that producers write events with; none: only ours are known."""
    output_format: Literal["avro", "json"] = "avro"
    """How changes, current tags and answers to requests are written."""
    rules: RulesSettings = RulesSettings()
    tagger: TaggerSettings = TaggerSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    projector: ProjectorSettings = ProjectorSettings()
    control: ControlSettings = ControlSettings()
    clock: ClockSettings = ClockSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(cls, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Only what is handed in: `load` reads the sources itself, since it has to know which one gave what."""
        return (kwargs["init_settings"],)


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as `tagstream config` shows it."""

    path: str
    """Such as `kafka.bootstrap`."""
    value: str
    """Secrets are shown as stars."""
    origin: str
    doc: str
    type: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings and where each came from: path (`kafka.bootstrap`) to origin; what is not in it is a default."""

    settings: Settings
    origins: Mapping[str, str]

    def rows(self) -> Iterator[Row]:
        """Every setting, in the order of this module."""
        for path, field, value in _leaves(Settings, self.settings):
            origin = self._origin(path)
            yield Row(path, _shown(value), origin, " ".join((field.description or "").split()), _type_name(field))

    def _origin(self, path: str) -> str:
        """A mapping (`kafka.extra`) may come from several places, each giving some of its entries."""
        found = [where for name, where in self.origins.items() if name == path or name.startswith(path + ".")]
        return ", ".join(dict.fromkeys(found)) or DEFAULT_ORIGIN


def load(config: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Loaded:
    """Reads and checks all settings. `config` is the file to use, `environ` stands for the environment (tests).

    Raises ConfigError: TS-C101 for a value that can't be used, TS-C105 for a name that is no setting, TS-C106 for a
    file that can't be read.
    """
    environ = os.environ if environ is None else environ
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    # From the weakest to the strongest: each lays its values over those before.
    for origin, values in (
        *_from_file(config, environ),
        *_from_secrets(environ),
        *_from_environment(environ),
    ):
        _lay_over(merged, values)
        origins |= dict.fromkeys(_paths(values), origin)
    try:
        return Loaded(Settings(**merged), origins)
    except ValidationError as error:
        raise _unusable(error, origins) from None


# ------------------------------------------------------------------------------------------------- the sources


def _from_file(config: Path | None, environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings file's origin and values; nothing if none is named and none lies in the working directory."""
    named = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    path = named or next((Path(name) for name in DEFAULT_FILES if Path(name).is_file()), None)
    if path is None:
        return
    try:
        text = path.read_text("utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ConfigError("TS-C106", f"The settings file {path} cannot be read: {error}") from None
    if not isinstance(values, dict | None):
        raise ConfigError("TS-C106", f"The settings file {path} does not hold names and values at its top level")
    yield f"file {path}", values or {}


def _from_secrets(environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings that lie as files in the directory of secrets, each file one value."""
    named = environ.get(SECRETS_VARIABLE)
    directory = Path(named) if named else DEFAULT_SECRETS_DIR
    if not directory.is_dir():
        if named:
            raise ConfigError("TS-C106", f"The directory of secrets {directory}, named by {SECRETS_VARIABLE}, is none")
        return
    source = NestedSecretsSettingsSource(
        Settings,  # type: ignore[arg-type]  # its docs and code take the class as well
        secrets_dir=directory,
        secrets_prefix="",
        secrets_nested_delimiter="__",
    )
    # The directory is shared with other programs: what is none of ours there is left alone.
    values = {name: value for name, value in source().items() if name in Settings.model_fields}
    yield f"secrets in {directory}", values


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings in the environment, each with its variable as origin."""
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in (CONFIG_VARIABLE, SECRETS_VARIABLE):
            continue
        first = variable.removeprefix(PREFIX).split("__")[0].lower()
        if first not in Settings.model_fields:
            raise _no_setting(variable.removeprefix(PREFIX).lower().replace("__", "."), f"environment {variable}")
        yield f"environment {variable}", _OneVariable(variable, text)()


class _OneVariable(EnvSettingsSource):
    """The library's reading of the environment (nesting, JSON for mappings), for one variable alone."""

    def __init__(self, variable: str, text: str) -> None:
        self._only = {variable.lower(): text}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._only


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Changes `below` so that it has the values of both, those of `above` where both have one."""
    for name, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(name), dict):
            _lay_over(below[name], value)
        else:
            below[name] = dict(value) if isinstance(value, Mapping) else value


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


# -------------------------------------------------------------------------------------------------- the errors


def _unusable(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    """The first complaint as an error that names the setting, its origin and what it takes."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    origin = origins.get(path) or next((where for name, where in origins.items() if name.startswith(path)), "")
    if first["type"] == "extra_forbidden":
        return _no_setting(path, origin)
    place = f" ({origin})" if origin else ""
    # Never the value itself, which may be a secret.
    return ConfigError("TS-C101", f"The setting {path}{place} cannot be used: {first['msg']}")


def _no_setting(path: str, origin: str) -> ConfigError:
    known = [name for name, _, _ in _leaves(Settings, Settings())]
    near = difflib.get_close_matches(path, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigError("TS-C105", f"There is no setting {path} ({origin}){hint}")


# --------------------------------------------------------------------------------------------------- showing


def _leaves(model: type[BaseModel], values: BaseModel, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    """Every setting that is no section: its path, its field, its value."""
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            yield from _leaves(type(value), value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, value


def _shown(value: Any) -> str:
    """A value for a person. Of an address with a password in it, the password is hidden."""
    if value is None:
        return "-"
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_hidden(name, text)}" for name, text in value.items()) or "-"
    return _without_password(str(value))


def _hidden(name: str, text: str) -> str:
    return "********" if any(word in name for word in ("password", "secret", "token", "key")) else text


def _without_password(text: str) -> str:
    scheme, divider, rest = text.partition("://")
    login, at, host = rest.rpartition("@")
    if not at or ":" not in login:
        return text
    return f"{scheme}{divider}{login.split(':')[0]}:********@{host}"


def _type_name(field: FieldInfo) -> str:
    """The type for a person: `int`, `text`, `path`, or the values that are allowed."""
    return _in_words(field.annotation)


def _in_words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(get_args(annotation))
    if get_origin(annotation) is dict:
        return "names to values"
    if get_args(annotation):
        given = [part for part in get_args(annotation) if part is not type(None)]
        return f"{', '.join(map(_in_words, given))} or none"
    return {str: "text", int: "whole number", bool: "true, false", Path: "path", SecretStr: "secret"}[annotation]
