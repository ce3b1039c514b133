"""What a chip can do at most, from its maker's public pages.

Bandwidths of the interconnect are published as the sum of both directions; here they are one direction's, half of it.
A chip's share of the data-centre network is what the page gives for a chip, or for a pod over its chips.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peaks:
    """One generation of accelerators; all figures are of one chip.

    Attributes:
      name: as topologies are named, as in `v5e:16x16`.
      flops: bfloat16 operations a second.
      memory: bytes a second to and from HBM.
      interconnect: bytes a second that all links to other chips of a slice send together.
      network: bytes a second to other slices.
      devices: how many JAX devices a chip shows.
      source: where the figures are published.
    """

    name: str
    flops: float
    memory: float
    interconnect: float
    network: float
    devices: int
    source: str


_PAGE = "https://docs.cloud.google.com/tpu/docs/"

PEAKS = {
    peaks.name: peaks
    for peaks in (
        Peaks(
            name="v5e", flops=197e12, memory=819e9, interconnect=200e9, network=3.125e9, devices=1,
            source=_PAGE + "v5e",
        ),
        Peaks(
            name="v5p", flops=459e12, memory=2765e9, interconnect=600e9, network=6.25e9, devices=1,
            source=_PAGE + "v5p-training",
        ),
        Peaks(
            name="v6e", flops=918e12, memory=1638e9, interconnect=400e9, network=12.5e9, devices=1,
            source=_PAGE + "v6e",
        ),
        Peaks(
            name="tpu7x", flops=2307e12, memory=7380e9, interconnect=600e9, network=12.5e9, devices=2,
            source=_PAGE + "tpu7x",
        ),
    )
}  # fmt: skip
