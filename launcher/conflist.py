"""Network configurations: find one by name, read it, settle its version.

Follows libcni: `.conflist` files in the order of their names, then single `.conf` and `.json` ones, each made
a list of one plugin.
Spec: section 1 "Network configuration format".
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.cni import json
from core.errors import CNIError
from launcher.example import DEMO
from launcher.failures import ConfigFailure, MalformedConfig, MissingDirectory, UnknownNetwork
from launcher.usage import closest
from launcher.values import choose_version, flag, network_name, whole

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "conf")
# The keys of a plugin that the launcher reads; they may be written in any case.
IN_ANY_CASE = {key.lower(): key for key in ("type", "name", "cniVersion", "capabilities", "ipam")}
LISTS, SINGLES = (".conflist",), (".conf", ".json")


@dataclass(frozen=True)
class Network:
    """A configuration list, ready to be run.

    version: the one that every plugin gets, "" when the file names none.
    plugins: configuration objects in the order of ADD.
    document: the list as it is cached, with the plugins that came from a folder.
    source: the file it was read from, "" when from elsewhere.
    """

    name: str
    version: str
    plugins: tuple[Mapping[str, Any], ...]
    document: Mapping[str, Any]
    disable_check: bool = False
    disable_gc: bool = False
    source: str = ""

    @property
    def capabilities(self) -> set[str]:
        """The capabilities that any of its plugins declares."""
        return {capability for plugin in self.plugins for capability in capabilities(plugin)}


def capabilities(plugin: Mapping[str, Any]) -> set[str]:
    """The capabilities that one plugin configuration declares as true."""
    declared = plugin.get("capabilities")
    return {key for key, value in declared.items() if value is True} if isinstance(declared, dict) else set()


def resolve(reference: str, conf_dir: str) -> Network:
    """The network of a file, if *reference* looks like a path, else the one of that name in *conf_dir*.

    Raises ConfigFailure.
    """
    if "/" in reference or reference.endswith(LISTS + SINGLES):
        return load_file(reference)
    return load(conf_dir, reference, strict=False)


def load(conf_dir: str, name: str, strict: bool = True) -> Network:
    """The network called *name*; `demo` is built in, unless a file has the name.

    Lists come before single files. strict: a malformed file that is read before the match is an error,
    as with libcni; otherwise it is one only where nothing matches.
    Raises MissingDirectory, UnknownNetwork or MalformedConfig.
    """
    broken: list[ConfigFailure] = []
    names = []
    try:
        paths = config_files(conf_dir, LISTS) + config_files(conf_dir, SINGLES)
    except MissingDirectory as missing:
        if name == DEMO["name"]:
            return built_in()
        missing.hint = advice(name, missing.hint)
        raise
    for path in paths:
        try:
            network = load_file(path)
        except ConfigFailure as failure:
            if strict:
                raise
            broken.append(failure)
            continue
        if network.name == name:
            return network
        names.append(network.name)
    if broken:
        raise broken[0]
    if name == DEMO["name"]:
        return built_in()
    if not names:
        hint = advice(name, "put one there, or choose another directory with --conf-dir")
        raise MissingDirectory(f"no network configuration in {conf_dir}", hint=hint)
    close = closest(name, [*names, str(DEMO["name"])])
    otherwise = f"did you mean {close}?" if close else "--conf-dir chooses another directory"
    has = f"it has {', '.join(sorted(names))}; {DEMO['name']} is built in"
    raise UnknownNetwork(f"no network {name!r} in {conf_dir}", has, advice(name, otherwise))


def built_in() -> Network:
    """The network `demo`, for where no file has that name."""
    return parse_list(json.render(DEMO).encode())


def advice(name: str, otherwise: str) -> str:
    """What to do about an unknown network: use our example of that name, if there is one; or *otherwise*."""
    examples = config_files(EXAMPLES, LISTS + SINGLES) if os.path.isdir(EXAMPLES) else []
    example = next((path for path in examples if load_file(path).name == name), None)
    if not example:
        return otherwise
    return f"{os.path.relpath(example)} is an example of that name: use the file instead"


def load_all(conf_dir: str) -> Iterator[tuple[str, Network | ConfigFailure]]:
    """Yield (path, Network or why it cannot be read) of every configuration file."""
    for path in config_files(conf_dir, LISTS) + config_files(conf_dir, SINGLES):
        try:
            yield path, load_file(path)
        except ConfigFailure as failure:
            yield path, failure


def config_files(directory: str, endings: tuple[str, ...]) -> list[str]:
    """Paths of the files of *directory* with one of *endings*, sorted, without folders, FIFOs and devices.

    Raises MissingDirectory.
    """
    try:
        with os.scandir(directory) as entries:
            named = [entry for entry in entries if entry.name.endswith(endings)]
            return sorted(entry.path for entry in named if entry.is_file() or _is_lost(entry.path))
    except OSError as error:
        text = f"cannot read the configuration directory {directory}: {error.strerror}"
        hint = "make it, or choose another directory with --conf-dir"
        raise MissingDirectory(text, hint=hint) from None


def _is_lost(path: str) -> bool:
    """Whether *path* is a dangling link: it counts as a file, so that reading it reports the error."""
    return os.path.islink(path) and not os.path.exists(path)


def load_file(path: str) -> Network:
    """The network of one file: a list, or a single plugin configuration made into one.

    Raises MalformedConfig.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
        if path.endswith(LISTS):
            return parse_list(data, os.path.abspath(path))
        return upconvert(parse_plugin(data), os.path.abspath(path))
    except OSError as error:
        raise MalformedConfig(f"cannot read {path}: {error.strerror}") from None
    except CNIError as error:
        raise MalformedConfig(f"{path}: {error.msg}", error.details, getattr(error, "hint", "")) from None


