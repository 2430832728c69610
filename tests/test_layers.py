"""The layers of docs/architecture.md and the doors of dependencies, read from the sources.

Imports inside functions count like any other: they are a matter of start-up time, not of layers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pipelines"
CONTAINER = ROOT / "container"

# A room imports itself and lower rows.
ROWS = (
    ("errors", "nearest", "dockerignore", "context", "engine"),
    ("definition", "spec", "schedule"),
    ("compile", "checks", "plan", "service_model", "graph"),
    ("aws", "images", "local", "elsewhere", "scaffold"),
    ("deploy", "remote", "roles", "executions", "report", "diagnosis", "comparison", "preflight"),
    ("cli", "testing", "__main__"),
)
# Rooms of one row that lean on one another, from one side only.
WITHIN_A_ROW = {
    ("context", "dockerignore"),
    ("engine", "errors"),
    ("checks", "service_model"),
    ("spec", "schedule"),
    ("deploy", "remote"),
    ("deploy", "roles"),
    ("report", "executions"),
    ("images", "aws"),
    ("diagnosis", "executions"),
    ("comparison", "executions"),
    ("comparison", "report"),
    ("__main__", "cli"),
}

# Which modules may import a package: the folder or file, below pipelines/.
DOORS = {
    "sagemaker": ("compile/sdk.py",),
    "boto3": ("aws/",),
    "botocore": ("aws/", "service_model.py"),  # service_model: the data files alone (loaders, model)
    "moto": ("local/moto.py",),
    "werkzeug": ("local/",),
    "sqlite3": ("local/database.py",),
    "yaml": ("spec/",),
    "uv": ("local/runner/environment.py",),
    "rich": ("cli/",),
    "argparse": ("cli/",),
}
ENVIRONMENT = {
    "compile/sdk.py": "sets what the SDK reads while it is imported, and puts it back",
    "local/daemon.py": "the server's own environment is the caller's, without AWS's variables",
    "local/runner/environment.py": "what uv needs: indexes, proxies, certificates",
    "engine.py": "where the user's container engine is",
    "local/runner/launchers.py": "LD_LIBRARY_PATH, for the interpreter of the launcher",
    "local/stand_ins/": "programs of containers: the job's variables",
}
EXITS = {
    "local/server.py": "a process of its own",
    "local/runner/launcher.py": "a process of its own: it becomes the container's program",
    "local/stand_ins/": "programs of containers",
}
PRINTS = {"cli/": "the only place that prints", "local/stand_ins/": "programs of containers: the job's log"}


@cache
def modules() -> dict[str, ast.Module]:
    """Every source of the package, by path below pipelines/."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _without_main_block(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those of `if __name__ == "__main__":`, which is a program and no part of the module."""
    for statement in tree.body:
        if not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"):
            yield from ast.walk(statement)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The dotted names that are imported, wherever in a module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(path: str) -> tuple[str, ...]:
    """What a module of the package imports, its program left out."""
    return tuple(_imported(_without_main_block(modules()[path])))


def _tops(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _room(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


def _row(room: str) -> int:
    found = [index for index, row in enumerate(ROWS) if room in row]
    assert found, f"{room} stands in no row: add it here and in docs/architecture.md"
    return found[0]


def _is_in(path: str, places: object) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


def _module_file(name: str) -> str | None:
    """The source of a dotted name below `pipelines`, or None when it is no module (but a name inside of one)."""
    path = name.replace(".", "/")
    files = (file.removeprefix("pipelines/") for file in (f"{path}.py", f"{path}/__init__.py"))
    return next((file for file in files if name.startswith("pipelines") and file in modules()), None)


def test_there_are_modules_to_read():
    assert len(modules()) > 80


@pytest.mark.parametrize("path", modules())
def test_module_imports_its_own_room_and_lower_rows_only(path):
    room = _room(path)
    if room == "__init__":
        assert not imports(path)
        return
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top != "pipelines" or not rest:
            continue
        other = rest.partition(".")[0]
        allowed = other == room or _row(other) < _row(room) or (room, other) in WITHIN_A_ROW
        assert allowed, f"pipelines/{path} (row {_row(room) + 1}) imports {name} (row {_row(other) + 1})"


def test_no_program_reaches_up():
    """`python -m pipelines.deploy` runs the command line by its name; nothing below imports it."""
    programs = {path: set(_imported(ast.walk(tree))) for path, tree in modules().items() if not path.startswith("cli")}
    above = {path for path, names in programs.items() if any("pipelines.cli" in name for name in names)}
    assert above == {"__main__.py"}


def test_no_module_imports_itself_in_a_circle():
    graph = {path: set(_imported_files(path)) - {path} for path in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' → '.join(error.args[1])}")


def _imported_files(path: str) -> Iterator[str]:
    """The sources that a module imports: of `from package import module` the module, else where the name is from."""
    for node in _without_main_block(modules()[path]):
        if isinstance(node, ast.Import):
            yield from filter(None, (_module_file(alias.name) for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                file = _module_file(f"{node.module}.{alias.name}") or _module_file(node.module or "")
                yield from [file] if file else []


@pytest.mark.parametrize("package", DOORS)
def test_dependency_has_one_door(package):
    importing = {path for path in modules() if package in _tops(imports(path))}
    assert importing, f"nothing imports {package}: remove its door"
    assert {path for path in importing if not _is_in(path, DOORS[package])} == set()


def test_slow_packages_are_imported_inside_functions_only():
    for path, tree in modules().items():
        at_the_top = _tops(_imported(tree.body))
        assert not at_the_top & {"sagemaker", "moto"}, path


@cache
def _uses(*wanted: str) -> set[str]:
    """The modules that use one of these names or attributes (as `print` or `os.environ`)."""
    return {
        path
        for path, tree in modules().items()
        for node in _without_main_block(tree)
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in wanted
    }


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("os.environ", "os.getenv", "os.environb", "os.putenv"), ENVIRONMENT),
        (("sys.exit", "os._exit", "exit", "quit"), EXITS),
        (("print", "sys.stdout.write", "sys.stderr.write"), PRINTS),
    ],
    ids=["environment", "exit", "print"],
)
def test_what_only_the_command_line_does(names, places):
    using = _uses(*names)
    assert {path for path in using if not _is_in(path, places)} == set()
    assert {place for place in places if not any(_is_in(path, [place]) for path in using)} == set(), "no longer needed"


def test_container_and_package_never_import_each_other():
    for file in CONTAINER.rglob("*.py"):
        assert "pipelines" not in _tops(_imported(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))), file
    for path in modules():
        assert not {"processing", "container"} & _tops(imports(path)), path


def test_nothing_pretends_to_act():
    """A plan is data: there is no dry_run (docs/architecture.md)."""
    for path, tree in modules().items():
        for node in ast.walk(tree):
            named = getattr(node, "arg", None) or getattr(node, "id", None) or getattr(node, "attr", None)
            assert named not in ("dry_run", "dryrun"), path


def test_architecture_page_names_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    rows = {room.strip(" `/"): int(row) for row, rooms in named for room in rooms.split(",")}
    assert rows.items() <= {room: index + 1 for index, row in enumerate(ROWS) for room in row}.items()
