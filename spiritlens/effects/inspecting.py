"""What a run holds, while it goes on or afterwards: counts, failures by reason, workers, hours left; of a study that
asks still, how many facts were asked.

A worker is a shard (`spiritlens.effects.shards`). Hours left are those of the prompts that wait, at the seconds that a
prompt took so far, on as many workers as are at work now (on one, where none is).
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from spiritlens.arguments import told_keywords
from spiritlens.effects.contents import read_contents
from spiritlens.effects.failures import told_failures
from spiritlens.effects.prompt_table import read_ids
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.files.atomic import given_path
from spiritlens.files.lines import read_rows, shared_files


@dataclass(frozen=True)
class Worker:
    """What one shard made: its label, finished prompts, the seconds they took, whether it is at work, and how many
    prompts it could not measure."""

    label: str
    prompts: int
    seconds: float
    running: bool
    failures: int = 0

    def __str__(self) -> str:
        pace = f", {self.seconds / self.prompts:.2g} s a prompt" if self.prompts and self.seconds else ""
        failed = f", {self.failures} failed" if self.failures else ""
        return f"{self.label}: {self.prompts} prompts{pace}{failed}, {'at work' if self.running else 'not at work'}"


@dataclass(frozen=True)
class RunReport:
    """The state of one run directory."""

    folder: Path
    asked: int
    finished: int
    failures: dict[str, int]
    """How many prompts could not be measured, by reason; none that were measured since."""
    damaged: tuple[str, ...]
    workers: tuple[Worker, ...]
    joined: bool
    """Whether effects.nc is there."""
    answered: int = 0
    """Facts of a study whose answers are kept; they are asked before anything is traced."""

    @property
    def waiting(self) -> int:
        """Prompts that are neither finished nor failed."""
        return max(0, self.asked - self.finished - sum(self.failures.values()))

    @property
    def hours_left(self) -> float:
        """Hours that the waiting prompts will take; NaN where no prompt is finished yet."""
        prompts, seconds = (sum(getattr(worker, name) for worker in self.workers) for name in ("prompts", "seconds"))
        if not self.waiting:
            return 0.0
        running = max(1, sum(worker.running for worker in self.workers))
        return self.waiting * seconds / prompts / running / 3600 if prompts and seconds else float("nan")

    def __repr__(self) -> str:
        known = self.hours_left == self.hours_left
        left = f", about {self.hours_left:.2g} hours" if self.waiting and known else ""
        lines = [f"{self.folder}: {self.finished} of {self.asked} prompts finished, {self.waiting} wait{left}"]
        lines += [f"  answers of {self.answered} facts are kept"] if self.answered else []
        lines += [f"  failed {count} ×: {reason}" for reason, count in self.failures.items()]
        lines += [f"  damaged: {problem}" for problem in self.damaged]
        lines += [f"  {worker}" for worker in self.workers]
        return "\n".join([*lines, f"  effects.nc is {'there' if self.joined else 'not joined yet'}"])


@told_keywords
def inspect(folder: str | Path) -> tuple[RunReport, ...]:
    """The state of a run directory and of those within it, such as the ``tokens`` of a study.

    Returns a report of each, which prints as a few lines. Raises ValueError where the folder holds no run.
    """
    folder = given_path("folder", folder)
    asking = (folder / "study.json").is_file() and not (folder / "parts").is_dir()  # nothing is traced yet
    return tuple(_report(RunDirectory(path)) for path in ((folder,) if asking else runs_within(folder)))


def runs_within(folder: str | Path) -> tuple[Path, ...]:
    """A run directory and those within it, sorted; ValueError where there is none."""
    folder = given_path("folder", folder)
    found = {path.parent for path in folder.rglob("parts") if path.is_dir() and path.parent.name != "parts"}
    if not found:
        raise ValueError(f"{folder} holds no run: name the folder of a trace, with parts/ inside")
    return tuple(sorted(found))


def _report(run: RunDirectory) -> RunReport:
    ids = read_ids(run.folder / "prompts.parquet")
    contents = read_contents(run, frozenset(ids))
    where, running = contents.where, run.running()
    failed = {each.prompt: (label, each) for label, each in told_failures(run.folder) if each.prompt not in where}
    counts = Counter(failure.reason for _, failure in failed.values())
    failed_by = Counter(label for label, _ in failed.values())
    prompts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for part in contents.parts:
        label = str(part.attributes.get("worker") or "earlier versions")
        prompts[label] += len(part.ids)
        seconds[label] += float(part.attributes.get("seconds", 0))  # type: ignore[assignment]
    labels = sorted({*prompts, *running, *failed_by})
    workers = tuple(
        Worker(label, prompts[label], float(seconds[label]), label in running, failed_by[label]) for label in labels
    )
    return RunReport(
        run.folder,
        len({*ids, *where}),
        len(where),
        dict(counts.most_common()),
        tuple(contents.damaged.values()),
        workers,
        (run.folder / "effects.nc").is_file(),
        _answered(run.folder),
    )


def _answered(folder: Path) -> int:
    """Of how many facts answers are kept (`spiritlens.studies.kept_answers`)."""
    rows = [row for path in shared_files(folder / "answers.jsonl") for row in read_rows(path)[0]]
    return len({str(row["fact"]) for row in rows if "fact" in row})
