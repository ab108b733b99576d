"""Catalogues that differ from the shipped one in what a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from consent.catalogue import RULES


def files_with(changes: Mapping[tuple[str, str], str], *, remark: str = "") -> dict[str, bytes]:
    """Return the files of the shipped catalogue, with texts replaced: (file, old) → new, and a remark at an end."""
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.toml"))}
    for (name, old), new in changes.items():
        assert old in files[name], old
        files[name] = files[name].replace(old, new)
    files["parameters.toml"] += f"# {remark}\n" if remark else ""
    return {name: text.encode() for name, text in files.items()}


def folder_with(folder: Path, changes: Mapping[tuple[str, str], str], *, remark: str = "") -> Path:
    """Write such a catalogue into a folder; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files_with(changes, remark=remark).items():
        (folder / name).write_bytes(content)
    return folder
