import numpy as np

from oyster_jax.core.spec import EntitySpec
from oyster_jax.evaluate.objects import Agreement, Things, agreement
from oyster_jax.evaluate.returns import recall

SPEC = EntitySpec(capacity=4, fields=("x", "y", "rx", "ry", "type"))
EVERYWHERE = np.ones((40, 40), bool)


def table(*rows):
    """The agent at (5, 5), then rows of x, y and type."""
    return Things.of(
        SPEC,
        np.array([[5, 5, 0.5, 0.5, 0], *([x, y, 0.5, 0.5, kind] for x, y, kind in rows)], np.float32),
        np.ones(len(rows) + 1, bool),
    )


def test_a_thing_moved_if_nothing_of_its_type_lies_where_it_lay():
    before, after = table((1, 2, 3), (4, 4, 5), (7, 7, 3)), table((7, 7, 3), (1, 2, 5), (4, 4.2, 5))
    assert after.moved_since(before).tolist() == [False, False, True, True]
    assert before.moved_since(after).tolist() == [False, True, True, False]


def test_pixels_of_things_lie_around_their_places():
    things = table((6, 5, 2))
    boxes = things.pixels(np.array([False, True]), np.array([5.0, 5.0]), 4.0, 40, 40)
    rows, columns = np.nonzero(boxes)
    # A tile is 4 pixels, and a margin of a quarter of a tile is one more on each side.
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (21, 26, 17, 22)
    agent = things.pixels(np.array([True, False]), np.array([5.0, 5.0]), 4.0, 40, 40)
    assert np.nonzero(agent)[0].min() == 14
    assert not things.pixels(np.zeros(2, bool), np.array([5.0, 5.0]), 4.0, 40, 40).any()


def agree(said, things, probability=None, ignored=None, inside=EVERYWHERE):
    rows = np.array([[kind, x, y, 0, 0] for x, y, kind in said], np.float32).reshape(-1, 5)
    return agreement(
        things,
        np.zeros(len(things.types), bool) if ignored is None else np.array(ignored),
        np.array([5.0, 5.0]),
        rows,
        np.ones(len(rows)) if probability is None else np.array(probability),
        inside,
        4.0,
    )


def test_agreement_counts_each_thing_once():
    things = table((6, 5, 2), (7, 5, 2), (3, 3, 4))
    assert agree([(1.2, 0, 2), (0.8, 0, 2)], things) == Agreement(hits=1 + 1, said=2, true=3)
    assert agree([(1.0, 0, 2), (1.1, 0, 2), (1.0, 0.1, 2)], things) == Agreement(hits=2, said=3, true=3)
    # Another type, too far, the agent itself, improbable.
    said = [(1, 0, 4), (-2, -0.9, 4), (0, 0, 0), (1, 0, 2)]
    assert agree(said, things, probability=[1, 1, 1, 0.4]) == Agreement(hits=0, said=2, true=3)
    assert agree([], things) == Agreement(hits=0, said=0, true=3)


def test_what_is_ignored_or_out_of_sight_counts_neither_way():
    things = table((6, 5, 2), (30, 5, 2))
    assert agree([(1, 0, 2)], things) == Agreement(hits=1, said=1, true=1)
    assert agree([(1, 0, 2)], things, ignored=[False, True, False]) == Agreement(hits=0, said=0, true=0)
    hidden = EVERYWHERE.copy()
    hidden[:, 20:] = False
    assert agree([(1, 0, 2), (-1, 0, 2)], things, inside=hidden) == Agreement(hits=0, said=1, true=0)


def test_frames_are_laid_where_they_belong_the_latest_on_top():
    level = np.arange(20 * 20 * 3).reshape(20, 20, 3).astype(np.uint8)
    cut = [level[y : y + 8, x : x + 8] for x, y in ((4, 4), (6, 5))]
    laid = recall(np.stack([cut[0] * 0, cut[1]]), np.array([[4.0, 4.0], [6.0, 5.0]]), np.array([7.2, 5.0]))
    np.testing.assert_array_equal(laid[:, :7], level[5:13, 7:14])
    assert laid[:, 7].max() == 0
