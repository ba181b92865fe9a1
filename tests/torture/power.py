"""`make torture-power`: the power fails at every point of a recording of host-local's store.

The disk keeps no more than it must.

What was not synced may be lost: entries of a directory one by one and in any combination, the bytes of
a file wholly or half. Before the cut some runs may also have been killed. Whatever is left:
every reservation that an ADD has reported is there, none is torn, and CHECK, ADD, GC and DEL work on it.
`--without-fsync` leaves the syncs out of the recording, to see that the torture bites.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.cni.protocol import respond
from ipam import host_local
from ipam.host_local import boot, reservation
from tests.harness import plugin
from tests.torture import recording
from tests.torture.crash import CHANGING, changes
from tests.torture.disk import Mark, Operation, Sync, Tree, trees
from tests.torture.run import Finding, Tally, main
from tests.torture.subject import IPV4, IPV6, NETWORK, VERSION
from tests.torture.trace import Call, Trace

PLAN = "ADD c1, ADD c2, DEL c1, ADD c3, DEL c2, DEL c3, ADD c4, ADD c5, GC c5, ADD c1, DEL c5, ADD c2"
SHORT_PLAN = "ADD c1, ADD c2, DEL c1, ADD c3"
AFTER_KILL = "ADD c2, DEL c1"
NEWCOMER = "newcomer"
MEMORY = "/dev/shm"
CHUNK = 4  # cuts of a task


class Scenario(NamedTuple):
    """What happens before the cut: verbs in order; the first may be killed at a call."""

    plan: str
    killed: Call | None
    executables: Path
    synced: bool = True

    def __str__(self) -> str:
        return f"{f'ADD c1 killed at {self.killed}, ' if self.killed else ''}{self.plan}"


class Cut(NamedTuple):
    """The power fails after *history*.

    reported: container -> the result of its ADD, which is to be found afterwards.
    """

    history: tuple[Operation, ...]
    reported: dict[str, Any]


def environ(verb: str, container: str, path: str = "/x") -> dict[str, str]:
    netns = f"/run/netns/{container}"
    return {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": netns,
        "CNI_IFNAME": "eth0",
        "CNI_PATH": path,
    }


def stdin(data: Path, **more: Any) -> bytes:
    ipam = {
        "type": "host-local",
        "dataDir": str(data / "cni" / "networks"),
        "ranges": [[{"subnet": IPV4}], [{"subnet": IPV6}]],
    }
    return json.dumps(
        {"cniVersion": VERSION, "name": NETWORK, "type": "host-local", "ipam": ipam, **more}
    ).encode()


def valid(*containers: str) -> dict[str, Any]:
    return {
        "cni.dev/valid-attachments": [
            {"containerID": container, "ifname": "eth0"} for container in containers
        ]
    }


def record(scenario: Scenario) -> list[Cut]:
    """Run a scenario and return every cut to try, with what was promised by then."""
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        folder = Path(name)
        recorder = recording.Recorder(folder)
        results: dict[tuple[str, int], Any] = {}
        if scenario.killed:
            recorder.follow(run(scenario, folder, "ADD", "c1", scenario.killed)[0], "c1")
        first = len(recorder.operations)
        for step in scenario.plan.split(", "):
            verb, container = step.split()
            recorder.operations.append(Mark(verb, container))
            trace, answer = run(scenario, folder, verb, container)
            recorder.follow(trace, container)
            if verb == "ADD":
                results[container, len(recorder.operations)] = json.loads(answer)
    operations = [it for it in recorder.operations if scenario.synced or not isinstance(it, Sync)]
    return [
        Cut(tuple(operations[:end]), promised(operations[:end], results))
        for end in range(first if scenario.synced else 0, len(operations) + 1)
    ]


def promised(history: Sequence[Operation], results: dict[tuple[str, int], Any]) -> dict[str, Any]:
    """Container -> result of every ADD that has reported, and that no DEL or GC has begun to undo."""
    found: dict[str, Any] = {}
    ordered = list(results.items())
    for operation in history:
        if isinstance(operation, Mark) and operation.what == "reported":
            number = next(
                at for at, ((container, _), _) in enumerate(ordered) if container == operation.owner
            )
            found[operation.owner] = ordered.pop(number)[1]
        elif isinstance(operation, Mark) and operation.what == "DEL":
            found.pop(operation.owner, None)
        elif isinstance(operation, Mark) and operation.what == "GC":
            found = {container: result for container, result in found.items() if container == operation.owner}
    return found


def run(
    scenario: Scenario, folder: Path, verb: str, container: str, killed: Call | None = None
) -> tuple[str, bytes]:
    """One process of host-local under strace: (what it did, its answer)."""
    with tempfile.NamedTemporaryFile(prefix="trace-", mode="r", encoding="ascii") as file:
        names = {*recording.CALLS, *([killed.name] if killed else [])}
        start = [*recording.STRACE, "-e", f"trace={','.join(names)}", "-o", file.name]
        start += (
            ["-e", f"inject={killed.name}:signal=KILL:when={killed.number}"] if killed else ["--seccomp-bpf"]
        )
        done = subprocess.run(
            [*start, scenario.executables / "host-local"],
            env={**environ(verb, container, str(scenario.executables)), "PATH": plugin.PATH},
            input=stdin(folder, **(valid(container) if verb == "GC" else {})),
            capture_output=True,
        )
        assert done.returncode == (-9 if killed else 0), done.stdout
        return file.read(), done.stdout


def call(data: Path, verb: str, container: str, **more: Any) -> tuple[int, Any]:
    """One verb in this process; the machine has booted since the recording."""
    code, stdout = respond(host_local, environ(verb, container), lambda: stdin(data, **more))
    return code, json.loads(stdout) if stdout else None


def torture(scenario: Scenario, cuts: list[Cut]) -> Tally:
    """Try every tree that each cut may leave."""
    tally = Tally()
    folder = Path(tempfile.mkdtemp(prefix="power-", dir=MEMORY))
    boot_id, boot.BOOT_ID = boot.BOOT_ID, str(folder / "boot_id")
    Path(boot.BOOT_ID).write_text("00000000-1111-2222-3333-444444444444\n", encoding="ascii")
    try:
        for cut in cuts:
            tally.count("cuts")
            seen: set[tuple[Any, ...]] = set()
            for tree in trees(cut.history):
                key = tuple(sorted(tree.items()))
                if key in seen:
                    continue
                seen.add(key)
                tally.tries += 1
                tally.findings += [
                    Finding(str(scenario), where(cut), what)
                    for what in attempt(folder / "data", tree, cut.reported)
                ]
    finally:
        boot.BOOT_ID = boot_id
        shutil.rmtree(folder)
    return tally


def where(cut: Cut) -> str:
    last = cut.history[-1] if cut.history else "nothing"
    return f"cut {len(cut.history)}, after {str(last)[:90]}"


def attempt(data: Path, tree: Tree, reported: dict[str, Any]) -> Iterator[str]:
    """Make the tree and use it; yields what is wrong."""
    build(data, tree)
    network = data / "cni" / "networks" / NETWORK
    yield from lost(network, reported)
    before = {name for name in os.listdir(network) if reservation.packed(name)} if network.is_dir() else set()
    for container, result in reported.items():
        if call(data, "CHECK", container, prevResult=result)[0]:
            yield f"CHECK of {container} fails"
    code, answer = call(data, "ADD", NEWCOMER)
    if code:
        yield f"a new ADD fails: {answer}"
        return
    given = {item["address"].partition("/")[0] for item in answer["ips"]}
    if given & before:
        yield f"a new ADD gives {given & before} away twice"
    for verb, container, more in (("DEL", NEWCOMER, {}), ("GC", NEWCOMER, valid(*reported))):
        code, answer = call(data, verb, container, **more)
        if code:
            yield f"{verb} fails: {answer}"
    yield from lost(network, reported)
    yield from ("DEL fails" for container in reported if call(data, "DEL", container)[0])
    left = [
        name
        for name in os.listdir(network)
        if name not in ("lock", ".index") and not name.startswith("last_reserved_ip.")
    ]
    if left:
        yield f"left behind: {left}"


def build(data: Path, tree: Tree) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    for path, file in tree.items():
        if file is None:
            (data / path).mkdir()
        else:
            (data / path).write_bytes(file.content)
            for name, value in file.attributes:
                os.setxattr(data / path, name, value)


def lost(network: Path, reported: dict[str, Any]) -> Iterator[str]:
    """Reservations that were reported and are not there, and those that are torn."""
    for container, result in reported.items():
        for item in result["ips"]:
            file = network / item["address"].partition("/")[0]
            found = file.read_bytes() if file.exists() else None
            if found != f"{container}\r\neth0".encode():
                yield f"lost: {file.name} of {container} says {found!r}"
    for file in network.iterdir() if network.is_dir() else ():
        if reservation.packed(file.name) and reservation.owner(file.read_bytes()) is None:
            yield f"torn: {file.name} says {file.read_bytes()!r}"


def kills(executables: Path) -> list[Call]:
    """Every call of a first ADD that changes anything."""
    trace = Trace()
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        command = trace.record(CHANGING)(executables / "host-local")
        variables = {**environ("ADD", "c1"), "PATH": plugin.PATH}
        subprocess.run([*command], env=variables, input=stdin(Path(name)), capture_output=True, check=True)
    found = [call for call in trace.calls() if changes(call)]
    trace.close()
    return found


def scenarios(executables: Path, _: list[str], short: bool) -> list[Scenario]:
    synced = "--without-fsync" not in sys.argv
    if short:
        killed = [Scenario(AFTER_KILL, it, executables) for it in kills(executables)[1:2]]
        return [Scenario(SHORT_PLAN, None, executables, synced), *(killed if synced else ())]
    return [
        Scenario(PLAN, None, executables, synced),
        *[Scenario(AFTER_KILL, it, executables, synced) for it in kills(executables)],
    ]


def tasks(scenario: Scenario, short: bool) -> list[list[Cut]]:
    cuts = record(scenario)
    if short:
        cuts = cuts[:: -max(1, len(cuts) // (20 if scenario.synced else 5))]
    return [cuts[start : start + CHUNK] for start in range(0, len(cuts), CHUNK)]


if __name__ == "__main__":
    sys.exit(main("torture-power", __doc__, scenarios, tasks, torture, "--without-fsync"))
