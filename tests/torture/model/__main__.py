"""`make torture-model`: a state machine calls plugins on a real kernel and knows what must be there.

Several networks, containers and interfaces; ports that collide, ranges that fill up; DEL and GC with
whatever a runtime may have lost; containers that die, nodes that reboot, rules that are flushed or edited,
reservations that are torn; interfaces that have a name that ours would have; calls at once;
and the Go plugins on one of the networks. Links, addresses, nft elements and reservations are compared,
and each verb's answer.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from launcher import lab
from tests.torture.model.accidents import Accidents
from tests.torture.model.additions import EVENTS
from tests.torture.model.knowledge import EXECUTABLES, MET, STEPS, indexes, one_of, same
from tests.torture.run import FOLDERS
from tests.torture.testbed import Truth

LONG = 5000  # of so many calls asked for, or more, some have to meet each of the events


class Model(Accidents):
    """The machine: all rules, and what has to be so after each of them."""

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        truth = self.bed.truth()
        elements = {element for held in self.elements.values() for element in held}
        same("links", truth.links, {at.owner for at, alive in self.alive.items() if alive.how != "go"})
        squatters = {name for name in self.bed.host.links() if name in self.squatters}
        same("links of others", squatters, self.squatters)
        of_go = sum(alive.how == "go" for alive in self.alive.values())
        same("links of the Go plugins", len(truth.others), of_go)
        same("elements", truth.elements, elements)
        same("chains that nobody needs", truth.chains, frozenset())
        same("files", truth.files, {where: one.content for where, one in self.files.items()})
        for name, namespace in self.bed.containers.items():
            wanted = sorted(at.ifname for at in self.alive if at.container == name)
            same(f"links of {name}", namespace.links(), wanted)

    @rule(which=indexes)
    def addresses_are_as_the_result_says(self, which: int) -> None:
        for at in one_of(which, self.alive):
            found = self.bed.container(at.container).addresses(at.ifname)
            same("addresses", found, sorted(ip["address"] for ip in self.alive[at].result["ips"]))

    def teardown(self) -> None:
        """In the end everybody is deleted, however little is known of them."""
        for at in {*self.alive, *self.elements, *self.owners()}:
            if at in self.alive and self.alive[at].how == "go":
                self.remove(at, "go")
            else:
                self.remove(at, "in process", "", False, False)
        truth = self.bed.truth()
        self.bed.close()
        shutil.rmtree(self.folder)
        rest = truth._replace(files={where: content for where, content in truth.files.items() if content})
        same("left behind", rest, Truth(frozenset(), frozenset(), frozenset(), frozenset(), {}))


def tortured(examples: int, steps: int, seed: int | None = None) -> None:
    """Run the machine. Raises what it finds, shrunk."""
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=DirectoryBasedExampleDatabase("/dev/shm/hypothesis"),
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # shrinking takes hours on a real kernel; a seed brings the same run again
        verbosity=Verbosity.normal,
    )
    machine: type[Model] = Model
    if seed is not None:
        from hypothesis import seed as seeded

        machine = seeded(seed)(Model)
    run_state_machine_as_test(machine, settings=wanted)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=120, help="nodes to begin with: %(default)s")
    parser.add_argument("--steps", type=int, default=60, help="calls on each of them: %(default)s")
    parser.add_argument("--short", action="store_true", help="10 nodes, 40 calls each")
    parser.add_argument("--seed", type=int)
    whose = "source, bundle or a folder: whose executables are executed"
    parser.add_argument("--plugins", default="source", help=whose)
    wanted = parser.parse_args(arguments)
    if lab.MARK not in os.environ:
        return lab.main([sys.executable, *sys.orig_argv[1:]])
    EXECUTABLES[0] = FOLDERS.get(wanted.plugins, Path(wanted.plugins)).resolve()
    began = time.monotonic()
    examples, steps = (10, 40) if wanted.short else (wanted.examples, wanted.steps)
    tortured(examples, steps, wanted.seed)
    told = ", ".join(f"{count} {name}" for name, count in STEPS.most_common())
    print("what ADD met:", ", ".join(f"{MET[name]} {name}" for name in EVENTS))
    print(f"model: {STEPS.total()} steps in {time.monotonic() - began:.0f} s, 0 differences ({told})")
    missing = [name for name in EVENTS if not MET[name]] if examples * steps >= LONG else []
    print(*(f"never happened: {name}" for name in missing), sep="\n", end="\n" if missing else "")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