def parse_list(data: bytes, source: str = "") -> Network:
    """The network of a configuration list.

    Unless loadOnlyInlinedPlugins is true, the folder named like the network beside *source* adds
    its .conf files.
    Raises CNIError.
    """
    raw = whole(json.parse_object(data, "the network configuration list"))
    name = network_name(raw)
    inlined_only = flag(raw, "loadOnlyInlinedPlugins")
    if "plugins" not in raw and inlined_only:
        raise ConfigFailure("loadOnlyInlinedPlugins is true, and there is no key plugins")
    listed = raw.get("plugins", [])
    if "plugins" in raw and (not isinstance(listed, list) or not listed):
        raise ConfigFailure(f"plugins: want a list of at least one plugin, found {json.render(listed)[:60]}")
    inlined = [checked_plugin(plugin, f"plugins[{index}]") for index, plugin in enumerate(listed)]
    added = [] if inlined_only or not source else folder_plugins(os.path.join(os.path.dirname(source), name))
    plugins = inlined + added
    if not plugins:
        hint = f"the folder is named {name}, beside the file"
        raise ConfigFailure("no plugins: neither a key plugins nor a folder with .conf files", hint=hint)
    document = {**raw, "plugins": plugins, **({"loadOnlyInlinedPlugins": True} if added else {})}
    version, disable_check = choose_version(raw), flag(raw, "disableCheck")
    return Network(name, version, tuple(plugins), document, disable_check, flag(raw, "disableGC"), source)


def folder_plugins(folder: str) -> list[dict[str, Any]]:
    """The plugin configurations of a network's folder, in the order of file names; none without a folder."""
    plugins = []
    for path in config_files(folder, (".conf",)) if os.path.isdir(folder) else ():
        with open(path, "rb") as file:
            plugins.append(parse_plugin(file.read(), path))
    return plugins


def parse_plugin(data: bytes, what: str = "the plugin configuration") -> dict[str, Any]:
    """One plugin's configuration object. Raises CNIError."""
    return checked_plugin(whole(json.parse_object(data, what)), what)


def checked_plugin(plugin: Any, what: str) -> dict[str, Any]:
    """*plugin* if it is an object with a type. Raises ConfigFailure."""
    if not isinstance(plugin, dict):
        raise ConfigFailure(f"{what}: want an object, found {json.render(plugin)[:60]}")
    named = {str(key): value for key, value in plugin.items()}
    found: dict[str, Any] = {IN_ANY_CASE.get(key.lower(), key): value for key, value in named.items()}
    if not isinstance(found.get("type"), str) or not found["type"]:
        hint = "a list of plugins belongs into a file that ends in .conflist" if "plugins" in found else ""
        raise ConfigFailure(f"{what}: missing type: want the name of a plugin executable", hint=hint)
    return found


def upconvert(plugin: Mapping[str, Any], source: str = "") -> Network:
    """The list of one plugin that a single configuration stands for; it keeps its cniVersion.

    Raises ConfigFailure.
    """
    raw = {"name": network_name(plugin), "plugins": [dict(plugin)]}
    if plugin.get("cniVersion"):
        raw["cniVersion"] = plugin["cniVersion"]
    return Network(str(raw["name"]), choose_version(raw), (plugin,), raw, source=source)
