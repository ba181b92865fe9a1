"""Tarballs, packages and bills of materials of given files: the same bytes again, and what is in them."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from bundle.build import COMPLETION
from bundle.release import contents, deb, parts, sbom
from bundle.release import tree as trees
from bundle.release.facts import facts
from bundle.release.parts import Part
from bundle.release.sbom import Product
from bundle.release.tarball import compressed, tar
from bundle.release.tree import File, below, link, write
from launcher.installation.versions import PLUGINS, Refused
from tests.harness.forms import COMMAND, LINKED, SCRIPT, TOLD

ROOT = Path(__file__).resolve().parents[2]
GO = Path("/usr/lib/cni")
PRODUCTS = [
    Product("one", "of two", "1" * 64, (Part("b", "2", "pkg:pypi/b@2", license="MIT"), Part("a", "1"))),
    Product("two", "needs one of them", "", (Part("a", "1"), Part("c", sha256="2" * 64))),
]


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def test_an_archive_has_the_same_bytes_again() -> None:
    """In whatever order the files are named."""
    whole = {**LINKED, **COMMAND}
    again = dict(reversed(whole.items()))
    one, other = (compressed(tar(each, TOLD.epoch)) for each in (whole, again))
    assert one == other
    assert {(each.mtime, each.uid, each.gid, each.uname) for each in members(one)} == {
        (TOLD.epoch, 0, 0, "root")
    }
    assert one[3:8] == bytes(5)  # RFC 1952: no name, no time


def test_plugins_in_an_archive_are_one_file_with_many_names(tmp_path: Path) -> None:
    """What it unpacks to are plain files, over whatever stood there, and of other files only theirs."""
    write(LINKED, tmp_path / "dist", TOLD.epoch)
    packed = compressed(tar(contents.plugins(tmp_path / "dist"), TOLD.epoch, with_folders=False))
    assert [each.name for each in members(packed) if each.isreg()] == [
        "bandwidth",
        "cniwire-plugins.licenses",
    ]
    assert not [each.name for each in members(packed) if each.isdir()]
    target = tmp_path / "bin"
    target.mkdir(mode=0o700)
    (target / "bridge").symlink_to("/somewhere/else")
    (target / "macvlan").write_text("another's")
    subprocess.run(["tar", "-C", target, "-xzf", "-"], input=packed, check=True)
    assert {path.name for path in target.iterdir()} == {*PLUGINS, "cniwire-plugins.licenses", "macvlan"}
    assert all((target / name).read_bytes() == SCRIPT.content for name in PLUGINS)
    assert not [path for path in target.iterdir() if path.is_symlink()]
    assert target.stat().st_mode & 0o777 == 0o700
    subprocess.run(["cp", "-f", *target.iterdir(), tmp_path], check=True)


def test_a_tree_is_written_and_read_again(tmp_path: Path) -> None:
    tree = {"a/b/c": SCRIPT, "a/d": link("b/c"), "e": trees.text("one", "two")}
    write(tree, tmp_path, TOLD.epoch)
    assert below(tmp_path) == tree
    assert {path.lstat().st_mtime for path in tmp_path.rglob("*")} == {TOLD.epoch}


def test_without_a_static_file_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cniwire-plugins \(make dist\)"):
        contents.linked(tmp_path)
    with pytest.raises(Refused, match=r"cniwire \(make bundle\)"):
        contents.launcher(tmp_path, "")


def test_the_time_of_a_release_is_the_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert facts().epoch == TOLD.epoch
    assert facts().time.isoformat() == "2023-11-14T22:13:20+00:00"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (facts().epoch, facts().commit) == (TOLD.epoch, "")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    with pytest.raises(Refused, match="time of the commit is not known: git: No such file"):
        facts()


def test_a_package_has_the_same_bytes_again(tmp_path: Path) -> None:
    """In another folder, made by a user with another umask; and dpkg-deb reads it."""
    files = deb.tree(LINKED, COMMAND, "a changelog")
    made = [tmp_path / f"{name}.deb" for name in ("one", "other")]
    old = os.umask(0o077)
    deb.build(TOLD, files, ["libc6 (>= 2.36)"], tmp_path / "scratch", made[0])
    os.umask(old)
    deb.build(TOLD, files, ["libc6 (>= 2.36)"], tmp_path / "somewhere" / "else", made[1])
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
    assert len(digests) == 1
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", made[0]], capture_output=True, check=True).stdout
    found = {each.name.removeprefix("./"): each for each in members(packed) if not each.isdir()}
    assert set(found) == set(files)
    assert {(each.uid, each.gid, each.mtime) for each in members(packed)} == {(0, 0, TOLD.epoch)}
    assert found["usr/lib/cni/bridge"].linkname == "cniwire-plugins"
    assert found["usr/lib/cni/cniwire-plugins"].mode == 0o755
    assert found["usr/lib/cniwire/lib/libz.so.1"].mode == 0o644
    fields = dict(
        line.split(": ", 1)
        for line in subprocess.run(
            ["dpkg-deb", "--field", made[0]], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        if line[0] != " "
    )
    assert (fields["Version"], fields["Architecture"], fields["Depends"]) == (
        "1.2.3",
        "amd64",
        "libc6 (>= 2.36)",
    )
    assert fields["Replaces"] == fields["Conflicts"] == fields["Provides"].split(" (")[0]


def test_the_package_has_papers_examples_and_completion() -> None:
    files = deb.tree(LINKED, COMMAND, "a changelog")
    assert {path for path in files if path.startswith("usr/share/")} == {
        "usr/share/doc/cniwire/copyright",
        "usr/share/doc/cniwire/changelog.gz",
        "usr/share/doc/cniwire/examples/10-bridge.conflist",
        "usr/share/lintian/overrides/cniwire",
        "usr/share/bash-completion/completions/cniwire",
        "usr/share/zsh/vendor-completions/_cniwire",
        "usr/share/fish/vendor_completions.d/cniwire.fish",
    }
    assert set(deb.SHELLS) == set(COMPLETION)


def test_the_package_says_what_the_one_that_it_replaces_has_and_it_lacks() -> None:
    """As Debian has it on this machine."""
    if not (GO / "bridge").exists() or (GO / "cniwire-plugins").exists():
        pytest.skip("containernetworking-plugins is not installed")
    assert {path.name for path in GO.iterdir()} <= {*deb.LACKED, *PLUGINS}
    assert ", ".join(deb.LACKED) in " ".join(deb.control(TOLD, {}, ()).split())


def test_a_bill_is_as_the_schema_has_it() -> None:
    told = sbom.document(TOLD, PRODUCTS)
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6)
    assert validator.validate_str(told) is None
    bill = json.loads(told)
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert edges["one@1.2.3"] == ["a@1", "pkg:pypi/b@2"]
    assert edges["two@1.2.3"] == ["a@1", f"c@{'2' * 64}"]
    assert len(bill["components"]) == 5


def test_a_bill_that_is_not_as_the_schema_has_it_is_refused() -> None:
    with pytest.raises(Refused, match=r"not as CycloneDX 1\.6 has it: .*'abc' does not match"):
        sbom.document(TOLD, [Product("one", "", "abc")])


def test_a_bill_has_the_same_text_again() -> None:
    """In another process, where sets have another order."""
    program = "from tests.unit.test_release_forms import *; print(sbom.document(TOLD, PRODUCTS), end='')"
    again = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert again.stdout == sbom.document(TOLD, PRODUCTS)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("MIT", {"license": {"id": "MIT"}}),
        ("MIT OR Zlib", {"expression": "MIT OR Zlib"}),
        ("BSD License", {"license": {"name": "BSD License"}}),
    ],
)
def test_a_license_is_written_as_what_it_is(text: str, written: object) -> None:
    told = json.loads(sbom.document(TOLD, [Product("one", "", "", (Part("a", license=text),))]))
    assert next(each for each in told["components"] if each["name"] == "a")["licenses"] == [written]


def test_what_of_others_is_in_the_launcher_is_named(tmp_path: Path) -> None:
    for name in ("rich", "core", "python3.11", "json", "rich-15.dist-info"):
        (tmp_path / name).mkdir()
    for name in ("os.pyc", "cniwire.modules", "libnobodys.so.1"):
        (tmp_path / name).write_bytes(b"")
    found = {part.name: part for part in parts.of_launcher(tmp_path)}
    assert set(found) == {"rich", "libnobodys.so.1"}
    assert "Permission is hereby granted" in found["rich"].notice
    assert found["libnobodys.so.1"].sha256 == hashlib.sha256().hexdigest()
    (tmp_path / "stranger.pyc").write_bytes(b"")
    with pytest.raises(Refused, match="a module 'stranger', and no package is known"):
        parts.of_launcher(tmp_path)


def test_a_library_of_the_machine_is_named_by_its_package() -> None:
    found = parts.packaged("*/libc.so.6")
    if not found:
        pytest.skip("no package of this machine has the C library")
    assert found.name.startswith("libc6")
    assert found.purl.startswith("pkg:deb/debian/libc6@2")
    assert found.license == "LGPL-2.1-or-later"


def test_the_wheel_needs_what_the_project_names() -> None:
    names = {part.name.lower() for part in parts.of_wheel()}
    assert {"rich", "pyroute2", "netaddr", "markdown-it-py", "pygments", "mdurl"} <= names
    assert "pytest" not in names


def test_the_libraries_that_an_executable_wants_are_found() -> None:
    found = contents.libraries([Path(sys.executable).resolve()])
    assert any(path.endswith("libc.so.6") for path in found)
    assert any("/ld-linux" in f"/{path}" for path in found)
    assert File() not in found.values()
