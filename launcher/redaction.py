"""What a report does not tell: values that may be secret, and what only says which machine it is. Pure.

Law: a value goes and its key stays, so that a reader sees that there was one; what has been hidden is said in
place of it. When in doubt, it is hidden.
"""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "<hidden>"
SECRET = re.compile(
    r"passw|passphrase|^pwd$|secret|token|credential|auth|private|key$|key[_-]|cookie|cert|psk$|signature"
    r"|^env$|environ",
    re.IGNORECASE,
)
# In texts that no parser reads: a key in quotes and its value, as far as a line or a bracket tells its end.
QUOTED = re.compile(r'("((?:[^"\\\n]|\\.)*)"\s*:\s*)([\[{][^\]}]*[\]}]?|"(?:[^"\\\n]|\\.)*"?|[^\s,}\]]+)')
ASSIGNED = re.compile(r'\b([\w.-]+)(=)([^\s;,"\'&]+)')
PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL)
SHAPES = (
    PEM,
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?"),  # a JSON web token
    re.compile(r"(?<=://)[^/\s@\"]+(?=@)"),  # user and password of an address
    re.compile(r"(?<=\bBearer )[^\s\"]+|(?<=\bBasic )[A-Za-z0-9+/=]{8,}"),
)
# Next to a name or an address these make another one of it; behind one of colons a further one does.
BEFORE, BEHIND = r"(?<![\w.:-])", r"(?!:)"


class Redaction:
    """Hides by rule, and counts. known: texts that are never told, each with what stands for it."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.hidden = 0
        longest_first = sorted(filter(None, known), key=len, reverse=True)
        each = "|".join(re.escape(text) + (BEHIND if ":" in text else "") for text in longest_first)
        border = rf"{BEFORE}(?:{each})(?![\w-]|\.\d)"
        self._names = re.compile(border, re.IGNORECASE) if each else None
        self._known = {text.lower(): shown for text, shown in known.items()}

    def document(self, value: Any, key: str = "") -> Any:
        """*value* without what stands below a key that may be secret.

        A list of two texts, as in CNI_ARGS of a cached result, is a key and its value.
        """
        if SECRET.search(key) and value not in (None, "", [], {}) and not isinstance(value, bool):
            return self._hide()
        if isinstance(value, dict):
            return {name: self.document(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            if len(value) == 2 and all(isinstance(item, str) for item in value):
                return [value[0], self.document(value[1], value[0])]
            return [self.document(item) for item in value]
        return value

    def text(self, text: str) -> str:
        """*text* without what looks secret by its key or by its shape, and without the known texts."""
        text = QUOTED.sub(lambda found: self._valued(found, found[2], f'"{HIDDEN}"'), text)
        text = ASSIGNED.sub(lambda found: self._valued(found, found[1], f"{found[2]}{HIDDEN}"), text)
        for shape in SHAPES:
            text = shape.sub(lambda _: self._hide(), text)
        return self._names.sub(self._named, text) if self._names else text

    def _valued(self, found: "re.Match[str]", key: str, shown: str) -> str:
        if not SECRET.search(key) or HIDDEN in found[3] or found[3] in ('""', "true", "false", "null"):
            return found[0]
        self.hidden += 1
        return (found[1] if found[0].startswith('"') else key) + shown

    def _named(self, found: "re.Match[str]") -> str:
        self.hidden += 1
        return self._known[found[0].lower()]

    def _hide(self) -> str:
        self.hidden += 1
        return HIDDEN
