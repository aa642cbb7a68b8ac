"""A batched rollout for verl 0.9.1 on CPU: a whole step's prompts in one call, instead of one request per sequence.

verl documents the extension point in `main_ppo.TaskRunnerV1.init_agent_loop_manager`: a class with
`generate_sequences` that puts its outputs into the TransferQueue.
"""

import os
import time
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica

from verl_cpu.sampler import Sampler


def _actor_name(replica: int) -> str:
    return f"verl_cpu_sampler_{replica}"


class CpuReplica(RolloutReplica):
    """Starts the sampler as a Ray actor."""

    async def launch_servers(self) -> None:
        actor = ray.remote(Sampler).options(name=_actor_name(self.replica_rank), num_cpus=0)
        sampler = actor.remote(self.model_config.path, seed=self.config.get("seed", 0) or 0)
        await sampler.ready.remote()
        self.servers = [sampler]
        self._server_handle = sampler
        self._server_address = f"ray://{_actor_name(self.replica_rank)}"


class WeightSender(BaseRollout):
    """The rollout's end in the training worker: sends new weights to the sampler."""

    def __init__(self, config, model_config, device_mesh, replica_rank: int = -1):
        super().__init__(config, model_config, device_mesh)
        self.replica_rank = int(os.environ["RANK"]) if replica_rank == -1 else replica_rank
        self.is_leader_rank = True

    async def resume(self, tags) -> None:
        pass

    async def release(self) -> None:
        pass

    async def update_weights(self, weights, global_steps: int | None = None, **_: Any) -> None:
        state = {}
        if hasattr(weights, "__aiter__"):
            async for name, tensor in weights:
                state[name] = tensor.detach().float().cpu().clone()
        else:
            for name, tensor in weights:
                state[name] = tensor.detach().float().cpu().clone()
        await ray.get_actor(_actor_name(self.replica_rank)).load.remote(state, global_steps)


class BatchedRolloutManager:
    """Single-turn rollouts: render, sample, score and hand over a whole batch at once."""

    def __init__(self, config):
        from verl.experimental.agent_loop.agent_loop import create_continuous_token_builder
        from verl.trainer.ppo.reward import get_custom_reward_fn

        from quagmires.data.prompts import load_tokenizer

        rollout = config.actor_rollout_ref.rollout
        for name in ("top_p", "top_k"):
            if rollout[name] not in (1, 1.0, -1):
                raise ValueError(
                    f"rollout.{name}={rollout[name]}: the CPU rollout samples from the full distribution only"
                )
        self.config = config
        self.rollout = rollout
        self.tokenizer = load_tokenizer(config.actor_rollout_ref.model.path)
        # verl's own renderer, so that prompts are those of a GPU run.
        self.builder = create_continuous_token_builder(self.tokenizer)
        self.score = get_custom_reward_fn(config)

    @classmethod
    def create(cls, config, **_: Any) -> "BatchedRolloutManager":
        return cls(config)

    def generate_sequences(self, batch) -> None:
        """Roll out every prompt of `batch` n times and put the sequences into the TransferQueue."""
        import transfer_queue as tq
        from verl.utils.tensordict_utils import list_of_dict_to_tensordict

        validating = bool(batch["validate"]) if "validate" in batch else False
        batch.pop("validate", None)
        rows = [{key: _item(value, i) for key, value in batch.items()} for i in range(len(batch))]
        settings = self.rollout.val_kwargs if validating else self.rollout
        prompts = [self.builder.build_initial_tokens(list(row["raw_prompt"])) for row in rows]
        repeated = [prompt for prompt in prompts for _ in range(settings.n)]
        started = time.perf_counter()
        sampler = ray.get_actor(_actor_name(0))
        drawn, step = ray.get(
            sampler.sample.remote(repeated, self.config.data.max_response_length, settings.temperature)
        )
        seconds = (time.perf_counter() - started) / len(drawn)
        keys, fields, tags = [], [], []
        for position, (ids, logprobs) in enumerate(drawn):
            problem, repetition = divmod(position, settings.n)
            row, prompt = rows[problem], prompts[problem]
            keys.append(f"{row['uid']}_{repetition}_0")
            fields.append(self._sequence(row, repetition, prompt, ids, logprobs, seconds, step))
            lengths = {"prompt_len": len(prompt), "response_len": len(ids), "seq_len": len(prompt) + len(ids)}
            steps = {"global_steps": row["global_steps"], "min_global_steps": step, "max_global_steps": step}
            tags.append({"status": "success", **lengths, **steps})
        partition = "val" if validating else "train"
        tq.kv_batch_put(keys=keys, partition_id=partition, fields=list_of_dict_to_tensordict(fields), tags=tags)
        finished = [{"status": "finished"}] * len(rows)
        tq.kv_batch_put(keys=[row["uid"] for row in rows], partition_id=partition, tags=finished)

    def _sequence(self, row: dict, repetition: int, prompt, ids, logprobs, seconds: float, step: int) -> dict[str, Any]:
        """One sequence with its reward, as verl's agent loop would have put it."""
        from verl.experimental.agent_loop import AgentLoopOutput
        from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics

        reward = self.score(
            data_source=row["data_source"],
            solution_str=self.tokenizer.decode(ids, skip_special_tokens=True),
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info=row.get("extra_info", {}),
        )
        sequence = AgentLoopOutput(
            prompt_ids=prompt,
            response_ids=ids,
            response_mask=[1] * len(ids),
            response_logprobs=logprobs,
            reward_score=float(reward["score"]),
            num_turns=2,
            metrics=AgentLoopMetrics(generate_sequences=seconds, tool_calls=0.0, compute_score=0.0),
            extra_fields={
                "global_steps": step,
                "min_global_steps": step,
                "max_global_steps": step,
                "reward_extra_info": reward,
                "turn_scores": [],
                "tool_rewards": [],
            },
        ).as_dict()
        sequence.update(row, session_id=repetition)
        sequence["loss_mask"] = sequence["response_mask"]
        sequence["multi_modal_inputs"] = {}
        sequence["input_ids"] = torch.cat([sequence["prompts"], sequence["responses"]])
        sequence["position_ids"] = torch.arange(len(sequence["input_ids"]))
        return sequence


def _item(value: Any, index: int) -> Any:
    """Element `index` of a column of a tensordict: a tensor, a stack of objects, or one object for all rows."""
    from tensordict import NonTensorStack

    if isinstance(value, torch.Tensor):
        return value[index]
    return value[index].data if isinstance(value, NonTensorStack) else value.data
