"""Namespaces resolve their names at first use, from the stub beside them."""

import subprocess
import sys

import jedi
import pytest
from test_package import WITHOUT_TORCH

import spiritlens as sl


def test_namespaces_of_results_need_no_torch() -> None:
    names = "sl.effects.total, sl.heads.rank, sl.heads.overlap, sl.figures.role_maps, sl.page.write_page, sl.compare"
    code = f"{WITHOUT_TORCH}import spiritlens as sl; print(len(({names},)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "6\n"


def test_heads_list_their_names_and_refuse_others() -> None:
    assert dir(sl.heads) == sl.heads.__all__ == ["attention_mass", "compare_rankings", "detectors", "overlap", "rank"]
    with pytest.raises(AttributeError, match=r"spiritlens\.heads has no public name 'rank_heads'; see dir"):
        _ = sl.heads.rank_heads


@pytest.mark.parametrize(
    ("space", "names"),
    [("effects", {"total", "average", "load"}), ("heads", {"rank", "detectors"}), ("page", {"Plot", "write_page"})],
)
def test_a_static_tool_completes_namespaces(space: str, names: set[str]) -> None:
    script = jedi.Script(f"import spiritlens as sl\nsl.{space}.", project=jedi.Project(sl.__path__[0] + "/.."))
    assert names <= {found.name for found in script.complete(2, len(f"sl.{space}."))}
