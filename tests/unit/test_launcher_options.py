"""The command line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import main as command
from launcher.completion import script
from launcher.options import COMMANDS, parse, parser


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_run_takes_its_command_from_behind_the_dashes() -> None:
    options = parse(["run", "demo", "-p", "8080:80", "--name", "web", "--", "ping", "-c", "1", "--", "x"])
    assert options.command == ["ping", "-c", "1", "--", "x"]
    assert (options.network, options.name) == ("demo", "web")
    assert options.publish == [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]


def test_the_command_may_be_left_out() -> None:
    assert parse(["run", "demo"]).command == []
    assert parse(["run", "demo", "--"]).command == []
    assert parse(["exec", "web"]).command == []


def test_exec_takes_the_rest_of_the_line_as_it_is() -> None:
    assert parse(["exec", "web", "ping", "-c", "1", "--json"]).command == ["ping", "-c", "1", "--json"]
    assert parse(["exec", "--verbose", "web", "--", "ls", "-l"]).command == ["ls", "-l"]


def test_options_stand_anywhere() -> None:
    for line in ("up demo a b -p 1:2", "up -p 1:2 demo a b", "up demo -p 1:2 a b"):
        options = parse(line.split())
        assert (options.network, options.names, len(options.publish)) == ("demo", ["a", "b"], 1)
    for line in ("check --network net a b", "check a b --network net"):
        options = parse(line.split())
        assert (options.network, options.names) == ("net", ["a", "b"])


def test_global_options_stand_before_or_behind_the_command() -> None:
    before = parse(["--conf-dir", "c", "--plugin-dir", "p", "--plugin-dir", "q", "--cache-dir", "d", "--timeout", "2.5", "--json", "--verbose", "ls"])
    behind = parse(["ls", "--conf-dir", "c", "--plugin-dir", "p", "--plugin-dir", "q", "--cache-dir", "d", "--timeout", "2.5", "--json", "--verbose"])
    assert vars(before) == vars(behind)
    assert (before.conf_dir, before.plugin_dir, before.cache_dir, before.timeout) == ("c", ["p", "q"], "d", 2.5)
    assert (before.json, before.verbose) == (True, True)


def test_defaults_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETCONFPATH", raising=False)
    options = parse(["ls"])
    assert (options.conf_dir, options.plugin_dir, options.cache_dir, options.timeout) == ("/etc/cni/net.d", None, "/var/lib/cni", 60)
    monkeypatch.setenv("NETCONFPATH", "/elsewhere")
    assert parse(["ls"]).conf_dir == "/elsewhere"
    assert parse(["ls", "--conf-dir", "/here"]).conf_dir == "/here"


def test_plugin_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    """--plugin-dir wins over CNI_PATH wins over our own and the system's."""
    monkeypatch.setenv("CNI_PATH", "/a:/b:")
    assert command.plugin_dirs(["/c:/d", "/e"]) == ["/c", "/d", "/e"]
    assert command.plugin_dirs(None) == ["/a", "/b"]
    monkeypatch.delenv("CNI_PATH")
    found = command.plugin_dirs(None)
    assert found[0] == str(Path(command.__file__).parent.parent / "bin")
    assert all(os.path.isdir(directory) for directory in found)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "required: COMMAND"),
        ("fly", "invalid choice: 'fly'"),
        ("run", "required: NETWORK"),
        ("up demo", "required: NAME"),
        ("up demo a -p 80", "want a host port and a container port"),
        ("up demo a --arg x", "want KEY=VALUE"),
        ("up demo a --arg x=1;y=2", "want KEY=VALUE"),
        ("up demo a --capability [1]", "want a JSON object"),
        ("up demo a --capability {", "want a JSON object"),
        ("--timeout 0 ls", "want a positive number of seconds"),
        ("--timeout soon ls", "want a positive number of seconds"),
        ("ls -- x", "ls takes no command behind --"),
        ("ls --js", "unrecognized arguments: --js"),
    ],
)
def test_a_line_that_makes_no_sense_ends_with_2(capsys: pytest.CaptureFixture[str], line: str, complaint: str) -> None:
    assert complaint in refused(capsys, *line.split())


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert "examples:\n  cniwire lab" in text
    assert "exit codes:\n  0 " in text
    for name, (_, _, examples) in COMMANDS.items():
        assert f"    {name} " in text
        with pytest.raises(SystemExit):
            parse([name, "--help"])
        assert examples[0] in capsys.readouterr().out


def test_every_example_in_the_help_is_accepted() -> None:
    for _, _, examples in COMMANDS.values():
        for example in examples:
            if example.startswith("cniwire ") and "$" not in example and ">" not in example:
                parse(example.split()[1:])


def test_lab_is_handed_over_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.lab.main", len)
    assert command.main(["lab", "--", "ls", "--json"]) == 3
    assert command.main(["--verbose", "lab", "--", "ls", "--json"]) == 2, "behind other options the dashes are ours"


def test_completion_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["completion", "bash"]) == 0
    assert "complete -F _cniwire cniwire" in capsys.readouterr().out


def bash(script_text: str, *words: str) -> list[str]:
    """What bash would offer for the last of *words*."""
    line = " ".join(f'"{word}"' for word in words)
    program = f'{script_text}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _cniwire; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    return sorted(set(done.stdout.split()))


def test_bash_offers_commands_options_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = script(parser(), "bash")
    assert bash(text, "cniwire", "") == sorted([*COMMANDS, "--help"])
    assert bash(text, "cniwire", "de") == ["detach"]
    assert bash(text, "cniwire", "gc", "--d") == ["--dry-run"]
    assert bash(text, "cniwire", "--json", "gc", "--d") == ["--dry-run"]
    assert bash(text, "cniwire", "completion", "") == sorted(["bash", "fish", "zsh", *bash(text, "cniwire", "completion", "-")])
    (tmp_path / "10.conflist").write_text('{\n  "name": "my-net",\n  "plugins": []\n}')
    monkeypatch.setenv("NETCONFPATH", str(tmp_path))
    assert bash(text, "cniwire", "run", "my") == ["my-net"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_valid(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script(parser(), shell), text=True, check=True, timeout=20)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_option(shell: str) -> None:
    text = script(parser(), shell)
    for name in COMMANDS:
        assert name in text
    for option in ("publish", "dry-run", "force", "conf-dir"):
        assert option in text


def test_help_loads_neither_rich_nor_pyroute2() -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print({'rich', 'pyroute2'} & set(sys.modules))); import launcher.main as it; it.main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "set()"
