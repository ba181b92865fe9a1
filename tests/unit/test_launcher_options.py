"""The command line."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.cni.version import SUITE
from launcher import main as command
from launcher.arguments import GLOBAL
from launcher.commands import COMMANDS
from launcher.options import parse, parser

STAYS = "run stays in the foreground; `cniwire up NETWORK NAME` makes a container that stays"


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
    before = parse(
        [
            "--conf-dir",
            "c",
            "--plugin-dir",
            "p",
            "--plugin-dir",
            "q",
            "--cache-dir",
            "d",
            "--timeout",
            "2.5",
            "--json",
            "--verbose",
            "ls",
        ]
    )
    behind = parse(
        [
            "ls",
            "--conf-dir",
            "c",
            "--plugin-dir",
            "p",
            "--plugin-dir",
            "q",
            "--cache-dir",
            "d",
            "--timeout",
            "2.5",
            "--json",
            "--verbose",
        ]
    )
    assert vars(before) == vars(behind)
    assert (before.conf_dir, before.plugin_dir, before.cache_dir, before.timeout) == (
        "c",
        ["p", "q"],
        "d",
        2.5,
    )
    assert (before.json, before.verbose) == (True, True)


def test_defaults_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETCONFPATH", raising=False)
    options = parse(["ls"])
    assert (options.conf_dir, options.plugin_dir, options.cache_dir, options.timeout) == (
        "/etc/cni/net.d",
        None,
        "/var/lib/cni",
        60,
    )
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
        ("fly", "cniwire: there is no command 'fly'\n  → `cniwire --help` shows the commands"),
        ("rnu demo", "there is no command 'rnu'\n  → did you mean `cniwire run`?"),
        ("rm web", "there is no command 'rm'\n  → did you mean `cniwire down`?"),
        ("run", "cniwire run: NETWORK is missing\n  → `cniwire run --help` shows how it is used"),
        ("up", "cniwire up: NETWORK and NAME are missing"),
        ("up demo", "cniwire up: NAME is missing"),
        ("up demo a --pubish 80:80", "cniwire up: there is no option --pubish\n  → did you mean --publish?"),
        ("--jsno ls", "there is no option --jsno\n  → did you mean --json?"),
        ("--jsno", "cniwire: there is no option --jsno\n  → did you mean --json?"),
        ("run demo ls -la", "cniwire run: a command stands behind `--`\n  → cniwire run demo -- ls -la"),
        ("run demo ls --json", "→ cniwire run demo -- ls --json"),
        ("run demo ls -t", "→ cniwire run demo -- ls -t"),
        ("run demo ping -i 1 ls", "→ cniwire run demo -- ping -i 1 ls"),
        ("run demo -la", "there is no option -la"),
        (
            "run -d demo",
            f"there is no option -d\n  → {STAYS}",
        ),
        ("run -itd demo sh", "there is no option -d"),
        ("run -v /a:/b demo", "there is no option -v\n  → a container here sees this machine's files"),
        (
            "run --network=demo sh",
            "there is no option --network\n  → the network comes first: `cniwire run NETWORK`",
        ),
        ("run demo -e A=1 env", "there is no option -e\n  → the command has your environment"),
        (
            "completion tcsh",
            "cniwire completion: want one of bash, zsh, fish, networks, containers, found tcsh",
        ),
        ("completion bash zsh", "'zsh' is one word too many"),
        ("up demo a --arg", "cniwire up: --arg: expected one argument"),
        ("up demo a -p http", "ports from 1 to 65535 instead of 'http'"),
        ("up demo a --mac 01:00:00:00:00:01", "cniwire up: --mac: invalid MAC"),
        ("up demo a --mac x", "cniwire up: --mac: invalid MAC"),
        ("up demo a --ip 10.0.0.300", "cniwire up: --ip: "),
        ("up demo a --ip 224.0.0.1", "is no address for a container"),
        ("up demo a --arg x", "want KEY=VALUE"),
        ("up demo a --arg x=1;y=2", "want KEY=VALUE"),
        ("up demo a --capability [1]", "want a JSON object"),
        ("up demo a --capability {", "want a JSON object"),
        ("--timeout 0 ls", "want a positive number of seconds"),
        ("--timeout soon ls", "want a positive number of seconds"),
        ("ls -- x", "ls takes no command behind --"),
        ("ls --js", "there is no option --js"),
    ],
)
def test_a_line_that_makes_no_sense_ends_with_2(
    capsys: pytest.CaptureFixture[str], line: str, complaint: str
) -> None:
    assert complaint in refused(capsys, *line.split())


def test_usage_errors_are_a_line_and_a_pointer(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("fly", "run", "up demo", "ls --js", "up demo a -p http"):
        text = refused(capsys, *line.split())
        first, pointer = text.splitlines()
        assert (first.startswith("cniwire"), pointer.startswith("  → ")) == (True, True)


def test_what_docker_users_type_out_of_habit_is_understood() -> None:
    """A command here always has your terminal, and a container of `run` never stays."""
    for line in (
        "run --rm -it demo",
        "run -i -t --rm demo",
        "run demo --rm",
        "run -it demo -- sh -c x",
        "run demo ls",
    ):
        assert parse(line.split()).network == "demo"
    assert parse(["exec", "-it", "web", "ls", "-it"]).command == ["ls", "-it"]
    assert parse(["ps", "-a"]).action == "ps"


def test_a_command_of_one_word_may_stand_without_the_dashes() -> None:
    assert parse(["run", "demo", "ls"]).command == ["ls"]
    assert parse(["run", "-p", "80:80", "demo", "ls", "x"]).command == ["ls", "x"]


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a command prints that ends with 0."""
    try:
        code = command.main(argv)
    except SystemExit as caught:
        code = int(caught.code or 0)
    assert code == 0
    return capsys.readouterr().out


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--help")
    assert "examples:\n  cniwire lab" in text
    assert "exit codes:\n  0 " in text
    for name, (_, _, examples) in COMMANDS.items():
        assert f"\n  {name} " in text
        assert examples[0] in printed(capsys, name, "--help")


