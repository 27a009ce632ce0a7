"""streams.cli.main and the commands that need no broker"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.errors import KafkaError, RuleError
from streams.cli import main
from streams.local.ports import free_ports

ROOT = Path(__file__).parents[4]


def tagstream(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a user's shell starts it."""
    code = "from streams.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": str(ROOT), "PATH": "", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def fails_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    def app() -> None:
        raise error

    monkeypatch.setattr(main, "app", app)
    with pytest.raises(SystemExit) as caught:
        main.main()
    return caught.value.code


def test_every_command_has_a_line_of_help() -> None:
    commands = main.app.registered_commands
    assert [command.name for command in commands] == list(main.COMMANDS)
    for command in commands:
        assert command.callback is not None
        assert (command.callback.__doc__ or "").strip(), command.name


def test_help_does_not_import_what_is_heavy() -> None:
    code = (
        "import sys, streams.cli.main; "
        "print(*({'numba', 'confluent_kafka', 'redis', 'faust', 'numpy', 'prometheus_client'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(main.__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_an_error_with_a_number_is_two_lines_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fails_with(KafkaError("TS-K101", "no answer", cure="Start it"), monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.err == "TS-K101: no answer\n  Cure: Start it\n"
    assert captured.out == ""


def test_an_error_in_a_rule_shows_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RuleError("TS-R101", file="a.yaml", line=3, column=7, source="when: count(")
    assert fails_with(error, monkeypatch) == 2
    assert capsys.readouterr().err == error.render() + "\n"


def test_several_errors_are_all_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    errors = ExceptionGroup("two", [KafkaError("TS-K101"), KafkaError("TS-K102")])
    assert fails_with(errors, monkeypatch) == 2
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()[::2]] == ["TS-K101", "TS-K102"]


def test_config_shows_settings_and_where_they_come_from() -> None:
    done = tagstream("config", TAGSTREAM_KAFKA__BOOTSTRAP="broker:9092", TAGSTREAM_KAFKA__SASL_PASSWORD="hunter2")
    assert done.returncode == 0, done.stderr
    assert "kafka.bootstrap = broker:9092   [environment TAGSTREAM_KAFKA__BOOTSTRAP]" in done.stdout
    assert "kafka.sasl_password = ********" in done.stdout
    assert "redis.key_prefix =    [default]" in done.stdout
    assert "hunter2" not in done.stdout


def test_a_file_of_settings_can_be_named_before_the_command(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[redis]\nkey_prefix = "mine:"\n')
    done = tagstream("--config", str(config), "config")
    assert f"redis.key_prefix = mine:   [file {config}]" in done.stdout


def test_a_mistyped_setting_stops_every_command() -> None:
    done = tagstream("topics", TAGSTREAM_KAFKA__BOTSTRAP="broker:9092")
    assert done.returncode == 2
    assert "TS-C105" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_on_an_empty_machine_names_what_is_missing_and_its_cure() -> None:
    port, other = free_ports(2)
    done = tagstream(
        "doctor", TAGSTREAM_KAFKA__BOOTSTRAP=f"127.0.0.1:{port}", TAGSTREAM_REDIS__URL=f"redis://127.0.0.1:{other}"
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("note") and "Java 17 and Maven is missing" in line for line in lines)
    assert any(line.startswith("missing") and f"127.0.0.1:{port}" in line for line in lines)
    assert any(line.startswith("missing") and "Redis" in line for line in lines)
    assert "apt-get install" in done.stdout


def test_no_command_shows_the_help() -> None:
    result = CliRunner().invoke(main.app, [])
    assert "Commands" in result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here, which stands for a full disk")
@pytest.mark.parametrize("arguments", [("--help",), ("check", "rules"), ("replay", "examples/cdnow.jsonl.gz")])
def test_a_full_disk_is_a_numbered_error(arguments: tuple[str, ...]) -> None:
    code = "from streams.cli.main import main; main()"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
        )
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        ["TS-C107: Nothing can be written: No space left on device", "  Cure: Make room, or write elsewhere."],
    )
