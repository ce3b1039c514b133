"""Which meshes are tried, which is the best, and when a search ends."""

import pytest

from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.plan.roofline import roofline
from oyster_jax.plan.sweep import Candidate, Tried, sweep
from tests.parallel.devices import on_devices
from tests.plan.results import exchange, program, result, slices

#: Bytes that take longer to send than a step to compute.
MUCH = 1e12


def candidate(rows, *, known=0.3):
    of = program(rows=rows, fsdp=4, model_flops=10**15, device_flops=10**15)
    return Candidate(mesh=MeshConfig(fsdp=4), batch=rows, known=known, exchanging=1.0, program=of)


def trying(gib, sent):
    """Tries candidates, which need so many GiB by their rows; all take as long, so more rows are more frames."""

    def tried(one):
        found = result(one.program, exchanges=[exchange("fsdp", sent)], parameters=gib[one.batch])
        topology = slices()
        return Tried(candidate=one, compiled=found, roofline=roofline(found, topology.peaks, topology.chips))

    return tried


def rows(tried):
    return [one.candidate.batch for one in tried]


def swept(gib, tries, sent=MUCH, **known):
    told = []
    waiting = [candidate(batch, known=known.get(f"of_{batch}", 0.3)) for batch in gib]
    tried, left = sweep(waiting, trying(gib, sent), tries, told.append)
    assert len(waiting) == len(gib), "what was given is left as it is"
    return rows(tried), [one.batch for one in left], rows(told)


def test_the_fastest_that_is_safe_is_the_best():
    """Of 16 GiB 15 are a little too much to be safe, and what does not fit is last however fast it would be."""
    best, left, told = swept({16: 8, 64: 15, 32: 12, 128: 20}, tries=4)
    assert best == [32, 16, 128, 64]
    assert told == [16, 64, 32, 128]
    assert left == []


def test_no_more_are_tried_than_asked_for():
    assert swept({16: 8, 32: 8, 64: 8}, tries=2) == ([32, 16], [64], [16, 32])


def test_the_search_goes_on_while_nothing_fits_but_not_for_ever():
    gib = {16: 15, 32: 15, 64: 15, 128: 8, 256: 8}
    assert swept(gib, tries=2)[2] == [16, 32, 64, 128]
    assert swept(gib, tries=1)[2] == [16, 32]


def test_what_needs_more_than_what_was_too_large_is_not_tried():
    known = {"of_32": 0.4, "of_16": 0.5, "of_64": 0.3}
    best, left, told = swept({32: 20, 16: 8, 64: 8}, tries=3, **known)
    assert (best, left, told) == ([64, 32], [], [32, 64])


def test_the_search_ends_with_one_that_is_safe_and_limited_by_computing_alone():
    """Of 16 GiB 15 are a little too much to be safe; what all compute alike no mesh makes faster."""
    assert swept({16: 15, 32: 8, 64: 8}, tries=3, sent=0) == ([32, 16], [64], [16, 32])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0.4, 1, 64, 0.1), (0.2, 1, 64, 0.2)),
        ((0.4, 1, 64, 0.2), (0.1, 1, 128, 0.1)),
        ((0.4, 1, 128, 0.2), (0.1, 2, 16, 0.1)),
        ((0.4, 2, 128, 0.2), (0.9, 1, 16, 0.1)),
    ],
    ids=["most memory left", "smallest batch", "layers cut least", "exchanges that hide"],
)
def test_what_is_tried_first(before, after):
    def order(exchanging, tensor, batch, known):
        of = program(rows=batch, model_flops=1, device_flops=1)
        mesh = MeshConfig(tensor=tensor)
        return Candidate(mesh=mesh, batch=batch, known=known, exchanging=exchanging, program=of).order

    assert order(*before) < order(*after)


@pytest.fixture(scope="module")
def found():
    """What may fit of a tiny world on two devices, and what does on two that have too little memory."""
    return on_devices(
        2,
        """
        import dataclasses
        from oyster_jax.plan.errors import PlanError
        from oyster_jax.plan.sweep import candidates
        from tests.plan.results import slices
        from tests.plan.tiny_world import get_config

        topology = dataclasses.replace(slices("v5e:1x2", chips=2), devices=tuple(jax.devices()))
        all_of_them = candidates(get_config(), topology)
        few = dataclasses.replace(topology, usable=round(sorted(one.known for one in all_of_them)[4] * topology.usable))
        # A share of 0.4 is let through.
        few = dataclasses.replace(few, usable=round(few.usable / 0.4 * 1.0001))
        try:
            said = candidates(get_config(), dataclasses.replace(topology, usable=1000))
        except PlanError as error:
            said = str(error)
        found = {
            "all": [[one.mesh.fsdp, one.mesh.tensor, one.batch, one.known, one.exchanging] for one in all_of_them],
            "few": [[one.mesh.fsdp, one.mesh.tensor, one.batch] for one in candidates(get_config(), few)],
            "none": said,
        }
        """,
    )


def test_meshes_of_all_shapes_and_batches_are_candidates(found):
    tried = {tuple(one[:3]) for one in found["all"]}
    # Four, eight and sixteen windows for each group of devices; a world with two heads is cut two ways at most.
    assert tried == {
        (fsdp, tensor, times * 2 // tensor) for fsdp, tensor in ((1, 1), (2, 1), (1, 2)) for times in (4, 8, 16)
    }


def test_exchanges_are_weighed_against_what_is_computed(found):
    weighed = {tuple(one[:3]): one[4] for one in found["all"]}
    # Two copies exchange gradients alone, once for all windows.
    assert weighed[1, 1, 32] == min(weighed.values())
    assert weighed[1, 1, 8] == pytest.approx(4 * weighed[1, 1, 32], rel=0.2)
    assert found["all"][0] == min(found["all"], key=lambda one: (max(one[4], 0.5), one[1], one[2], one[3]))


def test_what_takes_too_much_is_left_out(found):
    known = sorted(found["all"], key=lambda one: one[3])
    assert sorted(found["few"]) == sorted(one[:3] for one in known[:5])
    assert found["none"].startswith("State and activations of tiny take more than 40 % of the memory on every mesh of")
