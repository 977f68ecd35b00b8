"""Nothing above `models/` touches a model except through the protocol, so that another TransformerLens can follow."""

import ast
from pathlib import Path

import pytest

import spiritlens

PACKAGE = Path(spiritlens.__file__).parent
ABOVE = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("models", "prompts", "speech", "shapes.py")
)
BACKENDS = tuple(f"spiritlens.models.{folder}" for folder in ("hooked_transformer", "transformer_bridge", "blocks"))


def violations(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "transformer_lens"]
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "transformer_lens":
                found.append(node.module)
            if node.module.startswith(BACKENDS):
                found.append(node.module)
        if isinstance(node, ast.Attribute) and node.attr == "model":
            owner = ast.unparse(node.value)
            if owner.split(".")[-1] in ("lens", "backend"):
                found.append(f"{owner}.model")
    return found


@pytest.mark.parametrize("path", ABOVE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_model_is_used_through_the_protocol_only(path):
    assert violations(path.read_text(encoding="utf-8")) == []


def test_the_check_can_fail():
    assert violations("from transformer_lens import HookedTransformer") == ["transformer_lens"]
    assert violations("lens.model(tokens)\nself.lens.backend.model.blocks") == ["lens.model", "self.lens.backend.model"]
    for backend in BACKENDS:
        assert violations(f"from {backend}.inside import Inside") == [f"{backend}.inside"]
    assert violations("from spiritlens.models.protocol import LensModel\nlens.backend.forward(x)") == []
