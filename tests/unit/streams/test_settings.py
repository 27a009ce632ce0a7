"""streams.settings"""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.settings import KafkaSettings, RedisSettings, Settings, load


def refused(environ: dict[str, str], config: Path | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(config, environ=environ)
    return caught.value


def shown(environ: dict[str, str], path: str) -> tuple[str, str]:
    (row,) = (row for row in load(environ=environ).rows() if row.path == path)
    return row.value, row.origin


def test_without_anything_every_setting_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(environ={})
    assert loaded.settings == Settings()
    assert {row.origin for row in loaded.rows()} == {"default"}


def test_the_environment_wins_over_secrets_and_those_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "some.toml"
    config.write_text('[kafka]\nbootstrap = "file:1"\ngroup_id = "file"\nsasl_password = "file"\n')
    (tmp_path / "kafka__group_id").write_text("secret\n")
    (tmp_path / "kafka__sasl_password").write_text("secret\n")
    environ = {"TAGSTREAM_SECRETS_DIR": str(tmp_path), "TAGSTREAM_KAFKA__GROUP_ID": "environment"}
    loaded = load(config, environ=environ)
    kafka = loaded.settings.kafka
    assert (kafka.bootstrap, kafka.group_id) == ("file:1", "environment")
    assert kafka.sasl_password is not None
    assert kafka.sasl_password.get_secret_value() == "secret"
    assert loaded.origins == {
        "kafka.bootstrap": f"file {config}",
        "kafka.group_id": "environment TAGSTREAM_KAFKA__GROUP_ID",
        "kafka.sasl_password": f"secrets in {tmp_path}",
    }


@pytest.mark.parametrize(
    ("name", "text"), [("tagstream.toml", "output_format = 'json'"), ("tagstream.yaml", "output_format: json")]
)
def test_a_file_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    assert load(environ={}).settings.output_format == "json"


def test_a_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("metrics: {port: 9108}")
    assert load(environ={"TAGSTREAM_CONFIG": str(config)}).settings.metrics.port == 9108


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("")
    assert load(config, environ={}).settings == Settings()


def test_a_value_that_cannot_be_used_is_named_with_its_origin() -> None:
    error = refused({"TAGSTREAM_TAGGER__MAX_STEP_EVENTS": "soon"})
    assert error.code == "TS-C101"
    assert "tagger.max_step_events (environment TAGSTREAM_TAGGER__MAX_STEP_EVENTS)" in error.message


def test_an_error_never_shows_the_value_since_it_may_be_a_secret() -> None:
    error = refused({"TAGSTREAM_KAFKA__EXTRA": '{"sasl.password": ["hunter2"]}'})
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("name", ["KAFKA__BOTSTRAP", "KAFKA__BOOTSTRAPS"])
def test_a_mistyped_setting_is_an_error_with_a_suggestion(name: str) -> None:
    error = refused({f"TAGSTREAM_{name}": "x:1"})
    assert error.code == "TS-C105"
    assert "did you mean kafka.bootstrap?" in error.message


@pytest.mark.parametrize("name", ["KAFAK__BOOTSTRAP", "OUTPUT"])
def test_a_mistyped_section_is_an_error(name: str) -> None:
    assert refused({f"TAGSTREAM_{name}": "x:1"}).code == "TS-C105"


def test_a_mistyped_name_in_a_file_is_an_error(tmp_path: Path) -> None:
    config = tmp_path / "x.toml"
    config.write_text("[tager]\nmax_step_events = 5")
    error = refused({}, config)
    assert error.code == "TS-C105"
    assert str(config) in error.message


@pytest.mark.parametrize("text", ["[kafka", "- a\n- b\n", "kafka: [", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, text: str | bytes) -> None:
    config = tmp_path / ("x.toml" if text == "[kafka" else "x.yaml")
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert refused({}, config).code == "TS-C106"


def test_a_named_file_or_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert refused({"TAGSTREAM_CONFIG": nowhere}).code == "TS-C106"
    assert refused({"TAGSTREAM_SECRETS_DIR": nowhere}).code == "TS-C106"


def test_what_others_keep_among_the_secrets_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "database_password").write_text("x")
    assert load(environ={"TAGSTREAM_SECRETS_DIR": str(tmp_path)}).settings == Settings()


def test_the_time_zone_must_exist() -> None:
    assert load(environ={"TAGSTREAM_RULES__TIME_ZONE": "Asia/Shanghai"}).settings.rules.time_zone == "Asia/Shanghai"
    for name in ("Mars/Olympus", "", "/etc/passwd"):
        assert refused({"TAGSTREAM_RULES__TIME_ZONE": name}).code == "TS-C101"


def test_secrets_are_shown_as_stars() -> None:
    environ = {
        "TAGSTREAM_KAFKA__SASL_PASSWORD": "hunter2",
        "TAGSTREAM_KAFKA__EXTRA": '{"ssl.keystore.password": "hunter2", "linger.ms": "5"}',
        "TAGSTREAM_REDIS__URL": "redis://user:hunter2@host:6379/0",
    }
    assert shown(environ, "kafka.sasl_password")[0] == "********"
    assert shown(environ, "kafka.extra")[0] == "ssl.keystore.password=******** linger.ms=5"
    assert shown(environ, "redis.url")[0] == "redis://user:********@host:6379/0"
    assert "hunter2" not in str(list(load(environ=environ).rows()))


def test_one_entry_of_a_mapping_can_be_given_alone() -> None:
    environ = {"TAGSTREAM_KAFKA__EXTRA__linger.ms": "5"}
    assert load(environ=environ).settings.kafka.extra == {"linger.ms": "5"}
    assert shown(environ, "kafka.extra") == ("linger.ms=5", "environment TAGSTREAM_KAFKA__EXTRA__linger.ms")


def test_every_setting_says_what_it_does() -> None:
    rows = list(load(environ={}).rows())
    assert len(rows) > 30
    for row in rows:
        assert row.doc.endswith("."), f"{row.path}: {row.doc!r}"
        assert row.type


def test_kafka_clients_get_what_is_set_and_extra_wins() -> None:
    kafka = KafkaSettings(
        bootstrap="b:1", security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_username="u", sasl_password="p",
        extra={"security.protocol": "SSL", "client.rack": "a"},
    )  # fmt: skip
    assert kafka.client_config() == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "p",
        "client.rack": "a",
    }


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        RedisSettings().url = "redis://other:1"  # type: ignore[misc]
