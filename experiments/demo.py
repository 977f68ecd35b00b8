"""The main job on the embedded model: facts are spoken, asked, traced in both modalities and compared.

`python experiments/demo.py --out runs/demo` takes about three minutes on two cores and writes one offline page.
"""

from pathlib import Path

import tyro

import spiritlens as sl


def main(out: Path = Path("runs/demo"), n_facts: int = 24, samples: int = 10, seed: int = 0) -> None:
    """Trace `n_facts` facts that the embedded model knows in both modalities, and print what was found."""
    result = sl.study(sl.load(), out, sl.studies.StudySettings(n_facts=n_facts, samples=samples, seed=seed))
    print(*result.findings, f"Page: {result.page.resolve()}", sep="\n")


if __name__ == "__main__":
    tyro.cli(main)
