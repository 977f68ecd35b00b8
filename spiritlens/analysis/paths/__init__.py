"""Path patching: what reaches a receiver from a sender when everything between them is held.

The way of a number: `nodes` (names of senders and receivers) → `recording` (the base and the source run) → `changes`
(what a sender changes downstream) → `readings` (what a receiver reads of it) → `onward` (what the blocks after one
receiver make of it) → `path_values` (the metric of each edge) → `dataset`. `full_length` is the same with a user's own
hooks live.
"""
