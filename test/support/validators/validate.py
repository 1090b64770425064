"""Holds SBOMs and provenance to what their authors publish.

Standard input: JSON, {"documents": [{"name", "kind", "text"}]}. Standard output: JSON, {NAME: [what is wrong with it]}.

kind "spdx": the JSON schema of SPDX 2.3, then the SPDX project's own validator of the whole specification.
kind "statement": the protocol buffers of in-toto's statement v1 and the in-toto project's own validator of it; where the
predicate is SLSA provenance v1 or an SPDX document, that is held to its own schema too. What a schema does not know is wrong.
"""

import json
import logging
import os
import sys

import jsonschema
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import resource_descriptor, statement, statement_pb2
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

logging.disable(logging.CRITICAL)

with open(os.path.join(sys.prefix, "spdx-schema-2.3.json"), encoding="utf-8") as file:
    SPDX_SCHEMA = jsonschema.Draft201909Validator(
        json.load(file), format_checker=jsonschema.Draft201909Validator.FORMAT_CHECKER
    )

PROVENANCE = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"


def spdx(document):
    wrong = [f"{error.json_path}: {error.message}" for error in SPDX_SCHEMA.iter_errors(document)]
    if wrong:
        return wrong
    try:
        parsed = JsonLikeDictParser().parse(document)
    except SPDXParsingError as error:
        return list(error.get_messages())
    return [
        f"{message.context.spdx_id or message.context.parent_id}: {message.validation_message}"
        for message in validate_full_spdx_document(parsed)
    ]


def descriptors(messages):
    for message in messages:
        resource_descriptor.ResourceDescriptor.copy_from_pb(message).validate()


def provenance(predicate):
    """The fields that SLSA's text requires ("Fields" of provenance v1): protocol buffers have no required ones."""
    parsed = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    definition, run = parsed.build_definition, parsed.run_details
    required = {
        "buildDefinition.buildType": definition.build_type,
        "buildDefinition.externalParameters": definition.external_parameters,
        "runDetails.builder.id": run.builder.id,
    }
    for name, value in required.items():
        if not value:
            raise ValueError(f"{name} is missing")
    descriptors(definition.resolved_dependencies)
    descriptors(run.builder.builder_dependencies)
    descriptors(run.byproducts)


def in_toto(document):
    try:
        parsed = json_format.ParseDict(document, statement_pb2.Statement())
        statement.Statement.copy_from_pb(parsed).validate()
        if document["predicateType"] == PROVENANCE:
            provenance(document["predicate"])
    except (json_format.ParseError, ValueError) as error:
        return [str(error)]
    return spdx(document["predicate"]) if document["predicateType"] == SPDX else []


KINDS = {"spdx": spdx, "statement": in_toto}


def main():
    wrong = {}
    for document in json.load(sys.stdin)["documents"]:
        check = KINDS[document["kind"]]
        wrong[document["name"]] = check(json.loads(document["text"]))
    json.dump(wrong, sys.stdout)


main()
