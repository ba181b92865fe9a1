"""Install a suite on a running node, go back to the one before, take it away.

Law: a call made meanwhile finds a complete suite, either the old or the new one. So each suite gets a folder
of its own, VERSION-DIGEST, which gets this name when it is complete, on disk, and its executables have
answered VERSION. `current` beside it is a link to it, which one rename(2) switches. All else is links to
files below `current`, which stay the same from one version to the next; or copies, each put by a rename of
its own. An error takes back what was done; who dies half way leaves names each of which leads to one of the
two.

The version before the current one is always kept; older ones are removed when nothing runs from them.

A file in the place of one of ours is first kept in `replaced`, and brought back in the end.
"""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher.installation.place import (
    Place,
    Record,
    Say,
    make_folder,
    occupied,
    record_of,
    remove_folders,
)
from launcher.installation.things import Copy, Renames, Text, Thing, clear, keep, put
from launcher.installation.versions import (
    CURRENT,
    OURS,
    RECORD,
    Refused,
    ask,
    deposit,
    discard,
    sweep,
)

PATIENCE_S = 2  # for calls that were under way when the links went
NOTHING: Mapping[str, Thing] = {}


def install(
    suite: Path,
    place: Place,
    say: Say,
    *,
    whole: bool = True,
    options: Mapping[str, object] | None = None,
    also: Mapping[str, Thing] = NOTHING,
    refuse: Callable[[list[str]], None] = lambda names: None,
) -> str:
    """Put *suite* in place of what is there, and return its version's name.

    whole: as for `versions.ask`. options: to be noted for the next version. also: things beside those of the
    place. refuse: is called with the names where something stands that is not ours, and may raise Refused.
    Raises Refused, OSError; all is as before then.
    """
    with occupied(place) as made:
        record = record_of(place)
        tidy(place, record, also)
        try:
            look(place, record, also, refuse)
            version, is_new = deposit(suite, place.home, whole)
        except Refused as error:
            raise Refused(f"{error}: nothing was installed") from None
        before = place.current
        record.folders += made
        record.follow(before, version)
        record.options = dict(options or {})
        try:
            switch(place, record, version, {**place.things(version), **also}, say)
        except BaseException:
            if is_new:
                discard(place.home / version)
            raise
        drop(place, record, version, also, say)
        sweep(place.home, {version, record.before(version)})
    return version


def look(
    place: Place, record: Record, also: Mapping[str, Thing], refuse: Callable[[list[str]], None]
) -> None:
    """Find out whether the names are free, before anything is copied. Raises Refused."""
    names = [*place.things(CURRENT), *also]
    for name in names:
        if place.real(name).is_dir() and not place.real(name).is_symlink():
            raise Refused(f"{place.named(name)} is a folder, and should be a link or file of ours")
    foreign = [
        name for name in names if os.path.lexists(place.real(name)) and not place.is_ours(name, record)
    ]
    refuse(foreign)


def switch(place: Place, record: Record, version: str, things: Mapping[str, Thing], say: Say) -> None:
    """Make *version* the current one, and put *things*. Raises OSError; all is as before then."""
    wanted = {name: thing for name, thing in things.items() if not thing.is_at(place.real(name))}
    taken = [name for name in wanted if os.path.lexists(place.real(name)) and not place.is_ours(name, record)]
    renames = Renames()
    made: list[str] = []
    try:
        for folder in filter(None, map(os.path.dirname, things)):
            made += make_folder(folder, place)
        record.folders += made
        record.names += things
        record.hashes += [thing.hash for thing in wanted.values() if thing.hash]
        renames.stage(place.home / RECORD, Text(record.text()).make)
        renames.carry_out()  # first: who dies now has told what may lie about
        if place.current != version:
            renames.stage(place.home / CURRENT, lambda fresh: fresh.symlink_to(version))
        for name, thing in wanted.items():
            renames.stage(place.real(name), thing.make)
        if any(isinstance(thing, Copy) for thing in wanted.values()):
            os.sync()  # whole before they have their names, whenever the power fails
        for name in taken:
            set_aside(place, name)
        renames.carry_out()
    except BaseException:
        renames.take_back()
        for name in taken:
            discard(place.kept(name))
        remove_folders(made, place)
        raise
    renames.finish()
    for text in place.replaced(taken):
        say(text)


def set_aside(place: Place, name: str) -> None:
    """Keep what somebody else has at *name*."""
    kept = place.kept(name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    put(kept, lambda fresh: keep(place.real(name), fresh))


def tidy(place: Place, record: Record, also: Mapping[str, Thing] = NOTHING) -> None:
    """Take away what an installation left that was killed."""
    for name in {*record.names, *place.things(CURRENT), *also}:
        if place.real(name).parent.is_dir():
            clear(place.real(name))
    for name in OURS:
        clear(place.home / name)


def drop(place: Place, record: Record, version: str, also: Mapping[str, Thing], say: Say) -> None:
    """Take away what an earlier version had made, and this one does not want, but for what stays."""
    wanted = {*place.things(version), *also, *place.stays(record)}
    gone = [name for name in record.names if name not in wanted]
    for name in gone:
        try:
            take_away(place, record, name, say)
            record.names = [each for each in record.names if each != name]
        except OSError as error:  # what was asked for is done
            say(f"{place.named(name)} stays: {error.strerror}")
    if gone:
        record.write()


def take_away(place: Place, record: Record, name: str, say: Say) -> None:
    """Remove one of ours, or bring back what stood there before; what is not ours is left alone."""
    real, kept = place.real(name), place.kept(name)
    if os.path.lexists(real) and not place.is_ours(name, record):
        say(f"{place.named(name)} is somebody else's by now: left alone")
    elif os.path.lexists(kept):
        put(real, lambda fresh: keep(kept, fresh))
    else:
        real.unlink(missing_ok=True)


def rollback(place: Place, say: Say) -> tuple[str, str]:
    """Go back to the version before; the current one's name, and that one's. Raises Refused, OSError."""
    with occupied(place):
        record, current = record_of(place), place.current
        tidy(place, record)
        before = record.before(current)
        if not before:
            raise Refused(f"there is no version before {current} in {place.lib}")
        ask(place.home / before, whole=False)
        things = place.things(before)
        switch(place, record, before, {name: things[name] for name in things if name in record.names}, say)
    return current, before


def uninstall(place: Place, say: Say, stays: Callable[[str], bool] | None = None) -> bool:
    """Take all of it away, and bring back what was replaced. Raises Refused, OSError.

    stays: says of a name whether it stays; the versions do then, too. Whether all is gone.
    """
    with occupied(place):
        record = record_of(place)
        tidy(place, record)
        gone = [name for name in dict.fromkeys(record.names) if not (stays and stays(name))]
        for name in gone:
            take_away(place, record, name, say)
        if stays:
            record.names = [name for name in record.names if name not in gone]
            record.write()
            return False
        patience = time.monotonic() + PATIENCE_S
        while (alive := sweep(place.home, ())) and time.monotonic() < patience:
            time.sleep(0.05)
        if alive:
            runs = f"{', '.join(alive)} in {place.lib} still runs"
            raise Refused(f"the links are gone, but {runs}: once more, please, when it has ended")
        shutil.rmtree(place.home)
    remove_folders(record.folders, place)
    return True
