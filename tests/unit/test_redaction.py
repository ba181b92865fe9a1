"""What a report hides, and what it does not."""

import pytest

from launcher import foresight
from launcher.redaction import HIDDEN, SECRET, Redaction

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


def shown(text: str) -> str:
    return Redaction({"node7": "<host name>", "198.51.100.7": "<a>", "52:54:00:12:34:56": "<m>"}).text(text)


def test_no_key_of_a_plugin_is_taken_for_a_secret() -> None:
    known = " ".join([foresight.ALL, *foresight.KEYS.values()]).split()
    assert [key for key in known if SECRET.search(key)] == []


def test_what_stands_below_a_secret_key_goes_and_the_key_stays() -> None:
    redaction = Redaction({})
    told = {
        "bridge": "cni0",
        "apiToken": "t0p",
        "Password": {"a": [1]},
        "env": ["A=1"],
        "auth": False,
        "cniArgs": [["K8S_POD_NAME", "web"], ["VAULT_TOKEN", "s3cret"]],
        "ranges": [["10.0.0.1", "10.0.0.9"]],
        "client-key": "",
    }
    assert redaction.document(told) == {
        "bridge": "cni0",
        "apiToken": HIDDEN,
        "Password": HIDDEN,
        "env": HIDDEN,
        "auth": False,
        "cniArgs": [["K8S_POD_NAME", "web"], ["VAULT_TOKEN", HIDDEN]],
        "ranges": [["10.0.0.1", "10.0.0.9"]],
        "client-key": "",
    }
    assert redaction.hidden == 4


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ('{"token": "abc", "mtu": 1400', '{"token": "<hidden>", "mtu": 1400'),
        ('"password": "unfinished', '"password": "<hidden>"'),
        ('"secrets": ["a",\n "b"], "x": 1', '"secrets": "<hidden>", "x": 1'),
        ('"apiKey": 12345,', '"apiKey": "<hidden>",'),
        ("K8S_POD_NAME=web;AUTH_TOKEN=abc", "K8S_POD_NAME=web;AUTH_TOKEN=<hidden>"),
        ("https://me:pw@host/x", "https://<hidden>@host/x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <hidden>"),
        (f"found '{TOKEN}'", "found '<hidden>'"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nx", "<hidden>\nx"),
        ("-----BEGIN CERTIFICATE-----\nMII", "<hidden>"),
    ],
)
def test_texts_that_no_parser_reads(text: str, hidden: str) -> None:
    assert shown(text) == hidden


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("on node7: NODE7.", "on <host name>: <host name>."),
        ("/var/log/node7/x", "/var/log/<host name>/x"),
        ("node70 anode7 node7-a x-node7", "node70 anode7 node7-a x-node7"),
        ("198.51.100.7/24 198.51.100.7:80", "<a>/24 <a>:80"),
        ("198.51.100.70 1.198.51.100.7", "198.51.100.70 1.198.51.100.7"),
        ("mac 52:54:00:12:34:56,", "mac <m>,"),
        ("52:54:00:12:34:56:78", "52:54:00:12:34:56:78"),
    ],
)
def test_what_tells_the_machine_goes_where_it_stands_alone(text: str, hidden: str) -> None:
    assert shown(text) == hidden
