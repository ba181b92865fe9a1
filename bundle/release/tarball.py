"""A .tar.gz with the same bytes for the same files: sorted, of nobody's, with one time.

Files with the same content are hard links to the first of them. Of eight plugins that are one file an archive
so holds one copy, and what it unpacks to are eight plain files.
"""

import gzip
import io
import tarfile

from bundle.release.tree import Tree, folders

LEVEL = 9


def tar(tree: Tree, epoch: int, with_folders: bool = True) -> bytes:
    """with_folders: also the folders, which an archive to be unpacked over others' folders must not have."""
    packed = io.BytesIO()
    seen: dict[bytes, str] = {}
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in folders(tree) if with_folders else ():
            archive.addfile(member(f"{name}/", epoch, tarfile.DIRTYPE, 0o755))
        for name, file in sorted(tree.items()):
            if file.target:
                each = member(name, epoch, tarfile.SYMTYPE, 0o777)
                each.linkname = file.target
            elif file.executable and file.content in seen:
                each = member(name, epoch, tarfile.LNKTYPE, file.mode)
                each.linkname = seen[file.content]
            else:
                each = member(name, epoch, tarfile.REGTYPE, file.mode)
                each.size = len(file.content)
                if file.executable:
                    seen[file.content] = name
            archive.addfile(each, io.BytesIO(file.content) if each.isreg() else None)
    return packed.getvalue()


def member(name: str, epoch: int, kind: bytes, mode: int) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.mtime, made.type, made.mode = epoch, kind, mode
    made.uname = made.gname = "root"
    return made


def compressed(data: bytes) -> bytes:
    """gzip without name and time."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", LEVEL, packed, mtime=0) as file:
        file.write(data)
    return packed.getvalue()
