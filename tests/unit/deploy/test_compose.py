"""docker-compose.yml: valid, whole, and in step with the code and with the files beside it."""

from __future__ import annotations

import base64
import copy
import importlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import typer

from schemas.errors import ConfigError
from streams.settings import Settings, load
from tests.unit.deploy.deploy_files import COMPOSE, PROMETHEUS, ROOT, dockerfile, image_environment, load_yaml

SCHEMA = json.loads((Path(__file__).parent / "vendor" / "compose-spec.json").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = load_yaml(COMPOSE)
SERVICES: dict[str, Any] = PROJECT["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
ONE_SHOT = {"topics"}


def validate(project: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(project)


def test_the_file_is_valid_by_the_compose_specification() -> None:
    validate(PROJECT)


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [("tagger", "comand", ["tagger"]), ("redis", "restart", 3), ("kafka", "healthcheck", {"every": "3s"})],
)
def test_the_schema_finds_what_is_wrong(service: str, key: str, value: object) -> None:
    broken = copy.deepcopy(PROJECT)
    broken["services"][service][key] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_the_services_are_those_that_a_deployment_needs() -> None:
    assert set(SERVICES) == {"kafka", "redis", "topics", "tagger", "projector", "control", "prometheus", "grafana"}
    assert {"topics", "tagger", "projector", "control"} == OURS


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_a_service_that_runs_on_is_restarted_checked_and_stopped_gently(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30
    assert service["logging"]["options"]["max-size"]
    # Ours have the image's own healthcheck.
    assert (name in OURS) != ("healthcheck" in service)


def test_what_runs_once_is_not_restarted() -> None:
    for name in ONE_SHOT:
        assert SERVICES[name]["restart"] == "no"
        assert SERVICES[name]["healthcheck"] == {"disable": True}


def test_services_wait_for_what_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            assert other in SERVICES, f"{name} waits for {other}"
            assert (condition == "service_completed_successfully") == (other in ONE_SHOT)
            if condition == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"]


def test_ports_are_open_to_this_machine_only_and_do_not_collide() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    published = [re.fullmatch(r"127\.0\.0\.1:(\d+):\d+", port) for port in ports]
    assert ports and all(published)
    numbers = [match.group(1) for match in published if match]
    assert len(set(numbers)) == len(numbers)


def test_services_that_are_scaled_publish_no_port_and_have_no_fixed_name() -> None:
    for name in OURS:
        assert not {"ports", "container_name", "hostname"} & set(SERVICES[name])


def test_volumes_are_declared_used_and_their_files_are_there() -> None:
    used: set[str] = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            assert target.startswith("/")
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert mode == ["ro"], volume
            else:
                used.add(source)
    assert used == set(PROJECT["volumes"])


def test_images_of_others_are_of_one_version() -> None:
    for name in set(SERVICES) - OURS:
        tag = SERVICES[name]["image"].split(":")[1]
        assert re.match(r"v?\d+\.\d+", tag), SERVICES[name]["image"]


def test_it_starts_without_any_variable_being_set() -> None:
    used = re.findall(r"\$\{([^}]*)\}", COMPOSE.read_text(encoding="utf-8"))
    assert used and all(re.fullmatch(r"\w+:-.+", name) for name in used)


def test_ours_run_without_privileges() -> None:
    for name in OURS:
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


def test_kafka_s_addresses_fit_together() -> None:
    kafka = SERVICES["kafka"]
    environment = kafka["environment"]

    def listeners(key: str) -> dict[str, str]:
        return dict(entry.split("://") for entry in environment[key].split(","))

    bound, advertised = listeners("KAFKA_LISTENERS"), listeners("KAFKA_ADVERTISED_LISTENERS")
    controller = environment["KAFKA_CONTROLLER_LISTENER_NAMES"]
    assert set(advertised) == set(bound) - {controller}
    for name, address in advertised.items():
        assert address.split(":")[1] == bound[name].split(":")[1]
    protocols = dict(entry.split(":") for entry in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(protocols) == set(bound)
    assert environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"1@kafka{bound[controller]}"
    assert advertised["HOST"] == "localhost:9092" and "127.0.0.1:9092:9092" in kafka["ports"]
    for name in OURS:
        assert SERVICES[name]["environment"]["TAGSTREAM_KAFKA__BOOTSTRAP"] == advertised["INTERNAL"]
    assert len(base64.urlsafe_b64decode(environment["CLUSTER_ID"] + "==")) == 16
    assert environment["KAFKA_LOG_DIRS"] in {volume.split(":")[1] for volume in kafka["volumes"]}


def test_our_processes_find_redis_and_prometheus_finds_them() -> None:
    port = image_environment()["TAGSTREAM_METRICS__PORT"]
    scraped = {job["job_name"]: job for job in load_yaml(PROMETHEUS)["scrape_configs"]}
    for name in OURS - ONE_SHOT:
        environment = SERVICES[name]["environment"]
        assert environment["TAGSTREAM_REDIS__URL"] == "redis://redis:6379/0"
        assert environment["TAGSTREAM_METRICS__PORT"] == port
        [found] = scraped[name]["dns_sd_configs"]
        assert found["names"] == [name] and str(found["port"]) == port


def test_every_variable_of_ours_is_a_setting_and_has_a_value_that_it_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # where no settings file lies
    for name in OURS:
        environment = image_environment() | SERVICES[name]["environment"]
        loaded = load(environ=environment)  # an unknown name and an impossible value are errors
        from_variables = {row.path for row in loaded.rows() if row.origin.startswith("environment")}
        assert from_variables == {"kafka.bootstrap", "redis.url", "metrics.host", "metrics.port"}
        assert loaded.settings.metrics.host == "0.0.0.0"
    with pytest.raises(ConfigError):
        load(environ={"TAGSTREAM_KAFKA__BOTSTRAP": "kafka:19092"})


@pytest.mark.parametrize("name", ["tagger", "control"])
def test_the_rules_are_mounted_where_those_look_who_read_them(name: str) -> None:
    [workdir] = [rest for instruction, rest in dockerfile()[-12:] if instruction == "WORKDIR"]
    targets = [volume.split(":")[1] for volume in SERVICES[name]["volumes"]]
    assert targets == [str(Path(workdir) / Settings().rules.dir)]


def test_every_command_and_option_exists() -> None:
    app = importlib.import_module("streams.cli.main").app
    group: Any = typer.main.get_command(app)
    for name in OURS:
        command, *options = SERVICES[name]["command"]
        assert command in group.commands, f"tagstream {command}"
        known = {option for parameter in group.commands[command].params for option in parameter.opts}
        assert set(options) <= known, f"tagstream {command} knows {sorted(known)}"