def test_every_way_to_ask_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing at all shows what there is."""
    overview = printed(capsys, "--help")
    assert [printed(capsys, *argv) for argv in ((), ("-h",), ("help",))] == [overview] * 3
    assert printed(capsys, "help", "run") == printed(capsys, "run", "--help") == printed(capsys, "run", "-h")
    with pytest.raises(SystemExit) as caught:
        command.main(["help", "rnu"])
    assert caught.value.code == 2
    assert "did you mean `cniwire run`?" in capsys.readouterr().err


def test_every_option_has_its_line_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name, (_, arguments, _) in COMMANDS.items():
        text = printed(capsys, "help", name)
        for flags, settings in arguments:
            visible = settings.get("help") != argparse.SUPPRESS
            assert all(
                (flag in text) == visible for flag in flags if flag.startswith("-") and len(flag) > 2
            ), (name, flags)


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "--version") == f"cniwire {SUITE}, CNI 0.1.0 to 1.1.0\n"


def test_every_example_in_the_help_is_accepted() -> None:
    for _, _, examples in COMMANDS.values():
        for example in examples:
            if example.startswith("cniwire ") and "$" not in example and ">" not in example:
                parse(example.split()[1:])


def test_lab_is_handed_over_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.lab.main", len)
    assert command.main(["lab", "--", "ls", "--json"]) == 3
    assert command.main(["--verbose", "lab", "--", "ls", "--json"]) == 2, (
        "behind other options the dashes are ours"
    )


def test_help_loads_neither_rich_nor_pyroute2() -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print({'rich', 'pyroute2'} & set(sys.modules))); "
        "import launcher.main as it; it.main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_list_of_global_options_is_that_of_the_parser() -> None:
    """Completion and the search for misspelt options use the list."""
    flags = {flag for action in parser()._actions for flag in action.option_strings}
    assert set(GLOBAL) == {flag for flag in flags if flag.startswith("--")}
