#!/usr/bin/env python3
"""Makes manylinux.json and musllinux.json from the policy tables of the auditwheel package on PyPI.

Usage: pip download --no-deps auditwheel==6.8.2 && python3 make.py auditwheel-6.8.2-py3-none-any.whl

Each policy allows what its predecessor allows and more, so that only what is new is written down: libraries and symbol
versions that a policy adds, and the black-listed symbols that it frees. The script stops where the tables are not so.
"""

import json
import sys
import zipfile
from pathlib import Path

NEWEST = {"manylinux": (2, 41), "musllinux": (1, 2)}


def version_key(version):
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in version.split(".")]


def convert(family, source, table):
    policies = sorted((row for row in table if row["name"] != "linux"), key=lambda row: -row["priority"])
    libraries, versions, black_list, made = set(), {}, None, []
    for row in policies:
        if tuple(int(part) for part in row["name"].split("_")[1:]) > NEWEST[family]:
            continue
        added_libraries = [name for name in row["lib_whitelist"] if name not in libraries]
        assert libraries <= set(row["lib_whitelist"]), row["name"]
        libraries |= set(row["lib_whitelist"])
        architectures = {}
        for arch, namespaces in sorted(row["symbol_versions"].items()):
            known = versions.setdefault(arch, {})
            assert set(known) <= set(namespaces), (row["name"], arch)
            added = {}
            for namespace, allowed in sorted(namespaces.items()):
                before = known.get(namespace)
                assert (before or set()) <= set(allowed), (row["name"], arch, namespace)
                new = sorted(set(allowed) - (before or set()), key=version_key)
                if new or before is None:
                    added[namespace] = new
                known[namespace] = set(allowed)
            architectures[arch] = added
        listed = {library: set(symbols) for library, symbols in row["blacklist"].items()}
        entry = {
            "name": row["name"],
            "aliases": row["aliases"],
            "priority": row["priority"],
            "libraries_added": added_libraries,
            "versions_added": architectures,
        }
        if black_list is None:
            entry["black_list"] = {library: sorted(symbols) for library, symbols in sorted(listed.items())}
        else:
            freed = {}
            for library, symbols in sorted(black_list.items()):
                gone = symbols - listed.get(library, set())
                if gone:
                    freed[library] = sorted(gone)
            for library, symbols in listed.items():
                assert symbols <= black_list.get(library, set()), (row["name"], library)
            if freed:
                entry["black_list_freed"] = freed
        black_list = listed
        made.append(entry)
    return {"family": family, "source": source, "policies": made}


def compact(value, depth=0):
    """JSON with a line for each leaf list or leaf object, so that a change of the tables can be read."""
    pad, inner = "  " * depth, "  " * (depth + 1)
    flat = json.dumps(value)
    if len(flat) + len(pad) <= 116 or not value or not isinstance(value, (dict, list)):
        return flat
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return flat
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + compact(item, depth + 1) for item in value) + f"\n{pad}]"
    rows = (f"{inner}{json.dumps(key)}: {compact(item, depth + 1)}" for key, item in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{pad}}}"


def main():
    wheel = Path(sys.argv[1])
    source = "-".join(wheel.name.split("-")[:2])
    with zipfile.ZipFile(wheel) as archive:
        for family in NEWEST:
            table = json.loads(archive.read(f"auditwheel/policy/{family}-policy.json"))
            made = convert(family, source, table)
            Path(__file__).with_name(f"{family}.json").write_text(compact(made) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
