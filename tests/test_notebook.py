"""The lines of the public face in a real notebook kernel: values show themselves."""

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "import spiritlens as sl\nlens = sl.load()\nlens",
    'spoken = lens.speak("The capital of France is", subject="France", answer="Paris")\nspoken',
    "sl.run(lens, spoken).top(5)",
    'sl.run(lens, spoken, sl.corrupt(spoken.subject), sl.restore("resid_pre", layer=3, at=spoken.subject))',
    'effects = sl.causal_trace(lens, [spoken], sl.Grid(("resid_pre",), at="role"), samples=2)\neffects',
    "sl.figures.trace_map(effects)",
    "spoken.waveform",
)


@pytest.mark.slow
def test_values_show_themselves_in_a_notebook() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
    shown = [
        {
            kind: "".join(text)
            for output in cell.outputs
            for kind, text in output.get("data", {}).items()
            if "json" not in kind
        }
        for cell in notebook.cells
    ]
    assert "embedded" in shown[0]["text/plain"]
    assert "france" in shown[1]["text/html"].lower()
    assert "answer" in shown[2]["text/plain"]
    assert "effect" in shown[3]["text/plain"]
    assert "resid_pre" in shown[4]["text/html"]
    assert any("plotly" in kind for output in notebook.cells[5].outputs for kind in output.get("data", {}))
    assert "<audio" in shown[6]["text/html"]
