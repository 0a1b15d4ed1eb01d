"""What Binder does with a record, by repo2docker's own code: ``API RECORD FOLDER``. Run by its own environment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from repo2docker.app import Repo2Docker
from repo2docker.contentproviders.zenodo import Zenodo


def main(api: str, record: str, folder: str) -> None:
    provider = Zenodo()
    host = {**next(host for host in provider.hosts if host["api"].startswith("https://zenodo.org/")), "api": api}
    told = list(provider.fetch({"record": record, "host": host}, folder))
    os.chdir(folder)
    app = Repo2Docker()
    packs = [pack(app.base_image) for pack in app.buildpacks]
    pack = next(pack for pack in packs if pack.detect())
    pack.platform = "linux/amd64"  # as its command line sets it
    answer = {
        "told": told,
        "files": sorted(path.as_posix() for path in Path().rglob("*") if path.is_file()),
        "pack": type(pack).__name__,
        "python": pack.python_version,
        "post_build": pack.get_post_build_scripts(),
        "dockerfile": pack.render(),
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
