"""The Helm chart in conf/kubernetes/chart, made of the manifests beside it: `python -m bundle.chart`.

The manifests are the source. Here stands which of their texts become values: each has to be there as often as
is said, so that a change of the manifests cannot pass unnoticed. The chart's defaults give the manifests
again; a test renders them.
"""

import re
import sys
from pathlib import Path

from core.cni.version import SUITE

SOURCE = Path(__file__).resolve().parent.parent / "conf" / "kubernetes"
FILES = ("rbac.yaml", "conflist.yaml", "daemonset.yaml")
NETWORKS = '["10.244.0.0/16", "fd00:10:244::/56"]'
IMAGE = "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
SECRETS = """\
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
"""
RESOURCES = re.compile(r"( +)resources:\n((?:\1  .*\n)+)")
# file -> (text, how often it is there, what stands in its place)
PLACES = {
    "rbac.yaml": [("namespace: kube-system", 2, "namespace: {{ .Release.Namespace }}")],
    "conflist.yaml": [
        ("namespace: kube-system", 1, "namespace: {{ .Release.Namespace }}"),
        (NETWORKS, 1, "{{ toJson .Values.podNetworks }}"),
    ],
    "daemonset.yaml": [
        ("namespace: kube-system", 1, "namespace: {{ .Release.Namespace }}"),
        (f"image: cniwire:{SUITE}\n", 2, f'image: "{IMAGE}"\n'),
        ("      nodeSelector:\n        kubernetes.io/os: linux\n", 1, "nodeSelector"),
        ("      tolerations:\n        - operator: Exists\n", 1, "tolerations"),
        (
            "      containers:\n",
            1,
            f"{SECRETS}      containers:\n",
        ),
    ],
}
VALUES = """\
# The defaults give what `kubectl apply -k conf/kubernetes` applies.

# No registry has the image: push it to one that your nodes reach (docs/kubernetes.md).
image:
  repository: cniwire
  tag: ""  # default: appVersion of the chart
imagePullSecrets: []

# The pod networks of the whole cluster: in them pods keep their own addresses.
podNetworks:
  - 10.244.0.0/16
  - fd00:10:244::/56

nodeSelector:
  kubernetes.io/os: linux

tolerations:
  - operator: Exists

# Of the init container, and of the agent.
resources:
"""


def chart() -> dict[str, str]:
    """The files of the chart by name. Raises ValueError where a manifest is not as PLACES has it."""
    files = {f"templates/{name}": template(name) for name in FILES}
    blocks = [match[2] for match in RESOURCES.finditer((SOURCE / "daemonset.yaml").read_text())]
    values = VALUES
    for part, block in zip(("install", "node"), blocks):
        values += f"  {part}:\n" + re.sub(r"(?m)^ {12}", "    ", block)
    return {"Chart.yaml": about(), "values.yaml": values, **files}


def about() -> str:
    """Chart.yaml."""
    return f"""\
# Made by `python -m bundle.chart` of the manifests beside this folder.
apiVersion: v2
name: cniwire
description: CNI plugins, the pods' network configuration, and routes between nodes of one network
type: application
version: {SUITE}
appVersion: "{SUITE}"
kubeVersion: ">=1.23.0-0"
"""


def template(name: str) -> str:
    """A manifest with values in place of its texts."""
    text = (SOURCE / name).read_text()
    for found, times, instead in PLACES[name]:
        if text.count(found) != times:
            raise ValueError(f"{name}: want {times} times {found!r}, found {text.count(found)}")
        text = text.replace(found, block(instead, 6) if instead.isalpha() else instead)
    parts = iter(("install", "node"))
    return RESOURCES.sub(lambda match: block(f"resources.{next(parts)}", len(match[1])), text)


def block(value: str, indent: int) -> str:
    """A key whose value is a piece of YAML from the values."""
    key = value.partition(".")[0]
    return f"{' ' * indent}{key}:\n{' ' * indent}  {{{{- toYaml .Values.{value} | nindent {indent + 2} }}}}\n"


def main() -> int:
    """Write the chart."""
    for name, text in chart().items():
        path = SOURCE / "chart" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
