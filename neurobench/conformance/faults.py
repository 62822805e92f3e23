"""Why a framework is wrong on a case: (framework, case) -> what its importer does. Read in its source."""

FAULTS: dict[tuple[str, str], str] = {}
