"""Make all forms of a release of what make bundle and make dist left: python -m bundle.release.build TARGET.

TARGET becomes complete or stays as it was.
"""

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bundle.build import replace
from bundle.release import changelog, contents, deb, image, parts, wheel
from bundle.release.facts import DEBIAN, MACHINE, ROOT, Facts, facts
from bundle.release.sbom import Product, document
from bundle.release.tarball import compressed, tar
from bundle.release.tree import moved
from launcher.installation.versions import LAUNCHER, STATIC, Refused

SUMS = "SHA256SUMS"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Forms:
    """The forms, made in *folder*. static, bundle: what make dist and make bundle left.

    The launcher's archive has the plugins, too: it looks for them beside itself.
    """

    def __init__(self, told: Facts, folder: Path, static: Path, bundle: Path) -> None:
        self.facts, self.folder, self.static, self.bundle = told, folder, static, bundle
        self.inside = parts.of_launcher(bundle / "lib")
        self.outside = contents.outside(bundle)
        self.linked = contents.linked(static)
        self.command = contents.launcher(bundle, parts.notices(LAUNCHER, self.inside))

    def plugins(self) -> None:
        """Flat, without folders: `tar -C /opt/cni/bin -xzf` changes nothing else there."""
        packed = tar(contents.plugins(self.static), self.facts.epoch, with_folders=False)
        (self.folder / f"cniwire-{self.facts.label}.tar.gz").write_bytes(compressed(packed))

    def launcher(self) -> None:
        name = f"cniwire-launcher-{self.facts.label}"
        packed = tar(moved({**self.linked, **self.command}, f"{name}/"), self.facts.epoch)
        (self.folder / f"{name}.tar.gz").write_bytes(compressed(packed))

    def debian(self) -> None:
        section = changelog.sections((ROOT / "CHANGELOG.md").read_text())[0]
        told = changelog.for_debian(section, self.facts.version, deb.MAINTAINER, self.facts.time)
        files = deb.tree(self.linked, self.command, told)
        dynamic = [self.bundle / LAUNCHER, *sorted((self.bundle / "lib").rglob("*.so*"))]
        needed = deb.depends(self.outside, dynamic)
        name = f"cniwire_{self.facts.version}_{DEBIAN[self.facts.machine]}.deb"
        deb.build(self.facts, files, needed, self.folder / "scratch", self.folder / name)

    def image(self) -> None:
        files = contents.image(self.linked, self.command, self.outside)
        target = self.folder / f"cniwire-{self.facts.label}.oci.tar"
        print(f"image {image.build(self.facts, files, self.folder / 'scratch', target)}")

    def wheel(self) -> None:
        wheel.build(self.facts, self.folder / "scratch", self.folder)

    def materials(self) -> None:
        """Behind the others: it names the wheel by its hash."""
        (made,) = self.folder.glob("*.whl")
        outer = {parts.library(Path("/", path)) for path in self.outside}
        products = [
            Product(STATIC, "all plugins", sha256(self.static / STATIC), parts.of_static()),
            Product("cniwire-launcher", "the command", sha256(self.bundle / LAUNCHER), self.inside),
            Product("cniwire-image", "the OCI image, besides plugins and launcher", "", tuple(outer)),
            Product("cniwire-wheel", "plugins and command; what it needs", sha256(made), parts.of_wheel()),
        ]
        target = self.folder / f"cniwire-{self.facts.label}.cdx.json"
        target.write_text(document(self.facts, products))

    def sums(self) -> None:
        made = sorted(self.folder.iterdir())
        rows = [f"{sha256(path)}  {path.name}\n" for path in made]
        (self.folder / SUMS).write_text("".join(rows))
        self.folder.chmod(0o755)  # to be published, whatever the umask
        for path in (*made, self.folder / SUMS):
            path.chmod(0o644)
        for path, row in zip(made, rows):
            print(f"{row.split()[0]} {path.stat().st_size / 1e6:5.1f} MB  {path.name}")

    def steps(self) -> tuple[Callable[[], None], ...]:
        return (self.plugins, self.launcher, self.debian, self.image, self.wheel, self.materials, self.sums)


def main(target: Path, static: Path, bundle: Path) -> int:
    folder = target.with_name(f"{target.name}.new")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for step in Forms(facts(), folder, static, bundle).steps():
            step()
    except Refused as error:
        print(f"make forms: {error}", file=sys.stderr)
        return 1
    finally:
        if sys.exc_info()[0]:
            shutil.rmtree(folder, ignore_errors=True)
    replace(folder, target)
    return 0


if __name__ == "__main__":
    folder = ROOT / "dist"
    sys.exit(main(Path(sys.argv[1]).resolve(), folder / "static" / MACHINE, folder / "cniwire"))
