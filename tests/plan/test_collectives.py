"""What devices say to each other, read from a program's text."""

import jax
import pytest

from oyster_jax.plan.collectives import exchanges, sent_by_axes
from tests.parallel.devices import on_eight_devices

MESH = jax.sharding.AbstractMesh((2, 1, 4, 2), ("slice", "data", "fsdp", "tensor"))

#: A loop of six turns around one exchange, whose start and end share a channel, as the TPU compiler writes them.
LOOP = """HloModule jit_step, is_scheduled=true

%fused.1 (param.0: bf16[2,8]) -> (bf16[2,8], bf16[8,8]) {
  %param.0 = bf16[2,8]{1,0} parameter(0)
  %all-gather.1 = bf16[8,8]{1,0:T(8,128)(2,1)S(1)} all-gather(%param.0), channel_id=7, replica_groups=GROUPS
}

%fused.2 (param.1: bf16[2,8]) -> bf16[8,8] {
  %param.1 = bf16[2,8]{1,0} parameter(0)
  %all-gather.2 = bf16[8,8]{1,0} all-gather(%param.1), channel_id=7, replica_groups=GROUPS
}

%body (param.2: (s32[], bf16[2,8])) -> (s32[], bf16[2,8]) {
  %start = (bf16[2,8]{1,0}, bf16[8,8]{1,0}) fusion(%x), kind=kCustom, calls=%fused.1
  %done = bf16[8,8]{1,0} fusion(%start), kind=kCustom, calls=%fused.2
}

%condition (param.3: (s32[], bf16[2,8])) -> pred[] {
  %limit = s32[]{:T(128)} constant(6)
  ROOT %less = pred[] compare(%turn, %limit), direction=LT
}

ENTRY %main (param.4: bf16[2,8]) -> bf16[2,8] {
  %while = (s32[], bf16[2,8]{1,0}) while(%tuple), condition=%condition, body=%body
}
"""


@pytest.mark.parametrize(
    ("groups", "axes", "size"),
    [
        ("mesh['slice'=2,'data'=1,'fsdp'=4,'tensor'=2] {'fsdp'}, dimensions={0}", "fsdp", 4),
        ("mesh['axis_0'=2,'axis_1'=8] {'axis_1':(1)4}, dimensions={0}", "fsdp", 4),
        ("mesh['axis_0'=2,'axis_1'=8] {'axis_1':(4)2}, dimensions={0}", "tensor", 2),
        ("[4,4]<=[2,4,2]T(0,2,1), dimensions={0}", "fsdp", 4),
        ("[8,2]<=[2,8]T(1,0), dimensions={0}", "slice", 2),
        ("{{0,1,2,3,4,5,6,7},{8,9,10,11,12,13,14,15}}, dimensions={0}", "fsdp+tensor", 8),
    ],
)
def test_an_exchange_belongs_to_the_axes_of_its_groups_and_counts_its_turns(groups, axes, size):
    (found,) = exchanges(LOOP.replace("GROUPS", groups), MESH)
    assert (found.kind, found.axes, found.count) == ("all-gather", axes, 6)
    assert found.largest == 8 * 8 * 2
    assert found.bytes == round(6 * 128 * (size - 1) / size)
    assert sent_by_axes([found]) == {axes: found.bytes}


def test_groups_of_one_device_exchange_nothing():
    assert exchanges(LOOP.replace("GROUPS", "{{0},{1}}"), MESH) == []


def test_neighbours_that_pass_on_are_found():
    pairs = "source_target_pairs={{0,0},{0,2}}"
    line = f"%p = (f32[4]{{0}}, f32[4]{{0}}, u32[]) collective-permute-start(%x), channel_id=1, {pairs}"
    text = f"ENTRY %main (param: f32[4]) -> f32[4] {{\n  {line}\n}}\n"
    (found,) = exchanges(text, MESH)
    assert (found.kind, found.axes, found.bytes) == ("collective-permute", "fsdp", 16)


@pytest.mark.parametrize(("said", "kind"), [("ALL_REDUCE", "all-reduce"), ("ONE_TO_ONE", "collective-permute")])
def test_what_slices_hand_over_to_each_other_is_found(said, kind):
    """The TPU compiler has the runtime sum up over slices, and says so in attributes of what it sends there."""
    told = 'is_host_transfer=true, frontend_attributes={_xla_megascale_target="{1,2}x{0:3}",'
    line = f'%s = (bf16[28,8]{{1,0}}, u32[], token[]) send(%x, %after), {told}_xla_megascale_transfer_type="{said}"}}'
    text = f"ENTRY %main (param: f32[4]) -> f32[4] {{\n  {line}\n}}\n"
    (found,) = exchanges(text, MESH)
    assert (found.kind, found.axes, found.count, found.largest) == (kind, "slice", 1, 28 * 8 * 2)
    assert found.bytes == 28 * 8 * 2


def test_sums_into_parts_count_each_though_the_compiler_gives_all_one_channel():
    groups = "channel_id=1, replica_groups={{0,2,4,6},{1,3,5,7},{8,10,12,14},{9,11,13,15}}"
    parts = "".join(
        f"%all-reduce-scatter.{number} (input: bf16[{rows},8]) -> bf16[{rows // 4},8] {{\n"
        f"  %all-reduce = bf16[{rows},8]{{1,0}} all-reduce(%input), {groups}\n}}\n\n"
        for number, rows in ((1, 16), (2, 32))
    )
    calls = "".join(f"  %f.{number} = fusion(%x), calls=%all-reduce-scatter.{number}\n" for number in (1, 2))
    (found,) = exchanges(f"{parts}ENTRY %main (param: f32[4]) -> f32[4] {{\n{calls}}}\n", MESH)
    assert (found.kind, found.axes, found.count, found.largest) == ("reduce-scatter", "fsdp", 2, 32 * 8 * 2 // 4)
    assert found.bytes == 3 * (16 + 32) * 8 * 2 // 4


def test_what_a_real_program_exchanges():
    """A sum over eight devices in a loop of three, compiled."""
    found = on_eight_devices(
        """
        import dataclasses
        import jax.numpy as jnp
        from jax.sharding import NamedSharding, PartitionSpec
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.plan.collectives import exchanges

        mesh = MeshConfig(fsdp=8).build()
        x = jax.ShapeDtypeStruct((8, 64), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec("fsdp")))

        def run(x):
            def turn(total, _):
                return total + jnp.tanh(x * total).sum(0), None
            return jax.lax.scan(turn, jnp.zeros((64,)), None, 3)[0]

        text = jax.jit(run).lower(x).compile().as_text()
        found = [dataclasses.asdict(one) for one in exchanges(text, mesh)]
        """
    )
    (one,) = found
    assert (one["kind"], one["axes"], one["count"]) == ("all-reduce", "fsdp", 3)
    assert one["bytes"] == round(3 * 64 * 4 * 2 * 7 / 8)
