# Models and data sets from the Hugging Face hub. Local rules: compute nodes need no internet.


def _downloads():
    """Folder -> options of download_dataset.py, for what the config names."""
    found = {}
    for model in CONFIG.models.values():
        if model.hub:
            folder = sources.download_folder(
                "models", model.hub.model, model.hub.revision
            )
            found[Path(folder).name] = f"--model {shlex.quote(model.hub.model)}"
            found[Path(folder).name] += f" --revision '{model.hub.revision}'"
    for pool in CONFIG.sft_datasets.values():
        if pool.hub:
            folder = sources.download_folder(
                "datasets", pool.hub.dataset, pool.hub.revision
            )
            patterns = " ".join(map(shlex.quote, pool.hub.files))
            found[Path(folder).name] = f"--dataset {shlex.quote(pool.hub.dataset)}"
            found[
                Path(folder).name
            ] += f" --revision '{pool.hub.revision}' --files {patterns}"
    return found


DOWNLOADED = _downloads()


rule download:
    """One repository of the hub; resumes where it was cut off."""
    output:
        f"{sources.DOWNLOADS}/{{kind}}/{{repository}}/files.json",
    log:
        "logs/downloads/{kind}/{repository}.log",
    wildcard_constraints:
        kind="models|datasets",
        repository=_one_of(DOWNLOADED),
    localrule: True
    params:
        options=lambda wildcards: DOWNLOADED[wildcards.repository],
    message:
        "Download of {wildcards.repository}"
    shell:
        "{PYTHON} scripts/download_dataset.py {params.options} --output $(dirname {output})"
        + LOGGED
