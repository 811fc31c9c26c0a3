"""What the documents name exists: links, modules, files, config keys, columns, rules."""

import ast
import fnmatch
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from deepr.sheets import SCHEMAS

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY)
    for pattern in ("*.md", "config/*.md", "docs/**/*.md", "results/README.md")
    for path in REPOSITORY.glob(pattern)
)
TOP_FOLDERS = ("benchmarks", "config", "docs", "envs", "profiles", "tests", "workflow")


def read(document):
    return (REPOSITORY / document).read_text(encoding="utf-8")


def without_code(text):
    """Take fenced and inline code out: what looks like a link there is none."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def code_spans(text):
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def rows_of_tables(text):
    """Give the cells of every row of every table, without headers and rules."""
    lines = text.splitlines()
    for above, line in pairwise(lines):
        if line.startswith("| ") and above.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def anchors(text):
    """Give the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_relative_link_resolves(document):
    """To files of the repository, and to headings of documents."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(read(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (REPOSITORY / document).parent / path if path else REPOSITORY / document
        assert found.exists(), f"{document}: link to {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found.read_text(encoding="utf-8")), f"{document}: link to {target}"


def test_every_document_is_in_the_index():
    """Each page of docs/ has its line in docs/README.md."""
    linked = set(re.findall(r"\]\((\w+\.md)\)", read("docs/README.md")))
    assert {path.name for path in (REPOSITORY / "docs").glob("*.md")} == linked | {"README.md"}


@cache
def names_of_module(path):
    """Give all names that a module binds at its top level, imported ones too."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def exists_in_library(name):
    """Say whether deepr.x.y is a module, or a name in one; without importing it."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        base = REPOSITORY.joinpath("workflow", *parts[:count])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                rest = parts[count:]
                return not rest or (len(rest) == 1 and rest[0] in names_of_module(path))
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_module_and_file_that_is_named_exists(document):
    """Code spans deepr.x.y are modules or names in them, and paths are paths; placeholders are left alone."""
    for span in code_spans(read(document)):
        if re.fullmatch(r"deepr(\.\w+)+", span):
            assert exists_in_library(span), f"{document}: {span}"
        elif re.fullmatch(rf"({'|'.join(TOP_FOLDERS)})(/[\w.-]+)+/?", span):
            assert (REPOSITORY / span).exists(), f"{document}: {span}"


@cache
def config_keys():
    """Give every key of the config as a dotted path, NAME for the names of data sets."""
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text(encoding="utf-8"))

    def walk(rules, path):
        while "$ref" in rules:
            rules = schema["$defs"][rules["$ref"].rpartition("/")[2]]
        for key, inner in rules.get("properties", {}).items():
            yield (*path, key)
            yield from walk(inner, (*path, key))
        if isinstance(rules.get("additionalProperties"), dict):
            yield from walk(rules["additionalProperties"], (*path, "NAME"))

    return sorted(set(walk(schema, ())))


def matches_a_key(name):
    """Say whether a name, perhaps with * in it, is the end of a config key."""
    parts = name.split(".")
    return any(
        len(key) >= len(parts) and all(fnmatch.fnmatch(*pair) for pair in zip(key[-len(parts) :], parts, strict=True))
        for key in config_keys()
    )


def test_the_ledger_names_code_that_exists():
    """The last column of every row is a module, a file or a key of the config."""
    rows = list(rows_of_tables(read("docs/assumptions.md")))
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 4, row
        spans = code_spans(row[-1])
        assert spans, row
        for span in spans:
            found = exists_in_library(span) or ("/" in span and (REPOSITORY / span).is_file()) or matches_a_key(span)
            assert found, f"{span} in the row '{row[0]}'"


def documented_keys():
    """Give the config keys that config/README.md explains: those of the first column, and short names beside them."""
    text = read("config/README.md").partition("\n## ")[0]
    for row in rows_of_tables(text):
        first, *others = code_spans(row[0])
        parent = first.rpartition(".")[0]
        keys = [first, *(parent + other if other.startswith(".") else other for other in others)]
        yield keys, set(code_spans(" ".join(row[1:])))


def test_every_key_of_the_config_is_explained():
    """In the first column of config/README.md, or by its short name in the row of the section that it is in."""
    full, short = set(), {}
    for keys, beside in documented_keys():
        full |= set(keys)
        for key in keys:
            short[key] = beside
    for key in config_keys():
        name = ".".join(key)
        above = [".".join(key[:count]) for count in range(1, len(key))]
        inner = [other for other in config_keys() if other[: len(key)] == key and other != key]
        if inner:
            # A section is explained by its keys.
            continue
        named = any(fnmatch.fnmatch(name, pattern) for pattern in full)
        assert named or any(key[-1] in short.get(parent, ()) for parent in above), name


def test_every_key_that_is_explained_exists():
    """In config/README.md, the other way round."""
    keys = {".".join(key) for key in config_keys()}
    for row_keys, _ in documented_keys():
        for key in row_keys:
            assert fnmatch.filter(keys, key), key


@pytest.mark.parametrize("sheet", ["networks", "stacks"])
def test_every_column_of_a_sheet_is_explained(sheet):
    """In its table of config/README.md, and the sheets and templates have the columns of the schema and no others."""
    schema = yaml.safe_load((SCHEMAS / f"{sheet}.schema.yaml").read_text(encoding="utf-8"))
    columns = list(schema["properties"])
    section = re.search(rf"^## {sheet.capitalize()}$(.*?)(?=^## |\Z)", read("config/README.md"), re.M | re.S)[1]
    named = [span for row in rows_of_tables(section) for span in code_spans(row[0])]
    assert sorted(named) == sorted(columns)
    for path in (f"config/{sheet}.tsv", f"workflow/deepr/templates/{sheet}.tsv"):
        header = next(line for line in read(path).splitlines() if not line.startswith("#"))
        assert header.split("\t") == columns, path


def test_every_result_is_explained():
    """What the rules write stands in results/README.md, by its folder or its name."""
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    text = " ".join(span for row in rows_of_tables(read("results/README.md")) for span in code_spans(row[0] + row[1]))
    outputs = {path for path in re.findall(r'"results/([^"]+)"', rules) if "/raw/" not in path}
    assert len(outputs) > 50
    datasets = yaml.safe_load(read("config/config.yaml"))["datasets"]
    for path in outputs:
        # What stands in braces is a wildcard: a data set, a network.
        parts = [part for part in path.split("/") if not part.startswith("{") and part not in datasets]
        folder_or_name = next(iter(parts), None)
        if folder_or_name is not None:
            assert re.search(rf"\b{re.escape(folder_or_name.split('.')[0])}\b", text), path


def rules_of_the_workflow():
    """Name the rules that stand in the files of the workflow (targets by name of figure or network are made later)."""
    files = [REPOSITORY / "Snakefile", *(REPOSITORY / "workflow/rules").glob("*.smk")]
    return {name for path in files for name in re.findall(r"^rule (\w+):", path.read_text(encoding="utf-8"), re.M)}


def test_the_page_of_the_method_names_every_rule_of_the_road():
    """Each rule named there exists, and of those that make results none is left out."""
    named = set()
    for row in rows_of_tables(read("docs/method.md")):
        rules = code_spans(row[1])
        assert rules, row
        named |= set(rules)
    others = set(code_spans(read("docs/method.md"))) & rules_of_the_workflow()
    targets = {"all", "figures", "tables", "networks", "manifests", "own"}
    drawing = {name for name in rules_of_the_workflow() if name.startswith(("draw_", "tabulate_"))}
    assert named <= rules_of_the_workflow()
    assert rules_of_the_workflow() - targets - drawing <= named | others
