"""deploy/Dockerfile: what it copies and runs is there, it pins what it installs, and it does not run as root."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import tomllib

import pytest

from tests.unit.deploy.deploy_files import DOCKERFILE, ROOT, dockerfile, image_environment

INSTRUCTIONS = dockerfile()


def all_of(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_both_stages_start_from_the_same_slim_python() -> None:
    bases = [base.split()[0] for base in all_of("FROM")]
    assert len(bases) == 2 and len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11-slim(-\w+)?", bases[0])


def test_everything_copied_from_the_repository_is_sent_to_the_builder_and_is_there() -> None:
    ignore = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignore
    sources = [word for rest in all_of("COPY") if "--from" not in rest for word in rest.split()[:-1]]
    assert len(sources) >= 6
    for source in sources:
        assert f"!{source}" in ignore, f"{source} is not sent"
        assert (ROOT / source).exists(), source


def test_the_whole_program_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["uv"]["build-backend"]["module-name"])
    copied = {word for rest in all_of("COPY") for word in rest.split()[:-1]}
    assert packages <= copied


def test_dependencies_are_installed_by_their_hashes() -> None:
    from_index = [
        part for rest in all_of("RUN") for part in rest.split("&&") if "pip install" in part and "--no-deps" not in part
    ]
    assert from_index
    for command in from_index:
        assert "--require-hashes" in command and "--only-binary :all:" in command, command
    for path in re.findall(r"requirements/\w+\.txt", " ".join(all_of("RUN"))):
        assert "--hash=sha256:" in (ROOT / path).read_text(encoding="utf-8"), path


def test_the_build_backend_is_found_among_the_pinned_requirements() -> None:
    [script] = [match.group(1) for rest in all_of("RUN") if (match := re.search(r"sed -n '([^']*)'", rest))]
    result = subprocess.run(
        ["sed", "-n", script, str(ROOT / "requirements" / "dev.txt")],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert lines[0].startswith("uv-build==")
    assert all("--hash=" in line for line in lines[1:]) and len(lines) > 1


def test_the_code_is_compiled_at_build_time_and_kept_for_the_user() -> None:
    assert "python -m processors.warm" in all_of("RUN")
    assert importlib.util.find_spec("processors.warm") is not None
    cache = image_environment()["NUMBA_CACHE_DIR"]
    assert f"NUMBA_CACHE_DIR={cache}" in all_of("ENV")
    [copied] = [rest for rest in all_of("COPY") if cache in rest]
    assert "--chown=10001:10001" in copied


def test_it_does_not_run_as_root() -> None:
    [user] = all_of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    names = [name for name, _ in INSTRUCTIONS]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))


def test_it_starts_the_console_script() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [entry] = all_of("ENTRYPOINT")
    assert json.loads(entry)[0] in project["project"]["scripts"]


def test_the_port_is_the_one_that_is_exposed() -> None:
    assert all_of("EXPOSE") == [image_environment()["TAGSTREAM_METRICS__PORT"]]
    assert image_environment()["TAGSTREAM_METRICS__HOST"] == "0.0.0.0"


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_healthcheck_asks_healthz(status: int, exit_code: int) -> None:
    [line] = all_of("HEALTHCHECK")
    command = json.loads(line[line.index("[") :])
    assert command[0] == "python"
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        environment = os.environ | {"TAGSTREAM_METRICS__PORT": str(server.server_port)}
        result = subprocess.run(
            [sys.executable, *command[1:]], env=environment, capture_output=True, timeout=30, check=False
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == ["/healthz"]
    assert result.returncode == exit_code
