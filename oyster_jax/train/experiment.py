"""An experiment: everything that makes a world, from the recording to the last step of training."""

import dataclasses

from oyster_jax.data.captions import Lexicon
from oyster_jax.data.record import RecordConfig
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.camera import CameraTraining
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.judge import JudgeTraining
from oyster_jax.train.painter import PainterTraining
from oyster_jax.train.self_rollout import SelfRolloutConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig
from oyster_jax.train.words import WordsTraining


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """What `get_config()` of a file in `configs/` returns.

    Attributes:
      name: of the experiment and of its folder.
      seed: of parameters, noise and shuffles.
      recording: the training data, recorded when it is not there yet.
      tokenizer: the tokenizer.
      tokenizer_loss: its loss.
      tokenizer_training: how it trains.
      map_jitter: standard deviation in pixels of the errors that training makes in placing what the spatial map of the
        dynamics shows, because a rollout's own camera will not be exact.
      camera: how the dynamics' camera is trained before the rest; None where it has none.
      dynamics: the dynamics.
      dynamics_loss: its loss.
      dynamics_training: how it trains.
      self_rollouts: stages that follow, in which it goes on from its own frames, for ever more ticks.
      sampler: how the finished world draws its frames.
      mesh: over which devices everything is trained, and how it is cut up.
      judge: networks that read buttons and motion off frames, trained last; None where nobody measures with them.
      painter: a network that draws first frames from descriptions; None where a world begins from none, or its
        tokenizer knows structure.
      words: networks that make places of sentences, for a source that has a lexicon; None where there are none.
    """

    name: str
    seed: int
    recording: RecordConfig
    tokenizer: TokenizerConfig
    tokenizer_loss: TokenizerLossConfig
    tokenizer_training: TrainConfig
    dynamics: DynamicsConfig
    dynamics_loss: DynamicsLossConfig
    dynamics_training: TrainConfig
    self_rollouts: tuple[SelfRolloutConfig, ...] = ()
    map_jitter: float = 0.3
    camera: CameraTraining | None = None
    sampler: SamplerConfig = SamplerConfig()
    judge: JudgeTraining | None = None
    painter: PainterTraining | None = None
    words: WordsTraining | None = None
    mesh: MeshConfig = MeshConfig()

    def __post_init__(self) -> None:
        if not self.dynamics.map and any(stage.led for stage in self.self_rollouts):
            raise ValueError(
                f"A self-rollout is led by how the camera moves over a map, but the dynamics of {self.name} have none; "
                "set `DynamicsConfig.map`, or leave `led` out."
            )

    @property
    def dynamics_stages(self) -> dict[str, TrainConfig]:
        """How each stage that trains the dynamics does, in their order, by name."""
        return {"dynamics": self.dynamics_training} | {stage.name: stage.training for stage in self.self_rollouts}

    @property
    def trainings(self) -> tuple[TrainConfig, ...]:
        """How all of its stages train."""
        others = [stage.training for stage in (self.camera, self.judge, self.painter) if stage is not None]
        reading = () if self.camera is None else (self.camera.reading,)
        words = () if self.words is None else (self.words.text, self.words.scene)
        return self.tokenizer_training, *self.dynamics_stages.values(), *others, *reading, *words

    @property
    def lexicon(self) -> Lexicon | None:
        """What the words are learned of; None where there are none.

        Raises:
          ValueError: there are to be words, but the source has none.
        """
        if self.words is None:
            return None
        source = self.recording.source
        if (lexicon := getattr(source, "lexicon", None)) is None:
            raise ValueError(f"The source {source.name} has no words to learn; leave `words` out of {self.name}.")
        return lexicon

    @property
    def network(self) -> WorldNetwork:
        """The world model that the experiment trains."""
        return WorldNetwork(
            spec=self.recording.source.spec,
            tokenizer=self.tokenizer,
            dynamics=self.dynamics,
            sampler=self.sampler,
            painter=None if self.painter is None else self.painter.network,
        )
