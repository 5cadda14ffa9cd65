"""Fails unless each file named is a CycloneDX document by the schema that CycloneDX publishes, in its strict form."""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
    if fault is not None:
        sys.exit(f"{name}: {fault}")
