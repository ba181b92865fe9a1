"""The software bill of materials: what is in each form, of whom, in which version. CycloneDX, JSON.

Law: the same text for the same contents; serial number and time come from the commit, and none is drawn.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from cyclonedx import spdx
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packageurl import PackageURL

from bundle.release.facts import PURPOSE, Facts
from bundle.release.parts import Part
from launcher.installation.versions import Refused

SCHEMA = SchemaVersion.V1_6
LICENSE = "Apache-2.0"


@dataclass(frozen=True)
class Product:
    """Something of ours that is shipped. sha256: of its main file. parts: what is inside, or needed."""

    name: str
    description: str
    sha256: str
    parts: tuple[Part, ...] = ()


def licensed(text: str) -> Sequence[DisjunctiveLicense | LicenseExpression]:
    if not text:
        return ()
    if spdx.is_supported_id(text):
        return [DisjunctiveLicense(id=text)]
    return [LicenseExpression(text) if spdx.is_expression(text) else DisjunctiveLicense(name=text)]


def hashed(sha256: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def component(part: Part) -> Component:
    origin = ExternalReference(
        type=ExternalReferenceType.SOURCE_DISTRIBUTION,
        url=XsUri(part.source or "about:blank"),
        hashes=hashed(part.sha256),
    )
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=part.reference,
        name=part.name,
        version=part.version or None,
        purl=PackageURL.from_string(part.purl) if part.purl else None,
        cpe=part.cpe or None,
        licenses=licensed(part.license),
        # A hash is of a source where one is named, and otherwise of the very file.
        hashes=[] if part.source else hashed(part.sha256),
        external_references=[origin] if part.source else [],
    )


def application(name: str, description: str, version: str, sha256: str = "") -> Component:
    return Component(
        type=ComponentType.APPLICATION,
        bom_ref=f"{name}@{version}",
        name=name,
        version=version,
        description=description,
        licenses=licensed(LICENSE),
        hashes=hashed(sha256),
    )


def document(facts: Facts, products: Sequence[Product]) -> str:
    """The bill as JSON. Raises Refused unless it is as the schema has it."""
    parts = {part.reference: component(part) for product in products for part in product.parts}
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"cniwire:{facts.label}:{facts.commit}"))
    bom.metadata.timestamp = facts.time
    root = bom.metadata.component = application("cniwire", PURPOSE, facts.version)
    made = {
        each.name: application(each.name, each.description, facts.version, each.sha256) for each in products
    }
    bom.components.update([*parts.values(), *made.values()])
    bom.register_dependency(root, made.values())
    for product in products:
        bom.register_dependency(
            made[product.name], [parts[reference] for reference in {part.reference for part in product.parts}]
        )
    text = make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=1)
    fault = make_schemabased_validator(OutputFormat.JSON, SCHEMA).validate_str(text)
    if fault:
        raise Refused(f"the bill of materials is not as CycloneDX {SCHEMA.to_version()} has it: {fault}")
    return f"{text}\n"
