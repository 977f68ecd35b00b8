"""No module imports itself by way of others, and no two neighbours in a folder import each other."""

from itertools import combinations

import grimp
import pytest


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("spiritlens", cache_dir=None)


def circles(graph: grimp.ImportGraph) -> set[frozenset[str]]:
    """The sets of modules that all reach one another."""
    reached = {module: graph.find_upstream_modules(module) for module in graph.modules}
    return {
        frozenset({module, *(other for other in reached[module] if module in reached[other])})
        for module in graph.modules
        if any(module in reached[other] for other in reached[module])
    }


def mutual_imports(graph: grimp.ImportGraph) -> set[frozenset[str]]:
    """The pairs of neighbours (module or folder with all in it) that import each other."""
    return {
        frozenset({one, other})
        for folder in graph.modules
        for one, other in combinations(sorted(graph.find_children(folder)), 2)
        if _imports(graph, one, other) and _imports(graph, other, one)
    }


def _imports(graph: grimp.ImportGraph, one: str, other: str) -> bool:
    there = {other, *graph.find_descendants(other)}
    return any(
        there & graph.find_modules_directly_imported_by(module) for module in (one, *graph.find_descendants(one))
    )


def test_no_circles(graph: grimp.ImportGraph) -> None:
    assert circles(graph) == set()


def test_no_neighbours_import_each_other(graph: grimp.ImportGraph) -> None:
    assert mutual_imports(graph) == set()


def test_circles_and_mutual_imports_are_found() -> None:
    graph = grimp.ImportGraph()
    for module in ("a", "a.x", "a.x.one", "a.y", "a.y.two", "a.z"):
        graph.add_module(module)
    graph.add_import(importer="a.x.one", imported="a.y.two")
    graph.add_import(importer="a.y", imported="a.x")
    assert circles(graph) == set()
    assert mutual_imports(graph) == {frozenset({"a.x", "a.y"})}
    graph.add_import(importer="a.y.two", imported="a.z")
    graph.add_import(importer="a.z", imported="a.x.one")
    assert circles(graph) == {frozenset({"a.x.one", "a.y.two", "a.z"})}
