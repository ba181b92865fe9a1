"""prevResult: its version, and unknown keys that pass through a chained plugin."""

from typing import Any

import pytest

from core.cni.config import Section
from core.cni.result import parse, parse_prev, render
from core.cni.version import ALL, FAMILIES
from core.errors import CNIError


@pytest.mark.parametrize("version", ALL)
def test_unknown_keys_pass_through_a_chained_plugin(version: str) -> None:
    """S-86, S-89: wherever they stand, empty and null ones included."""
    more = {"x-vendor": {"a": [1, None, ""]}, "empty": "", "none": None}
    if FAMILIES[version]:
        top = {
            "ips": [{"address": "10.0.0.2/8", **more}],
            "interfaces": [{"name": "e", **more}],
            "routes": [{"dst": "::/0", **more}],
        }
        document: dict[str, Any] = {"cniVersion": version, **top, "dns": {"domain": "d", **more}, **more}
        if FAMILIES[version] == 1:
            document["ips"][0]["version"] = "4"
    else:
        half = {"ip": "10.0.0.2/8", "routes": [{"dst": "0.0.0.0/0", **more}], **more}
        document = {"cniVersion": version, "ip4": half, "dns": {"domain": "d", **more}, **more}
    result = parse_prev(Section({"prevResult": document}), version)
    assert result is not None
    assert render(result, version) == document


def test_strangers_cannot_take_the_place_of_known_keys() -> None:
    """S-56, S-66."""
    odd = {
        "cniVersion": "0.2.0",
        "interfaces": 5,
        "ips": 5,
        "routes": 5,
        "ip4": {"ip": "10.0.0.2/8", "address": 5, "interface": "x"},
    }
    assert render(parse(odd, ""), "0.2.0") == {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/8"}, "dns": {}}
    odd = {
        "cniVersion": "1.0.0",
        "ips": [{"address": "10.0.0.2/8", "ip": 5, "routes": 5, "version": 6}],
        "ip4": 5,
        "ip6": 5,
    }
    assert render(parse(odd, ""), "0.2.0") == {"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.2/8"}, "dns": {}}


@pytest.mark.parametrize("config_version", ALL)
@pytest.mark.parametrize("version", [*ALL, None, ""])
def test_a_prev_result_belongs_to_the_family_of_the_configuration(
    config_version: str, version: str | None
) -> None:
    """S-86, S-88: a missing version is filled from the configuration."""
    ips: dict[str, Any] = (
        {"ips": [{"address": "10.0.0.2/8"}]}
        if FAMILIES[version or config_version]
        else {"ip4": {"ip": "10.0.0.2/8"}}
    )
    config = Section({"PrevResult": {"cniVersion": version, **ips}})
    if FAMILIES[version or config_version] == FAMILIES[config_version]:
        result = parse_prev(config, config_version)
        assert result is not None
        assert (result["cniVersion"], result["ips"]) == (
            version or config_version,
            [{"address": "10.0.0.2/8"}],
        )
    else:
        with pytest.raises(CNIError) as caught:
            parse_prev(config, config_version)
        assert caught.value.code == 6
        assert (
            caught.value.msg
            == f"prevResult: version {version} cannot be used with cniVersion {config_version}"
        )


@pytest.mark.parametrize("version", ["0.5.0", "1.0", "2.0.0", "rubbish"])
def test_an_unknown_version_in_prev_result_fails(version: str) -> None:
    """S-87."""
    with pytest.raises(CNIError) as caught:
        parse_prev(Section({"prevResult": {"cniVersion": version}}), "1.0.0")
    assert (caught.value.code, caught.value.msg) == (
        6,
        f"cannot decode prevResult: cniVersion: unknown version {version!r}",
    )


@pytest.mark.parametrize("values", [{}, {"prevResult": None}])
def test_an_absent_prev_result_is_no_error(values: dict[str, Any]) -> None:
    """S-89."""
    assert parse_prev(Section(values), "1.0.0") is None
