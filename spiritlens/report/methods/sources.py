"""Sources that a methods paragraph cites, one row each: its key, when it is cited, and its BibTeX.

A row is cited where one of its words stands in what a result says of itself: its schema, its method, its corruption,
its model, its libraries and settings, joined in lower case (`told_of`). The order of the rows is that of the entries.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from spiritlens.effects.schema import RECALL
from spiritlens.report.words import method_words


@dataclass(frozen=True)
class Source:
    """A source: `words` of which one must be told of a result, and its entry (kind, then fields)."""

    key: str
    words: tuple[str, ...]
    kind: str
    fields: tuple[tuple[str, str], ...]

    @property
    def bibtex(self) -> str:
        """The entry."""
        lines = [f"  {name} = {{{value}}}" for name, value in self.fields]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


def _paper(key: str, words: tuple[str, ...], author: str, title: str, year: int, **more: str) -> Source:
    """A paper: in proceedings or a journal where `more` names one, else a preprint."""
    kind = "inproceedings" if "booktitle" in more else "article" if "journal" in more else "misc"
    fields = {"author": author, "title": f"{{{title}}}", "year": str(year), **more}
    if "eprint" in more:
        fields["archivePrefix"] = "arXiv"
    return Source(key, words, kind, tuple(fields.items()))


NEURIPS = "Advances in Neural Information Processing Systems"
SOURCES: tuple[Source, ...] = (
    _paper(
        "modica2026factual", ("modality s2t",),
        "Modica, Luca and Landin, Filip and Farahani, Mehrdad and Qian, Livia and Skantze, Gabriel and "
        "Johansson, Richard",
        "Do Factual Recall Mechanisms Carry over from Text to Speech in Multimodal Language Models?", 2026,
        booktitle="Proceedings of the 15th Joint Conference on Lexical and Computational Semantics",
        eprint="2605.22170",
    ),
    _paper(
        "nguyen2025spirit", ("spirit",), "Nguyen, Tu Anh and others",
        "SpiRit-LM: Interleaved Spoken and Written Language Model", 2025,
        journal="Transactions of the Association for Computational Linguistics", eprint="2402.05755",
    ),
    _paper(
        "vig2020investigating", ("causal tracing", "activation patching", "back-patching"),
        "Vig, Jesse and Gehrmann, Sebastian and Belinkov, Yonatan and Qian, Sharon and Nevo, Daniel and Singer, Yaron "
        "and Shieber, Stuart",
        "Investigating Gender Bias in Language Models Using Causal Mediation Analysis", 2020, booktitle=NEURIPS,
    ),
    _paper(
        "meng2022locating", ("causal tracing", "dose"),
        "Meng, Kevin and Bau, David and Andonian, Alex and Belinkov, Yonatan",
        "Locating and Editing Factual Associations in GPT", 2022, booktitle=NEURIPS, eprint="2202.05262",
    ),
    _paper(
        "zhang2024towards", ("activation patching", "back-patching"), "Zhang, Fred and Nanda, Neel",
        "Towards Best Practices of Activation Patching in Language Models: Metrics and Methods", 2024,
        booktitle="International Conference on Learning Representations", eprint="2309.16042",
    ),
    _paper(
        "heimersheim2024how", ("activation patching", "back-patching"), "Heimersheim, Stefan and Nanda, Neel",
        "How to Use and Interpret Activation Patching", 2024, eprint="2404.15255",
    ),
    _paper(
        "nanda2023attribution", ("attribution patching",), "Nanda, Neel",
        "Attribution Patching: Activation Patching At Industrial Scale", 2023,
    ),
    _paper(
        "jafari2025relp", ("relevance patching",), "Jafari, Farnoush Rezaei and Eberle, Oliver and Khakzar, Ashkan and "
        "Nanda, Neel",
        "RelP: Faithful and Efficient Circuit Discovery in Language Models via Relevance Patching", 2025,
        eprint="2508.21258",
    ),
    _paper(
        "sundararajan2017axiomatic", ("integrated gradients",), "Sundararajan, Mukund and Taly, Ankur and Yan, Qiqi",
        "Axiomatic Attribution for Deep Networks", 2017,
        booktitle="International Conference on Machine Learning", eprint="1703.01365",
    ),
    _paper(
        "syed2023attribution", ("edge attribution",), "Syed, Aaquib and Rager, Can and Conmy, Arthur",
        "Attribution Patching Outperforms Automated Circuit Discovery", 2023, eprint="2310.10348",
    ),
    _paper(
        "hanna2024have", ("integrated gradients",), "Hanna, Michael and Pezzelle, Sandro and Belinkov, Yonatan",
        "Have Faith in Faithfulness: Going Beyond Circuit Overlap When Finding Model Mechanisms", 2024,
        eprint="2403.17806",
    ),
    _paper(
        "wang2023interpretability", ("path patching", "head knock-out", "direct logit attribution"),
        "Wang, Kevin and Variengien, Alexandre and Conmy, Arthur and Shlegeris, Buck and Steinhardt, Jacob",
        "Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small", 2023,
        booktitle="International Conference on Learning Representations", eprint="2211.00593",
    ),
    _paper(
        "goldowskydill2023localizing", ("path patching",),
        "Goldowsky-Dill, Nicholas and MacLeod, Chris and Sato, Lucas and Arora, Aryaman",
        "Localizing Model Behavior with Path Patching", 2023, eprint="2304.05969",
    ),
    _paper(
        "geva2023dissecting", ("attention knock-out",),
        "Geva, Mor and Bastings, Jasmijn and Filippova, Katja and Globerson, Amir",
        "Dissecting Recall of Factual Associations in Auto-Regressive Language Models", 2023,
        booktitle="Proceedings of EMNLP", eprint="2304.14767",
    ),
    _paper(
        "elhage2021mathematical", ("direct logit attribution",), "Elhage, Nelson and others",
        "A Mathematical Framework for Transformer Circuits", 2021, journal="Transformer Circuits Thread",
    ),
    _paper(
        "olsson2022incontext", ("detectors",), "Olsson, Catherine and others",
        "In-context Learning and Induction Heads", 2022, journal="Transformer Circuits Thread", eprint="2209.11895",
    ),
    _paper(
        "nostalgebraist2020interpreting", ("logit lens",), "nostalgebraist", "Interpreting GPT: the Logit Lens", 2020,
    ),
    _paper(
        "saynova2025fact", ("kinds of recall",),
        "Saynova, Denitsa and Hagstr{\\\"o}m, Lovisa and Johansson, Moa and Johansson, Richard and Kuhlmann, Marco",
        "Fact Recall, Heuristics or Pure Guesswork? Precise Interpretations of Language Models for Fact Completion",
        2025,
        booktitle="Findings of the Association for Computational Linguistics: ACL 2025", eprint="2410.14405",
    ),
    _paper(
        "hall1992removal", ("skewness",), "Hall, Peter", "On the Removal of Skewness by Transformation", 1992,
        journal="Journal of the Royal Statistical Society B", volume="54", number="1",
    ),
    _paper(
        "tukey1958bias", ("jackknife",), "Tukey, John W.", "Bias and Confidence in Not-quite Large Samples", 1958,
        journal="The Annals of Mathematical Statistics", volume="29",
    ),
    _paper(
        "hoeffding1948class", ("jackknife",), "Hoeffding, Wassily",
        "A Class of Statistics with Asymptotically Normal Distribution", 1948,
        journal="The Annals of Mathematical Statistics", volume="19", number="3",
    ),
    _paper(
        "nichols2002nonparametric", ("max-t",), "Nichols, Thomas E. and Holmes, Andrew P.",
        "Nonparametric Permutation Tests for Functional Neuroimaging: A Primer with Examples", 2002,
        journal="Human Brain Mapping", volume="15", number="1",
    ),
    _paper(
        "benjamini2001control", ("false discovery rate",), "Benjamini, Yoav and Yekutieli, Daniel",
        "The Control of the False Discovery Rate in Multiple Testing under Dependency", 2001,
        journal="The Annals of Statistics", volume="29", number="4",
    ),
    _paper(
        "schuirmann1987comparison", ("equivalence within",), "Schuirmann, Donald J.",
        "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing the Equivalence of "
        "Average Bioavailability", 1987,
        journal="Journal of Pharmacokinetics and Biopharmaceutics", volume="15", number="6",
    ),
    _paper(
        "mantel1967detection", ("fact identity",), "Mantel, Nathan",
        "The Detection of Disease Clustering and a Generalized Regression Approach", 1967,
        journal="Cancer Research", volume="27", number="2",
    ),
    _paper(
        "nanda2022transformerlens", ("transformer-lens",), "Nanda, Neel and Bloom, Joseph", "TransformerLens", 2022,
        howpublished="\\url{https://github.com/TransformerLensOrg/TransformerLens}",
    ),
)  # fmt: skip
"""All sources that are known."""


def told_of(result: xr.Dataset) -> str:
    """What a result says of itself, in lower case: the words by which sources are found."""
    attributes = result.attrs
    if "component" in result.coords:
        words = [method_words(result)]
    else:
        words = [str(attributes.get("method", "")), WORDS_OF_SCHEMA.get(str(attributes.get("schema")), "")]
    config = json.loads(str(attributes.get("config_json", "{}")))
    words += [name for name in ("detectors",) if name in config]
    words += [str(attributes.get(name, "")) for name in ("model_name", "libraries")]
    words += ["kinds of recall"] if RECALL in result.coords else []
    words += ["skewness"] if "no_interval" in result.variables else []
    if "modality" in result.coords:
        words += [f"modality {kind}" for kind in set(map(str, result["modality"].values.tolist()))]
    return "; ".join(words).lower()


WORDS_OF_SCHEMA = {
    "spiritlens.lens/1": "logit lens",
    "spiritlens.doses/1": "dose",
    "spiritlens.attention/1": "attention",
}


def sources_of(told_of_each: Sequence[str]) -> tuple[Source, ...]:
    """The sources of all results, each once, from what each tells of itself."""
    told = " ".join(told_of_each)
    return tuple(source for source in SOURCES if any(word in told for word in source.words))
