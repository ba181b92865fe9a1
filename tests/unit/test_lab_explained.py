"""What a person is told when no fake host can be made: the setting that forbids it, and what helps."""

import errno
import os

import pytest

from launcher import lab

APPARMOR, DEBIAN = "kernel.apparmor_restrict_unprivileged_userns", "kernel.unprivileged_userns_clone"
MAX_USER = "user.max_user_namespaces"


@pytest.mark.parametrize(
    ("error", "settings", "euid", "says"),
    [
        (
            errno.EACCES,
            {APPARMOR: "1"},
            1000,
            f"Permission denied, because {APPARMOR} is 1 here: set another value, or use sudo",
        ),
        (
            errno.EPERM,
            {APPARMOR: "1"},
            1000,
            f"Operation not permitted, because {APPARMOR} is 1 here: set another value, or use sudo",
        ),
        (
            errno.EPERM,
            {APPARMOR: "0", DEBIAN: "0"},
            1000,
            f"Operation not permitted, because {DEBIAN} is 0 here: set another value, or use sudo",
        ),
        (
            errno.EPERM,
            {APPARMOR: "0"},
            1000,
            "Operation not permitted: this container or sandbox does not allow it, or use sudo",
        ),
        (errno.EPERM, {}, 0, "Operation not permitted: this container or sandbox does not allow it"),
        (
            errno.ENOSPC,
            {MAX_USER: "0"},
            1000,
            f"No space left on device, because {MAX_USER} is 0 here: set another value, or use sudo",
        ),
        (
            errno.ENOSPC,
            {"user.max_net_namespaces": "0"},
            0,
            "No space left on device, because user.max_net_namespaces is 0 here: set another value",
        ),
        (
            errno.ENOSPC,
            {"user.max_user_namespaces": "63000"},
            1000,
            "No space left on device: there are too many already (user.max_*_namespaces)",
        ),
        (errno.ENODEV, {}, 1000, "No such device"),
    ],
)
def test_a_refusal_names_its_setting(
    error: int, settings: dict[str, str], euid: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "sysctl", lambda name: settings.get(name, ""))
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    assert lab.explained(OSError(error, os.strerror(error))) == says


def test_a_setting_that_the_kernel_does_not_have_is_empty() -> None:
    assert lab.sysctl("kernel.no_such_setting") == ""
    assert lab.sysctl("kernel.ostype") == "Linux"
