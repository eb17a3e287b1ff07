"""The list of variables people copy is the list that the portal reads."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from portal.env import load_env_file

ROOT = Path(__file__).parent.parent.parent
# Parses what was read before.
PARSER = "db_url_config"


def _read_by_settings() -> set[str]:
    tree = ast.parse((ROOT / "portal/settings.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    read = [call for call in calls if isinstance(call.func, ast.Attribute) and _is_env(call.func.value)]
    names = set()
    for call in read:
        if isinstance(call.func, ast.Attribute) and call.func.attr != PARSER:
            assert isinstance(call.args[0], ast.Constant), f"line {call.lineno}: a name that cannot be listed"
            names.add(str(call.args[0].value))
    return names


def _is_env(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "env"


def _named_in_example() -> list[str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return [match[1] for line in lines if (match := re.match(r"#?([A-Z][A-Z0-9_]+)=", line))]


def _interpolated_by_compose() -> set[str]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))


def test_example_names_what_settings_and_compose_read_and_nothing_else() -> None:
    assert set(_named_in_example()) == _read_by_settings() | _interpolated_by_compose()


def test_example_names_nothing_twice() -> None:
    names = _named_in_example()
    assert sorted(names) == sorted(set(names))


def test_no_package_but_the_settings_reads_the_environment() -> None:
    # home/connect.py shows people how a program of theirs reads its password.
    allowed = {"celery.py", "env.py", "settings.py", "wsgi.py", "home/connect.py"}
    readers = {
        path.relative_to(ROOT / "portal").as_posix()
        for path in (ROOT / "portal").rglob("*.py")
        if re.search(r"os\.environ|os\.getenv|portal\.env import", path.read_text(encoding="utf-8"))
    }
    assert readers == allowed


def test_env_file_gives_values_as_they_stand_and_the_shell_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "demo.env"
    file.write_text("# comment\nPORTAL_A=one=two # three\n\nPORTAL_B=file\n", encoding="utf-8")
    monkeypatch.setenv("PORTAL_ENV_FILE", str(file))
    monkeypatch.setenv("PORTAL_B", "shell")
    # Registers the name, so that it is removed again.
    monkeypatch.setenv("PORTAL_A", "")
    monkeypatch.delenv("PORTAL_A")

    load_env_file()
    assert (os.environ["PORTAL_A"], os.environ["PORTAL_B"]) == ("one=two # three", "shell")


def test_env_file_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_ENV_FILE", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError):
        load_env_file()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            None,
            (
                "Set the SECRET_KEY environment variable. "
                "PORTAL_ENV_FILE can name a file with the environment, for example var/demo.env."
            ),
        ),
        ("nothing", "PORTAL_ENV_FILE names nothing, which is not there. The demo writes var/demo.env when it starts."),
    ],
)
def test_manage_py_says_what_its_environment_lacks(file: str | None, said: str) -> None:
    given = {"PORTAL_ENV_FILE": file} if file else {}
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "showmigrations"], env=given, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (1, said)
