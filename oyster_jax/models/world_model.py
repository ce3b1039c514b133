"""The learned world: tokenizer and dynamics tied into a `core.WorldModel`."""

import dataclasses

import jax
import jax.numpy as jnp

from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import WorldSpec
from oyster_jax.core.state import Status, WorldState
from oyster_jax.diffusion.objective import Denoise
from oyster_jax.diffusion.sampler import sample
from oyster_jax.models import dynamics, heads, painter, spatial_map, structure, tokenizer, tracking
from oyster_jax.models.dynamics import Dynamics, DynamicsConfig
from oyster_jax.models.painter import PainterConfig
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.structure import Cells
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.nn.anywhere import anywhere
from oyster_jax.prng import named_key, tick_key
from oyster_jax.typing import Action, Actions, Array, Bool, Float, Frame, Frames, Int32, Latent, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldNetwork:
    """A `core.model.WorldModel`: frozen, hashable, without parameters.

    Parameters are `{"tokenizer": {…}, "dynamics": {…}}`, and `"painter"` where there is one.

    Attributes:
      spec: what the world shows and accepts.
      tokenizer: size of the tokenizer.
      dynamics: size of the dynamics.
      sampler: how next latents are drawn.
      painter: draws the first frame of a world that is described, where the tokenizer knows no structure.
    """

    spec: WorldSpec
    tokenizer: TokenizerConfig
    dynamics: DynamicsConfig
    sampler: SamplerConfig = SamplerConfig()
    painter: PainterConfig | None = None

    def __post_init__(self) -> None:
        expected = {
            "frame": ((self.tokenizer.height, self.tokenizer.width, 3), self.spec.frame.shape),
            "number of latent tokens": (self.dynamics.tokens, self.tokenizer.tokens),
            "latent grid's columns": (self.dynamics.columns, self.tokenizer.columns),
            "number of latent channels": (self.dynamics.channels, self.tokenizer.channels),
            "number of actions": (self.dynamics.actions, self.spec.action.count),
            "number of events": (self.dynamics.events, len(self.spec.events.names) if self.spec.events else 0),
        }
        for name, (one, other) in expected.items():
            if one != other:
                raise ValueError(f"The parts of this world disagree on its {name}: {one} against {other}.")
        if self.guided and not (self.dynamics.events and self.tokenizer.structure):
            raise ValueError("Nothing can be made to happen in this world, or edited; its sampler guides nothing.")

    @property
    def guided(self) -> bool:
        """Whether the world is led beyond what events and edits make of it."""
        return self.sampler.guidance != 1

    def init(self, key: PRNGKey) -> Params:
        """Draws fresh parameters."""
        drawn = {} if self.painter is None else {"painter": painter.init(self.painter, named_key(key, "painter"))}
        return drawn | {
            "tokenizer": tokenizer.init(self.tokenizer, named_key(key, "tokenizer")),
            "dynamics": dynamics.init(self.dynamics, named_key(key, "dynamics")),
        }

    @property
    def scenery(self) -> WorldSpec | None:
        """The specification of descriptions that the world begins from; None where it begins from none."""
        if self.painter is not None:
            return self.painter.spec(self.spec)
        return None if self.tokenizer.structure is None else self.spec

    def reset(self, params: Params, key: PRNGKey) -> WorldState:
        """Dreams a first frame: with no history to read, the trunk takes part in every denoising step."""
        model = dynamics.bind(self.dynamics, params["dynamics"])
        empty = self._empty(key)

        def denoise(noisy: Array, signal: Array, size: Array) -> Array:
            still = empty.memory.get("motion")
            x = model.tokens(noisy, empty.latent, jnp.int32(model.actions.begin), 1 - signal, still, still)
            ring, memory = empty.cache["ring"], empty.memory.get("associative")
            features, _, _ = model.features_of_step(x, ring, memory, empty.step)
            return model.denoise(features, noisy, signal, size)

        noise = jax.random.normal(named_key(key, "dream"), empty.latent.shape)
        return self._shown(params, empty.replace(latent=sample(denoise, noise, self.sampler.dream_steps)))

    def encode(self, params: Params, frames: Frames, actions: Actions, key: PRNGKey) -> WorldState:
        """Returns the state after `frames` `[ticks, height, width, 3]` under `actions` `[ticks - 1]`."""
        if len(actions) != len(frames) - 1:
            raise ValueError(
                f"{len(frames)} frames need {len(frames) - 1} actions between them, but {len(actions)} were given."
            )
        latents = tokenizer.bind(self.tokenizer, params["tokenizer"]).encoder(frames)
        model = dynamics.bind(self.dynamics, params["dynamics"])

        def tick(state: WorldState, seen: tuple[Array, Array, Array]) -> tuple[WorldState, None]:
            frame, latent, action = seen
            _, state, _ = self._felt(model, state, frame, True, action, jnp.float32(0))
            return state.replace(latent=latent, step=state.step + 1), None

        state = self._empty(key).replace(latent=latents[0])
        state, _ = jax.lax.scan(tick, state, (frames[:-1], latents[1:], actions))
        return self._shown(params, state)

    def spawn(self, params: Params, seen: Observation, key: PRNGKey) -> WorldState:
        """Returns the state of a world that begins at a moment of which anything is known.

        Its picture is painted where there is a painter; else see `Encoder.observed`.
        """
        if self.painter is not None:
            size = (self.spec.frame.height, self.spec.frame.width)
            batch = jax.tree.map(lambda leaf: leaf[None], seen)
            frames = painter.painted(self.painter, params["painter"], size, batch)
            return self.encode(params, frames, jnp.zeros((0,), jnp.int32), key)
        latent = tokenizer.bind(self.tokenizer, params["tokenizer"]).encoder.observed(seen)
        return self._shown(params, self._empty(key).replace(latent=latent))

    def told(self, params: Params, state: WorldState) -> dict[str, Array]:
        """Returns what the state's latent tells of tiles, entities and quantities; see `structure.reading`."""
        assert self.tokenizer.structure is not None, "only a world with structure tells of it"
        _, said = tokenizer.bind(self.tokenizer, params["tokenizer"]).renderer.told(state.latent)
        return structure.reading(self.tokenizer.structure, said)

    def with_event(self, state: WorldState, event: Int32[Array, ""] | int) -> WorldState:
        """Returns the state with an event that is made to happen with its next tick; see `EventSpec`.

        Args:
          state: of a world with events.
          event: its id, 0 for none. It takes the place of one that was waiting.
        """
        assert self.dynamics.events, "only a world with events can have one happen"
        return state.replace(cache=state.cache | {"event": jnp.int32(event)})

    def known(self, params: Params, state: WorldState) -> Cells:
        """Returns the structure that the state's latent tells, laid out; see `structure.settled`."""
        assert self.tokenizer.structure is not None, "only a world with structure tells of it"
        _, said = tokenizer.bind(self.tokenizer, params["tokenizer"]).renderer.told(state.latent)
        return structure.settled(self.tokenizer.structure, said)

    def edited(self, params: Params, state: WorldState, known: Cells, touched: Bool[Array, "tokens"]) -> WorldState:
        """Returns the state with those tokens of its newest latent exchanged that are touched, and nothing else.

        The new ones are those of the whole structure without a frame: so the encoder was trained, which never saw
        moments of which half the frame was hidden. They stand in the latent before, too, since the trunk soon gives up
        what was not there a tick ago. What the ring remembers stays, for the newest latent is not in it.

        Args:
          params: of the world.
          state: to change.
          known: structure of the present moment, as it shall be.
          touched: the tokens at which it differs from what the state tells.
        """
        latent = tokenizer.bind(self.tokenizer, params["tokenizer"]).encoder.imagined(known)
        before = jnp.stack([state.latent, state.cache["previous"]])
        newest, previous = jnp.where(touched[:, None], latent, before)
        cache = state.cache | {"previous": previous}
        if self.guided:
            unedited = jnp.where(state.cache["edited"], state.cache["unedited"], before)
            cache |= {"edited": state.cache["edited"] | jnp.any(touched), "unedited": unedited}
        return self.with_latent(params, state.replace(cache=cache), newest)

    def advance(
        self, params: Params, state: WorldState, action: Action, moved: Float[Array, "2"] | None = None
    ) -> WorldState:
        """Returns the state one tick later; one whose status is NONFINITE stays as it was.

        In a world with a map, `moved` is how the camera moves with this tick, where that is known, in pixels; else it
        moves as the world expects.
        """
        allowed = (action >= 0) & (action < self.spec.action.count)
        taken = jnp.where(allowed, action, self.spec.action.names.index(self.spec.action.idle))
        denoise, draft, felt, covered = self._denoiser(params, state, taken, moved)
        noise = jax.random.normal(tick_key(state.key, state.step, "advance"), state.latent.shape)
        latent = self._drawn(denoise, noise, draft)
        # Latents live inside tanh; what the sampler adds beyond it is not a frame.
        latent = jnp.clip(latent, -1.0, 1.0)
        status = jnp.where(heads.terminal(felt.readout) > 0.5, Status.TERMINAL, Status.OK)
        status = jnp.where(allowed, status, Status.ACTION_OUT_OF_RANGE).astype(jnp.int32)
        later = self._shown(params, felt.replace(latent=latent, step=state.step + 1, status=status))
        sound = jnp.all(jnp.isfinite(latent)) & (state.status != Status.NONFINITE)
        return _kept(sound, later, state.replace(status=jnp.int32(Status.NONFINITE)), covered)

    def denoised(
        self,
        params: Params,
        state: WorldState,
        action: Action,
        noisy: Float[Array, "levels tokens channels"],
        signal: Float[Array, "levels"],
    ) -> Float[Array, "levels tokens channels"]:
        """Returns what the next latent is expected to be when a noisy one of it, at a level of `signal`, is known."""
        denoise, *_ = self._denoiser(params, state, action)
        return jax.vmap(lambda noisy, signal: denoise(noisy, signal, jnp.float32(1 / self.sampler.finest)))(
            noisy, signal
        )

    def render(self, params: Params, state: WorldState) -> Frame:
        """Returns the frame that the state's latent shows.

        With a map that is the one that the state holds, drawn when its latent was: whoever exchanges the latent of such
        a state has to exchange `cache["frame"]` too.
        """
        return state.cache["frame"] if self.dynamics.map else self.rendered(params, state.latent)

    def rendered(self, params: Params, latent: Latent) -> Frame:
        """Returns the frame that a latent shows, whatever state it comes from."""
        renderer = tokenizer.bind(self.tokenizer, params["tokenizer"]).renderer
        return tokenizer.as_frames(renderer(latent))

    def with_latent(self, params: Params, state: WorldState, latent: Latent) -> WorldState:
        """Returns the state with another newest latent, and the frame that this one shows."""
        return self._shown(params, state.replace(latent=latent))

    def with_frame(self, params: Params, state: WorldState, frame: Frame) -> WorldState:
        """Returns the state as if `frame` were what it shows: encoded, and put on the map with the next tick."""
        latent = tokenizer.bind(self.tokenizer, params["tokenizer"]).encoder(frame[None])[0]
        return state.replace(latent=latent, cache=state.cache | ({"frame": frame} if self.dynamics.map else {}))

    def readouts(self, params: Params, state: WorldState) -> dict[str, Array]:
        """Returns what the heads said of this tick.

        Returns:
          `reward` (recording's units) and `terminal` (probability) of the last action; with an entity head also
          `entities` `[places, 5]`, columns `heads.ENTITY_FIELDS`, and `entity_mask`, the probability of each row; with
          a map also `position` `[2]`, where the camera stands since tick 0, in pixels, x to the right and y downwards.
        """
        del params  # they were read when the tick was
        said = {"reward": heads.reward(state.readout), "terminal": heads.terminal(state.readout)}
        if self.dynamics.readouts.entity_types:
            table, probability = heads.entities(self.dynamics.readouts, state.readout, self.dynamics.columns)
            said |= {"entities": table, "entity_mask": probability}
        if self.dynamics.map:
            said["position"] = tracking.expected(state)
        return said

    def draft(self, params: Params, state: WorldState) -> Float[Array, "tokens features"] | None:
        """Returns what the map of a state shows where its camera has got to, None without a map.

        In a state that `advance` returned this is what its newest latent was made from; see `spatial_map.draft`.
        """
        if not self.dynamics.map:
            return None
        frame = self.spec.frame
        seen, coverage = spatial_map.look(state.memory["canvas"], tracking.expected(state), frame.height, frame.width)
        latent = tokenizer.bind(self.tokenizer, params["tokenizer"]).encoder(seen)
        return spatial_map.draft(latent, spatial_map.cell_coverage(coverage, self.tokenizer.patch))

    def _empty(self, key: PRNGKey) -> WorldState:
        latent = jnp.zeros((self.dynamics.tokens, self.dynamics.channels))
        ring, associative = dynamics.empty_history(self.dynamics)
        memory = {} if associative is None else {"associative": associative}
        if self.dynamics.map:
            # The camera is the one that took the newest frame on the canvas; it then moves by `motion`.
            camera = {"position": jnp.zeros((2,)), "motion": jnp.zeros((2,))}
            memory |= camera | {"canvas": spatial_map.blank(self.dynamics.map)}
            if self.dynamics.camera:
                memory["lattice"] = jnp.zeros((2, 2))
        cache = {"ring": ring, "previous": latent} | ({"event": jnp.int32(0)} if self.dynamics.events else {})
        if self.guided:
            cache |= {"edited": jnp.bool(False), "unedited": jnp.stack([latent, latent])}
        return WorldState(
            step=jnp.int32(0),
            key=key,
            latent=latent,
            cache=cache,
            memory=memory,
            readout=heads.silence(self.dynamics.readouts, self.dynamics.tokens),
            status=jnp.int32(Status.OK),
        )

    def _drawn(self, denoise: Denoise, noise: Array, draft: Array | None) -> Latent:
        """Returns the next latent, drawn or expected as the sampler says."""
        sampler, finest = self.sampler, 1 / self.sampler.finest
        if sampler.steps == 1 and sampler.expected:
            return sample(denoise, noise, 1, size=finest)
        if sampler.known is None or draft is None:
            return sample(denoise, noise, sampler.steps)
        expected = sample(denoise, noise, 1, size=finest)
        drawn = sample(denoise, noise, sampler.steps, first=expected)
        return jnp.where(spatial_map.known(draft, sampler.known), expected, drawn)

    def _denoiser(
        self, params: Params, state: WorldState, action: Action, moved: Array | None = None
    ) -> tuple[Denoise, Array | None, WorldState, spatial_map.Patch | None]:
        """Returns what the next latent is drawn with, its draft, and what `_felt` returns beside features."""
        model = dynamics.bind(self.dynamics, params["dynamics"])
        noise_level, shown = jnp.float32(self.sampler.history_noise), state.cache.get("frame")
        features, felt, covered = self._felt(model, state, shown, False, action, noise_level, moved)
        if self.guided:
            touched = (state.cache["event"] > 0) | state.cache["edited"]

            def further() -> Array:
                plain, _, _ = self._felt(model, _untouched(state), shown, False, action, noise_level)
                return jnp.where(touched, plain + self.sampler.guidance * (features - plain), features)

            features = jax.lax.cond(anywhere(touched), further, lambda: features)
        draft = self.draft(params, felt)

        def denoise(noisy: Array, signal: Array, size: Array) -> Array:
            return model.denoise(features, noisy, signal, size, draft, state.latent)

        return denoise, draft, felt, covered

    def _felt(
        self,
        model: Dynamics,
        state: WorldState,
        shown: Frame | None,
        given: bool,
        action: Action,
        noise: Array,
        moved: Array | None = None,
    ) -> tuple[Array, WorldState, spatial_map.Patch | None]:
        """Runs the trunk over the state's newest latent, whose frame is `shown`, and puts that frame on the map.

        Returns:
          The trunk's features, the state with what it now remembers of that frame, and what the frame covered on the
          map, None without one.
        """
        memory, motion, next_motion, covered = dict(state.memory), None, None, None
        canvas, previous = self.dynamics.map, state.cache["previous"]
        if canvas and shown is not None:
            memory, motion, next_motion, covered = tracking.followed(
                canvas, model.camera, state, shown, self.dynamics.columns, action, given
            )
            if next_motion is not None and moved is not None:
                next_motion = moved
        event = state.cache.get("event")
        x = model.tokens(state.latent, previous, action, noise, motion, next_motion, event)
        ring, remembered = state.cache["ring"], memory.get("associative")
        features, ring, remembered = model.features_of_step(x, ring, remembered, state.step)
        if remembered is not None:
            memory["associative"] = remembered
        if motion is not None:
            expected = model.camera_motion(features, motion) if next_motion is None else next_motion
            memory["motion"] = expected if moved is None else moved
        cache = state.cache | {"ring": ring, "previous": state.latent}
        if event is not None:
            cache["event"] = jnp.int32(0)
        if self.guided:
            cache |= {"edited": jnp.bool(False), "unedited": jnp.zeros_like(cache["unedited"])}
        return features, state.replace(cache=cache, memory=memory, readout=model.read(features)), covered

    def _shown(self, params: Params, state: WorldState) -> WorldState:
        """Returns the state, with its frame in it if there is a map: the next tick puts that on it."""
        if not self.dynamics.map:
            return state
        return state.replace(cache=state.cache | {"frame": self.rendered(params, state.latent)})


def _untouched(state: WorldState) -> WorldState:
    """Returns a guided world's state as if nothing were made to happen in it and nothing had been edited in it."""
    edited, before = state.cache["edited"], state.cache["unedited"]
    latent, previous = jnp.where(edited, before, jnp.stack([state.latent, state.cache["previous"]]))
    return state.replace(latent=latent, cache=state.cache | {"previous": previous, "event": jnp.int32(0)})


def _kept(
    sound: Bool[Array, ""], later: WorldState, frozen: WorldState, covered: spatial_map.Patch | None
) -> WorldState:
    """Returns the later state if it is sound, else the frozen one; `covered` is what the tick wrote over on its map."""

    def bare(state: WorldState) -> WorldState:
        return state.replace(memory={name: leaf for name, leaf in state.memory.items() if name != "canvas"})

    kept = jax.tree.map(lambda new, old: jnp.where(sound, new, old), bare(later), bare(frozen))
    if covered is None:
        return kept
    canvas = spatial_map.keep(sound, later.memory["canvas"], later.memory["position"], covered)
    return kept.replace(memory=kept.memory | {"canvas": canvas})
