"""Namespaces resolve their names at first use, from the stub beside them."""

import ast
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import jedi
import pytest
from test_package import WITHOUT_TORCH

import spiritlens as sl


def test_namespaces_of_results_need_no_torch() -> None:
    names = "sl.effects.total, sl.heads.rank, sl.heads.overlap, sl.figures.role_maps, sl.page.write_page, sl.compare"
    code = f"{WITHOUT_TORCH}import spiritlens as sl; print(len(({names},)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "6\n"


def test_heads_list_their_names_and_refuse_others() -> None:
    assert (
        dir(sl.heads)
        == sl.heads.__all__
        == [
            *("Ablation", "Blocked", "Parts", "attention_knockout", "attention_mass", "compare_rankings", "detectors"),
            *("direct_logit_attribution", "faithfulness", "faithfulness_areas", "head_knockout", "overlap", "rank"),
        ]
    )
    with pytest.raises(AttributeError, match=r"spiritlens\.heads has no public name 'rank_heads'; see dir"):
        _ = sl.heads.rank_heads


@pytest.mark.parametrize(
    ("space", "names"),
    [
        ("corruptions", {"NoiseScale", "control_span"}),
        ("effects", {"total", "average", "load"}),
        ("errors", {"AudioError", "CheckpointError"}),
        ("heads", {"rank", "detectors"}),
        ("page", {"Plot", "write_page"}),
        ("prompts", {"Family", "Span"}),
        ("speech", {"read_waveform", "available_voices"}),
        ("studies", {"StudySettings", "study_cost"}),
    ],
)
def test_a_static_tool_completes_namespaces(space: str, names: set[str]) -> None:
    script = jedi.Script(f"import spiritlens as sl\nsl.{space}.", project=jedi.Project(sl.__path__[0] + "/.."))
    assert names <= {found.name for found in script.complete(2, len(f"sl.{space}."))}


@pytest.mark.parametrize("name", sorted(sl.MOVED))
def test_a_name_of_before_is_resolved_with_a_warning_that_says_where_it_is(name: str) -> None:
    assert name not in sl.__all__
    place = sl.MOVED[name]
    with pytest.warns(FutureWarning, match=rf"spiritlens\.{name} is spiritlens\.{place} now"):
        found = getattr(sl, name)
    assert found is attrgetter(place)(sl)


def test_every_error_of_the_package_is_public() -> None:
    """All subclasses of Exception that the package defines stand in ``sl.errors``."""
    defined = {
        node.name
        for path in Path(sl.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any("Error" in ast.unparse(base) or "Warning" in ast.unparse(base) for base in node.bases)
    }
    assert defined == set(sl.errors.__all__)
