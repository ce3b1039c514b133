"""Experiments that differ in size only: CoinRun-like worlds from two CPU cores to a TPU pod."""

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.presets import Size, preset
from oyster_jax.nn.functional import LayersConfig
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig

#: What is compiled for one layer runs for all, and what a layer computed is computed again for its gradient: deep
#: networks compile in the time of shallow ones and keep one residual stream a layer.
DEEP = LayersConfig(recompute="everything", unroll=False)

#: All devices share the batch.
ALL_DATA = MeshConfig()


def sized(
    size: Size,
    frame: int,
    *,
    frames: int,
    steps: int,
    batch: int,
    window: int,
    learning_rate: float,
    layers: LayersConfig = DEEP,
    mesh: MeshConfig = ALL_DATA,
) -> ExperimentConfig:
    """Returns the experiment of one size.

    Args:
      size: of the networks.
      frame: pixels a side of the frames.
      frames: of the recording.
      steps: updates of the dynamics; the tokenizer gets half as many.
      batch: windows a step.
      window: ticks a window.
      learning_rate: of the dynamics at the plateau.
      layers: what of the layers is kept for the gradient.
      mesh: over which devices it trains.

    Raises:
      ValueError: there is no such size.
    """
    tokenizer, dynamics = preset(size, frame)
    optimizer = OptimizerConfig(learning_rate=learning_rate, warmup=max(50, steps // 50))
    dynamics_training = TrainConfig(
        steps=steps, batch=batch, window=window, optimizer=optimizer, layers=layers,
        # As many tokens go through the model at once as those of frames of 64 pixels.
        accumulate=dynamics.tokens // preset(size)[1].tokens,
    )  # fmt: skip
    return ExperimentConfig(
        name=f"{size}_{frame}",
        seed=0,
        recording=RecordConfig(source=Procgen(game="coinrun", side=frame), frames=frames, levels=(0, 200_000), seed=1),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=TrainConfig(steps=steps // 2, batch=batch, window=4, optimizer=optimizer, layers=layers),
        dynamics=dynamics,
        dynamics_loss=DynamicsLossConfig(),
        dynamics_training=dynamics_training,
        mesh=mesh,
    )
