# Models and data sets from the Hugging Face hub. Local rules: compute nodes need no internet.


def _downloads():
    """Folder -> options of download_dataset.py, for what the config names; two pools can be of one repository."""
    found = {}
    for model in CONFIG.models.values():
        if model.hub:
            folder = locations.download_folder(
                "models", model.hub.model, model.hub.revision
            )
            found[folder] = (
                f"--model {shlex.quote(model.hub.model)} --revision '{model.hub.revision}'"
            )
    patterns = {}
    for pool in CONFIG.sft_datasets.values():
        if pool.hub:
            repository = (pool.hub.dataset, pool.hub.revision)
            patterns.setdefault(repository, []).extend(pool.hub.files)
    for (dataset, revision), files in patterns.items():
        wanted = " ".join(shlex.quote(one) for one in dict.fromkeys(files))
        found[locations.download_folder("datasets", dataset, revision)] = (
            f"--dataset {shlex.quote(dataset)} --revision '{revision}' --files {wanted}"
        )
    return {Path(folder).name: options for folder, options in found.items()}


DOWNLOADED = _downloads()


rule download:
    """One repository of the hub; resumes where it was cut off."""
    output:
        f"{locations.DOWNLOADS}/{{kind}}/{{repository}}/files.json",
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
