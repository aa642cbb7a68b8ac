import json

from quagmires.training.verl.metrics import read_metrics, read_progress


def test_metrics_of_a_resumed_run_count_every_step_once(tmp_path):
    def lines(*pairs):
        return "".join(
            json.dumps({"step": step, "data": {"critic/score/mean": reward, "x": "text"}}) + "\n"
            for step, reward in pairs
        )

    (tmp_path / "metrics000.jsonl").write_text(lines((1, 0.1), (2, 0.2), (3, 0.3)) + '{"step": 4, "da')
    (tmp_path / "metrics001.jsonl").write_text(lines((3, 0.31), (4, 0.4)))
    metrics = read_metrics(sorted(tmp_path.glob("*.jsonl")))
    assert [(row["step"], row["critic/score/mean"]) for row in metrics] == [(1, 0.1), (2, 0.2), (3, 0.31), (4, 0.4)]
    assert read_progress(sorted(tmp_path.glob("*.jsonl")), 9).done == 4
