"""How a world draws its next latents."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplerConfig:
    """How next latents are drawn.

    Attributes:
      steps: denoising steps a tick, K.
      expected: with one step, predict the expected latent instead of drawing one.
      known: share of the pixels of every quarter of a token that the map must show for its latent to be the expected
        one whatever the number of steps; None to draw all alike. How a place looks that was seen is known, and who
        draws it again and again wears it out.
      dream_steps: denoising steps of the first frame of a world that begins from nothing.
      history_noise: the noise level that the trunk is told its own latents have.
      guidance: how far the trunk's features are led beyond what an event or an edit makes of them, away from what they
        would be without it (as classifier-free guidance leads what is predicted, arXiv 2207.12598); 1 is no further.
      finest: steps of the finest grid that the head was trained on.
    """

    steps: int = 1
    expected: bool = True
    known: float | None = None
    dream_steps: int = 8
    history_noise: float = 0.0
    guidance: float = 1.0
    finest: int = 8

    def __post_init__(self) -> None:
        for name in ("steps", "dream_steps"):
            count = getattr(self, name)
            if count < 1 or self.finest % count:
                raise ValueError(
                    f"The sampler's {name} must divide the {self.finest} steps the head was trained on, but was "
                    f"{count}; choose a power of two up to that."
                )
        if self.known is not None and not 0 < self.known <= 1:
            raise ValueError(f"A place is known by the share of it that was seen, above 0 up to 1, not {self.known:g}.")
        if not self.guidance >= 1:
            raise ValueError(f"What is made to happen is guided by a factor from 1 on, but it was {self.guidance:g}.")
