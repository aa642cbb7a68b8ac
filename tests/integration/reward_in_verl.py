"""Score four responses with our reward in verl's RewardLoopWorker; print scores and GRPO advantages as JSON."""

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_module
from transformers import AutoTokenizer
from verl import DataProto
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

MODEL, REWARD = sys.argv[1:]
RESPONSES = [r"so \boxed{42}", r"so \boxed{41}", r"so \boxed{\frac{84}{2}}", "no idea"]
LENGTH = 80

sys.path.insert(0, str(Path(REWARD).resolve().parents[2]))
with initialize_config_module("verl.trainer.config", version_base=None):
    config = compose(
        "ppo_trainer",
        overrides=[
            f"actor_rollout_ref.model.path={MODEL}",
            f"reward.custom_reward_function.path={REWARD}",
            "actor_rollout_ref.rollout.name=vllm",
        ],
    )
tokenizer = AutoTokenizer.from_pretrained(MODEL)
responses = torch.full((4, LENGTH), tokenizer.pad_token_id)
mask = torch.zeros(4, LENGTH, dtype=torch.long)
for row, text in enumerate(RESPONSES):
    ids = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    responses[row, : len(ids)] = torch.tensor(ids)
    mask[row, : len(ids)] = 1
prompts = torch.ones(4, 8, dtype=torch.long)
data = DataProto.from_dict(
    tensors={
        "prompts": prompts,
        "responses": responses,
        "attention_mask": torch.cat([torch.ones_like(prompts), mask], dim=1),
    },
    non_tensors={
        "data_source": np.array(["goals"] * 4, dtype=object),
        "reward_model": np.array([{"style": "rule", "ground_truth": "42"}] * 4, dtype=object),
        "extra_info": np.array([{"index": i} for i in range(4)], dtype=object),
    },
)


async def score():
    worker = RewardLoopWorker(config)
    worker.reward_manager.loop = asyncio.get_running_loop()
    return await worker.compute_score_batch(data), worker


results, worker = asyncio.run(score())
scores = [one["reward_score"] for one in results]
rewards = type(worker.reward_manager).assemble_rm_scores(data, scores)
advantages, _ = compute_grpo_outcome_advantage(
    token_level_rewards=rewards, response_mask=mask, index=np.array(["one"] * 4), norm_adv_by_std_in_grpo=True
)
print(
    json.dumps(
        {
            "scores": scores,
            "answered": [one["reward_extra_info"]["answered"] for one in results],
            "advantages": advantages[:, 0].tolist(),
        }
    )
)
