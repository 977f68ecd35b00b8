"""Plans worked out by hand: rows, forks, and the deterministic count of token-layers."""

from spiritlens.runs.sweep.plan import Action, make_plan, split_column

LAYERS, POSITIONS, FIRST, SAMPLES = 6, 9, 3, 10


def cell(component: str, layers: range, position: int) -> dict[int, tuple[Action, ...]]:
    return {layer: (Action(component, (position,)),) for layer in layers}


def plan_of(programs, **settings):
    return make_plan(programs, n_layers=LAYERS, n_positions=POSITIONS, first_changed=FIRST, **settings)


def test_token_layers_of_the_residual_grid() -> None:
    """S · L(L−1)/2 · Σ over p ≥ b of (T − p): block outputs, as the reference code restores them."""
    programs = [cell("resid_post", range(layer, layer + 1), p) for layer in range(LAYERS) for p in range(POSITIONS)]
    suffixes = sum(POSITIONS - p for p in range(FIRST, POSITIONS))
    assert plan_of(programs).token_layers(SAMPLES) == SAMPLES * LAYERS * (LAYERS - 1) // 2 * suffixes


def test_token_layers_of_the_grid_before_blocks() -> None:
    programs = [cell("resid_pre", range(layer, layer + 1), p) for layer in range(LAYERS) for p in range(POSITIONS)]
    suffixes = sum(POSITIONS - p for p in range(FIRST, POSITIONS))
    assert plan_of(programs).token_layers(SAMPLES) == SAMPLES * LAYERS * (LAYERS + 1) // 2 * suffixes


def test_cells_that_agree_so_far_share_rows() -> None:
    """Windows of 4 over 6 layers at one position: [0,2) [0,3) [0,4) [1,5) [2,6) [3,6); three begin at layer 0."""
    windows = [range(max(0, c - 2), min(LAYERS, c + 2)) for c in range(LAYERS)]
    plan = plan_of([cell("mlp_out", window, 4) for window in windows])
    (column,) = plan.columns
    rows = {layer: (len(block.parents), len(block.new_rows)) for layer, block in column.layers}
    # layer 0: one row for the three; 1: + [1,5); 2: the [0,2) cell parts, + [2,6); 3: [0,3) parts, + [3,6)
    assert rows == {0: (0, 1), 1: (1, 1), 2: (3, 1), 3: (5, 1), 4: (6, 0), 5: (6, 0)}
    assert len(set(column.rows)) == 6
    assert plan.token_layers(1) == (0 + 1 + 3 + 5 + 6 + 6) * (POSITIONS - 4)
    assert plan.token_mlps(1) == 0, "a replaced MLP output needs no MLP"


def test_a_patched_attention_output_needs_its_own_positions_mlp_only() -> None:
    plan = plan_of([cell("attn_out", range(2, 3), 5)])
    assert plan.token_mlps(1) == 1
    assert plan.token_layers(1) == 3 * (POSITIONS - 5)


def test_cells_that_cannot_move_are_not_planned() -> None:
    programs = [
        cell("resid_pre", range(0, 1), FIRST - 1),  # before the corruption
        cell("mlp_out", range(5, 6), 7),  # last block, not a read-out
        cell("mlp_out", range(5, 6), 8),  # last block, the read-out
        cell("k", range(5, 6), 7),  # keys of the last block are read by later positions
        {0: (Action("resid_pre", (4,), None, "base"),)},  # puts back what is there
    ]
    plan = plan_of(programs)
    assert plan.unmoved == (0, 1, 4)
    assert [column.start for column in plan.columns] == [7, 8]
    assert plan_of(programs, always=(4,)).unmoved == (0, 1)


def test_positions_before_the_corruption_shorten_no_suffix() -> None:
    plan = plan_of([{1: (Action("resid_pre", (0, 1, 6)),)}])
    assert [column.start for column in plan.columns] == [6]


def test_splitting_keeps_every_cell_and_bounds_the_rows() -> None:
    plan = plan_of([cell("resid_pre", range(layer, layer + 1), 4) for layer in range(LAYERS)])
    parts = split_column(plan.columns[0], plan.programs, LAYERS, 2)
    assert sorted(index for part in parts for index in part.cells) == list(range(LAYERS))
    assert all(part.most_rows <= 2 for part in parts)


def test_a_row_that_is_the_source_run_so_far_is_computed_from_there_on() -> None:
    whole = {2: (Action("resid_pre", (3, 4)),)}
    others = [cell("mlp_out", range(2, 3), 3), {2: (Action("resid_pre", (3, 4, 8)),)}]
    plan = plan_of([whole, *others], changed=(3, 4))
    assert [(column.start, column.before, column.cells) for column in plan.columns] == [
        (3, "base", (1, 2)),
        (5, "source", (0,)),
    ]
    assert plan.token_layers(1) == 4 * (POSITIONS - 5) + (3 + 4) * (POSITIONS - 3)
    assert [column.before for column in plan_of([whole, *others]).columns] == ["base"]
    assert plan_of([cell("resid_pre", range(2, 3), 3)], changed=(3, 4)).columns[0].start == 3, "one of six is too few"


def test_what_enters_alike_is_no_patch_of_block_0() -> None:
    programs = [cell("resid_pre", range(layer, layer + 1), 6) for layer in range(2)] + [cell("mlp_out", range(1), 6)]
    assert plan_of(programs, changed=(3, 4)).unmoved == (0,)
    assert plan_of(programs, changed=(3, 4), always=(0,)).unmoved == ()
