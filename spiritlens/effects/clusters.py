"""Clusters: facts that stand and fall together, and sums over them.

Facts about one subject share what the model knows of it, facts of one relation share a template and a kind of answer:
whatever is drawn, flipped or left out in an analysis over facts is the whole *cluster*. Labels are any values, one for
each fact; equal labels are one cluster.

Axes: ``fact`` or ``cluster`` first, then any cells. NaN means that a fact has no such cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]

AT_ONCE = 1 << 21
"""Numbers that are worked on at once: cells of many facts are taken in pieces, so that what is held beside them is
small."""

NO_FACTS = "no facts: there is nothing to draw from (were all facts unknown?)"


@dataclass(frozen=True, eq=False)
class ClusterSums:
    """Sums over the facts of each cluster that have a cell, and their number: both [cluster cell]."""

    sums: Array
    counts: Array

    @property
    def n_clusters(self) -> Whole:
        """Clusters with the cell [cell]."""
        return np.asarray((self.counts > 0).sum(axis=0))

    @property
    def n_facts(self) -> Whole:
        """Facts with the cell [cell]."""
        return np.asarray(self.counts.sum(axis=0).astype(np.int64))

    @property
    def means(self) -> Array:
        """Mean over all facts with the cell [cell]; NaN where none has it."""
        facts = self.counts.sum(axis=0)
        return np.asarray(np.where(facts > 0, self.sums.sum(axis=0) / np.where(facts > 0, facts, 1.0), np.nan))

    @property
    def means_by_cluster(self) -> Array:
        """Mean over the facts of each cluster that have the cell [cluster cell]; NaN where none has it."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sums / self.counts)


def cluster_codes(labels: Any) -> tuple[Whole, int]:
    """The number of each fact's cluster [fact], and how many clusters there are."""
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    if not len(names):
        raise ValueError(NO_FACTS)
    return codes.reshape(-1), len(names)


def given_values(values: Any, labels: Any) -> Array:
    """The values as one row of cells for each fact [fact cell], as many rows as there are labels."""
    found = np.asarray(values, dtype=np.float64)
    n = len(np.asarray(labels))
    if not n:
        raise ValueError(NO_FACTS)
    if not found.ndim or len(found) != n:
        raise ValueError(f"values of shape {found.shape} and {n} clusters: give one cluster for each fact, facts first")
    if np.isinf(found).any():
        raise ValueError("values are infinite somewhere: leave such facts out, or use a metric that is finite")
    return found.reshape(n, -1)


def cluster_sums(flat: Array, codes: Whole, n_clusters: int) -> ClusterSums:
    """Sums over clusters of values [fact cell]: rows in the order of their clusters, added up where these begin."""
    sizes = np.bincount(codes, minlength=n_clusters)
    held = sizes > 0
    begins = (np.cumsum(sizes) - sizes)[held]
    in_order = bool((np.diff(codes) >= 0).all())
    order = None if in_order else np.argsort(codes, kind="stable")

    def added(rows: Array) -> Array:
        if order is not None:
            rows = rows[order]
        if len(begins) == len(rows) == n_clusters:
            return np.asarray(rows, dtype=np.float64)  # one fact a cluster
        sums = np.zeros((n_clusters, rows.shape[1]))
        sums[held] = np.add.reduceat(rows, begins, axis=0, dtype=np.float64)
        return sums

    missing = np.isnan(flat)
    if not missing.any():
        return ClusterSums(added(flat), np.broadcast_to(sizes[:, None].astype(np.float64), (n_clusters, flat.shape[1])))
    return ClusterSums(added(np.where(missing, 0.0, flat)), added(~missing))


def group_means(values: Any, codes: Whole, n_groups: int, weights: Any = None) -> Array:
    """Means over the rows of each group [group …] of values [row …]; NaN rows are left out, NaN where none is left.

    `weights` [row]: what each row counts; all the same without them. As `weighted_means` under a row of weights for
    each group, without the table of both.
    """
    values = np.asarray(values, dtype=np.float64)
    flat, shape = values.reshape(len(values), -1), (n_groups, *values.shape[1:])
    if n_groups == len(codes) and np.bincount(codes).max(initial=0) == 1:
        return np.asarray(flat[np.argsort(codes)].reshape(shape))  # one row a group
    found = np.empty((n_groups, flat.shape[1]))
    share = np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=np.float64)
    for cells in pieces(flat.shape[1], len(flat)):
        here = flat[:, cells]
        sums = cluster_sums(here * share[:, None], codes, n_groups).sums
        counts = cluster_sums(np.where(np.isnan(here), 0.0, share[:, None]), codes, n_groups).sums
        with np.errstate(invalid="ignore", divide="ignore"):
            found[:, cells] = sums / counts
    return found.reshape(shape)


def pieces(count: int, size: int) -> Iterator[slice]:
    """Slices of `count` things of `size` numbers each, so many at a time as are worked on `AT_ONCE`."""
    step = max(1, AT_ONCE // max(1, size))
    return (slice(first, first + step) for first in range(0, count, step))


def pairs_of(first: Any, second: Any) -> Whole:
    """One label for each combination of two labels [fact]."""
    (one, _), (other, n) = cluster_codes(first), cluster_codes(second)
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} labels: give one of either kind for each fact")
    return np.asarray(one * n + other)
